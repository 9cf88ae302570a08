import { h, s } from "./dom.js";
import { icon } from "./icons.js";

const SLACKBOT = "USLACKBOT";
const GREY = "#6b6a6c";

const directory = { users: new Map(), groups: new Map(), channels: new Map() };

export function learnUsers(users, groups = []) {
  directory.users = new Map(users.map((user) => [user.id, user]));
  directory.groups = new Map(groups.map((group) => [group.id, group]));
}

export function learnChannels(channels) {
  for (const channel of channels) directory.channels.set(channel.id, channel);
}

export function everyone() {
  return [...directory.users.values()];
}

export function humans() {
  return everyone().filter((user) => !user.is_bot && !user.deleted);
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

function colour(user) {
  return /^[0-9a-f]{6}$/i.test(user?.color ?? "") ? `#${user.color}` : GREY;
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return words.length > 1 ? [...words[0]][0] + [...words.at(-1)][0] : [...name].slice(0, 2).join("");
}

export function avatar(id, size = 36) {
  const found = person(id);
  if (found?.is_bot && id !== SLACKBOT) return appAvatar(size);
  const name = found?.real_name || found?.name || String(id ?? "?");
  const style = `--size:${size}px;background:${colour(found)}`;
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
