import { attempt, get, post } from "./api.js";
import { Composer, composerPlaceholder } from "./composer.js";
import { h, replace } from "./dom.js";
import { drawHeader } from "./header.js";
import { drawHome } from "./home.js";
import { icon } from "./icons.js";
import { Inspector } from "./inspector.js";
import { live } from "./live.js";
import { drawModals, mountModals } from "./modal.js";
import { MessageList, messageRows } from "./messages.js";
import { learnChannels, learnUsers } from "./people.js";
import { closePopup } from "./popup.js";
import { markRead, readUntil } from "./reads.js";
import { drawSidebar } from "./sidebar.js";
import { currentChannel, readAddress, state, writeAddress } from "./state.js";
import { drawSwitcher } from "./switcher.js";
import { Thread } from "./thread.js";

const part = (name) => document.querySelector(`[data-part=${name}]`);

const thread = new Thread(() => openThread(null));
const list = new MessageList("Messages", openThread);
const composer = new Composer({ testid: "composer", sent: () => list.toEnd() });
const inspector = new Inspector();
const stream = live(refetch);

// Where the red “New” line stands: fixed when a channel is opened, so that it does not run away while one reads.
let unreadAfter = null;

async function fetchUsers() {
  const { users, usergroups } = await get("users");
  learnUsers(users, usergroups);
}

async function fetchChannels() {
  const { channels } = await get("channels", { user: state.person });
  state.channels = channels;
  learnChannels(channels);
  if (!currentChannel()) state.channel = firstChannel();
}

function firstChannel() {
  const mine = state.channels.filter((channel) => channel.is_member !== false && !channel.is_im);
  return (mine.find((channel) => channel.name === "incidents") ?? mine[0] ?? state.channels[0])?.name ?? null;
}

async function fetchMessages() {
  if (!state.channel) return;
  const [channel, person] = [state.channel, state.person];
  const { messages } = await get("messages", { channel, user: person });
  // The answer may be late: somebody else may be looking at something else by now.
  if (channel === state.channel && person === state.person) state.messages = messages;
}

async function fetchViews() {
  const { views, home } = await get("views", { user: state.person });
  state.home = home;
  drawModals(views ?? []);
}

async function refetch(changes) {
  const kinds = new Set(changes.map((change) => change.kind));
  const everything = kinds.has("everything");
  const wanted = [
    (everything || kinds.has("users")) && fetchUsers(),
    (everything || kinds.has("channels") || kinds.has("messages")) && fetchChannels(),
    (everything || changes.some(isHere)) && fetchMessages(),
    (everything || kinds.has("views") || kinds.has("home")) && fetchViews(),
  ];
  await attempt(Promise.all(wanted));
  draw();
}

function isHere(change) {
  return change.kind === "messages" && [undefined, null, currentChannel()?.id, state.channel].includes(change.channel);
}

function draw() {
  drawSwitcher(part("switcher"), bePerson);
  drawSidebar(part("sidebar"), { openChannel, openHome });
  const home = state.page === "home";
  part("channel").hidden = home;
  part("home").hidden = !home;
  if (home) drawHome(part("home"), state.home);
  else drawChannel();
  thread.draw();
  writeAddress();
  document.title = `${home ? "Runbolt" : `#${state.channel}`} · Runbolt sandbox`;
}

function drawChannel() {
  const channel = currentChannel();
  drawHeader(part("header"), channel);
  const place = `${state.person}/${state.channel}`;
  list.draw(place, [intro(channel), ...messageRows(state.messages, { unreadAfter })]);
  composer.show(place, composerPlaceholder(), true);
  if (channel && state.messages.length) markRead(channel, state.messages.at(-1).ts);
}

function intro(channel) {
  const purpose = channel?.purpose || `This is the very beginning of the #${channel?.name ?? ""} channel.`;
  return {
    key: "intro",
    signature: `${channel?.name} ${purpose}`,
    node: () => h("div", { class: "intro" }, h("span", { class: "intro-icon" }, icon("hash", 26)), h("h3", {}, channel?.name ?? ""), h("p", {}, purpose)),
  };
}

async function openChannel(name) {
  closePopup();
  Object.assign(state, { page: "channel", channel: name, thread: null, messages: [] });
  const channel = currentChannel();
  unreadAfter = channel ? readUntil(channel) : null;
  await attempt(fetchMessages());
  await attempt(fetchChannels());
  draw();
  composer.input.focus();
}

async function openHome() {
  closePopup();
  Object.assign(state, { page: "home", thread: null });
  draw();
  await attempt(post("home"));
  await attempt(fetchViews());
  draw();
}

function openThread(ts) {
  state.thread = ts;
  thread.draw();
  if (ts) thread.composer.input.focus();
  else composer.input.focus();
}

async function bePerson(handle) {
  closePopup();
  Object.assign(state, { person: handle, thread: null, messages: [] });
  stream.connect();
  await attempt(Promise.all([fetchChannels(), fetchViews()]));
  if (state.page === "home") await openHome();
  else await openChannel(state.channel);
}

async function fetchManners() {
  const [commands, shortcuts] = await Promise.all([get("commands"), get("shortcuts")]);
  state.commands = commands.commands ?? [];
  state.shortcuts = shortcuts.shortcuts ?? [];
}

function build() {
  replace(part("channel"), h("div", { data: { part: "header" } }), list.node, composer.node);
  part("body").append(thread.node);
  document.body.append(inspector.node);
  mountModals(document.body, () => refetch([{ kind: "views" }]));
  const gear = part("gear");
  gear.append(icon("gear"));
  gear.addEventListener("click", () => inspector.open());
  const rail = part("rail-home");
  rail.prepend(icon("home"));
  rail.addEventListener("click", () => openChannel(state.channel));
  const app = part("rail-app");
  app.prepend(icon("bolt"));
  app.addEventListener("click", openHome);
  document.addEventListener("open-channel", (event) => openChannel(event.detail));
}

async function start() {
  readAddress();
  build();
  await attempt(post("reload"));
  await attempt(Promise.all([fetchUsers(), fetchChannels(), fetchManners(), fetchViews()]));
  stream.connect();
  if (state.page === "home") await openHome();
  else await openChannel(state.channel);
  document.body.dataset.ready = "true";
}

start();
