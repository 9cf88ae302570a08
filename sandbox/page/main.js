import { attempt, post } from "./api.js";
import { Breaker } from "./breaker.js";
import { nameClient } from "./client.js";
import { Composer, composerPlaceholder } from "./composer.js";
import { h, replace } from "./dom.js";
import { drawHeader } from "./header.js";
import { drawHome } from "./home.js";
import { icon } from "./icons.js";
import { JoinBar } from "./joinbar.js";
import { Inspector } from "./inspector.js";
import { live } from "./live.js";
import { drawModals, mountModals } from "./modal.js";
import { MessageList, messageRows } from "./messages.js";
import { person } from "./people.js";
import { pointerReleased } from "./pointer.js";
import { closePopup } from "./popup.js";
import { markRead, readUntil } from "./reads.js";
import { drawSidebar } from "./sidebar.js";
import { currentChannel, readAddress, state, writeAddress } from "./state.js";
import {
  fetchChannels,
  fetchManners,
  fetchMessages,
  fetchScenarios,
  fetchUsers,
  fetchViews,
} from "./store.js";
import { drawSwitcher } from "./switcher.js";
import { mountTheme } from "./theme.js";
import { clearToasts } from "./toast.js";
import { Thread } from "./thread.js";
import { Welcome } from "./welcome.js";

const part = (name) => document.querySelector(`[data-part=${name}]`);

const thread = new Thread(() => openThread(null));
const list = new MessageList({ label: "Messages", jump: "jump", openThread });
const composer = new Composer({ testid: "composer", sent });
const welcome = new Welcome(fillIn);
const joinBar = new JoinBar();
const breaker = new Breaker(part("breaker"), fillIn);
const inspector = new Inspector();
const stream = live(refetch);

// Where the red “New” line stands: fixed when a channel is opened, so that what arrives while one reads is not called new.
let unreadFrom = null;

async function refetch(changes) {
  const kinds = new Set(changes.map((change) => change.kind));
  const everything = kinds.has("everything");
  const wanted = [
    (everything || kinds.has("users")) && fetchUsers(),
    (everything || changes.some(isHere)) && fetchMessages(),
    (everything || kinds.has("channels") || kinds.has("messages")) && fetchChannels(),
    (everything || kinds.has("views") || kinds.has("home")) && fetchViews(),
    (everything || kinds.has("scenarios")) && fetchScenarios(),
  ];
  await attempt(Promise.all(wanted));
  await pointerReleased();
  draw();
}

function fillIn(text) {
  composer.fill(text);
  composer.input.focus();
}

function isHere(change) {
  return (
    change.kind === "messages" &&
    [undefined, null, currentChannel()?.id, state.channel].includes(change.channel)
  );
}

function draw() {
  const home = state.page === "home";
  drawSwitcher(part("switcher"), bePerson);
  drawSidebar(part("sidebar"), { openChannel, openHome });
  part("channel").hidden = home;
  part("home").hidden = !home;
  if (home) drawHome(part("home"), state.home);
  else drawChannel();
  thread.draw();
  breaker.draw();
  drawModals(state.views);
  writeAddress();
  document.title = `${home ? "Runbolt" : `#${state.channel}`} · Runbolt sandbox`;
}

function place() {
  return `${state.person}/${state.channel}`;
}

function drawChannel() {
  const channel = currentChannel();
  drawHeader(part("header"), channel);
  composer.show(place(), composerPlaceholder());
  joinBar.show(channel);
  composer.node.hidden = !joinBar.node.hidden;
  welcome.show(!state.channel?.startsWith("inc-"), state.scenarios.find((one) => one.holds)?.then);
  list.draw(place(), [intro(channel), ...messageRows(state.messages, { unreadFrom })]);
  if (channel && state.messages.length) markRead(channel, state.messages.at(-1).ts);
}

function sent(text) {
  if (text.startsWith("/incident ")) welcome.done();
  list.toEnd();
}

function intro(channel) {
  if (channel?.is_im)
    return {
      key: "intro",
      signature: "app",
      node: () => h("div", { class: "intro" }, h("p", {}, "What Runbolt tells you alone.")),
    };
  const purpose = channel?.purpose || `This is the very beginning of the #${channel?.name ?? ""} channel.`;
  return {
    key: "intro",
    signature: `${channel?.name} ${purpose}`,
    node: () =>
      h(
        "div",
        { class: "intro" },
        h("span", { class: "intro-icon" }, icon("hash", 26)),
        h("h3", {}, channel?.name ?? ""),
        h("p", {}, purpose),
      ),
  };
}

async function openChannel(name) {
  closePopup();
  part("body").classList.remove("choosing");
  Object.assign(state, { page: "channel", channel: name, thread: null, messages: [] });
  // At once, so that what is typed while the messages come is typed into the right place.
  composer.show(place(), composerPlaceholder());
  await attempt(fetchMessages());
  unreadFrom = firstUnread();
  // After the messages: having been asked for them, the server knows that they are read.
  await attempt(fetchChannels());
  draw();
  if (!state.views.length) composer.input.focus();
}

function firstUnread() {
  const channel = currentChannel();
  const read = channel && readUntil(channel);
  const me = person(state.person)?.id;
  return read
    ? state.messages.find((message) => Number(message.ts) > Number(read) && message.user !== me)?.ts
    : null;
}

async function openHome() {
  closePopup();
  part("body").classList.remove("choosing");
  Object.assign(state, { page: "home", thread: null });
  draw();
  await attempt(post("home"));
  await attempt(fetchViews());
  draw();
}

// In a narrow window the list has the place of the channel, until one is chosen.
async function showChannels() {
  const choosing = part("body").classList.contains("choosing");
  if (state.page === "home") await openChannel(state.channel);
  part("body").classList.toggle("choosing", !choosing);
}

function openThread(ts) {
  state.thread = ts;
  thread.draw();
  (ts ? thread.composer : composer).input.focus();
}

async function bePerson(handle) {
  closePopup();
  clearToasts();
  Object.assign(state, { person: handle, thread: null, messages: [], views: [], home: null });
  stream.connect();
  composer.show(place(), composerPlaceholder());
  await attempt(Promise.all([fetchChannels(), fetchViews()]));
  await openPlace();
}

function openPlace() {
  return state.page === "home" ? openHome() : openChannel(state.channel);
}

function build() {
  replace(part("channel"), h("div", { data: { part: "header" } }), list.node, welcome.node, joinBar.node, composer.node);
  part("body").append(thread.node);
  document.body.append(inspector.node);
  mountModals(document.body, () => refetch([{ kind: "views" }]));
  mountTheme(part("theme"));
  button("gear", "gear", () => inspector.open());
  button("rail-home", "home", showChannels);
  button("rail-app", "bolt", openHome);
  document.addEventListener("open-home", openHome);
  document.addEventListener("open-channel", (event) => openChannel(event.detail));
}

function button(name, picture, press) {
  part(name).prepend(icon(picture));
  part(name).addEventListener("click", press);
}

async function start() {
  readAddress();
  await nameClient();
  build();
  await attempt(post("reload"));
  await attempt(Promise.all([fetchUsers(), fetchChannels(), fetchManners(), fetchScenarios(), fetchViews()]));
  stream.connect();
  await openPlace();
  document.body.dataset.ready = "true";
}

start();
