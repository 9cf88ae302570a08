import { h, s } from "./dom.js";
import { icon } from "./icons.js";

const COLOURS = ["#7048e8", "#0c8599", "#c2255c", "#e8590c", "#2f9e44", "#1971c2", "#a61e4d", "#5c940d"];

const directory = { users: new Map(), groups: new Map(), channels: new Map() };

export function learnUsers(users, groups = []) {
  const coloured = users.map((user, index) => ({ ...user, colour: COLOURS[index % COLOURS.length] }));
  directory.users = new Map(coloured.map((user) => [user.id, user]));
  directory.groups = new Map(groups.map((group) => [group.id, group]));
}

export function learnChannels(channels) {
  for (const channel of channels) directory.channels.set(channel.id, channel);
}

export function everyone() {
  return [...directory.users.values()];
}

export function humans() {
  return everyone().filter((user) => !user.is_bot);
}

export function channels() {
  return [...directory.channels.values()];
}

export function person(idOrHandle) {
  return directory.users.get(idOrHandle) ?? everyone().find((user) => user.name === idOrHandle);
}

// Changes whenever a name that a message may show has changed.
export function channelNames() {
  return channels()
    .map((channel) => `${channel.id}=${channel.name}`)
    .join();
}

export function channelNamed(id) {
  return directory.channels.get(id);
}

export function groupNamed(id) {
  return directory.groups.get(id);
}

export function displayName(id) {
  const found = person(id);
  return found ? found.real_name || found.name : id;
}

function colour(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return COLOURS[sum % COLOURS.length];
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return words.length > 1 ? [...words[0]][0] + [...words.at(-1)][0] : [...name].slice(0, 2).join("");
}

export function avatar(id, size = 36) {
  const found = person(id);
  if (found?.is_bot) return appAvatar(size);
  const name = found?.real_name || found?.name || String(id ?? "?");
  const style = `--size:${size}px;background:${found?.colour ?? colour(name)}`;
  return h("span", { class: "avatar", style, "aria-hidden": "true" }, initials(name).toUpperCase());
}

export function appAvatar(size = 36) {
  return h(
    "span",
    { class: "avatar avatar-app", style: `--size:${size}px`, "aria-hidden": "true" },
    icon("bolt", Math.round(size * 0.62)),
  );
}

export function presence() {
  return s(
    "svg",
    { class: "presence", viewBox: "0 0 10 10", width: 10, height: 10, "aria-hidden": "true" },
    s("circle", { cx: 5, cy: 5, r: 4 }),
  );
}
