import { h, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { appAvatar, avatar } from "./people.js";
import { state } from "./state.js";

const WORKSPACE = "Tickettoken";

function sections() {
  const open = state.channels.filter((channel) => !channel.is_archived && !channel.is_im);
  const incidents = open.filter((channel) => channel.name.startsWith("inc-"));
  const others = open.filter((channel) => !channel.name.startsWith("inc-"));
  const ended = state.channels.filter((channel) => channel.is_archived);
  return [
    ["Channels", others],
    ["Incidents", incidents.reverse()],
    ["Archived", ended],
    ["Direct messages", state.channels.filter((channel) => channel.is_im)],
  ].filter(([, channels]) => channels.length);
}

export function drawSidebar(node, { openChannel, openHome }) {
  const shown = [state.channels, state.channel, state.page, state.person];
  redraw(node, shown, () => [
    h(
      "header",
      { class: "workspace" },
      h("h1", {}, WORKSPACE),
      h("span", { class: "sandbox-tag" }, "sandbox"),
    ),
    h(
      "div",
      { class: "sidebar-body" },
      sections().map(([title, channels]) =>
        section(
          title,
          channels.map((channel) => entry(channel, openChannel)),
        ),
      ),
      section("Apps", [appEntry(openHome)]),
    ),
  ]);
}

function section(title, entries) {
  return h(
    "section",
    {},
    h("h2", {}, title),
    h(
      "ul",
      {},
      entries.map((one) => h("li", {}, one)),
    ),
  );
}

function entry(channel, openChannel) {
  const active = state.page === "channel" && state.channel === channel.name;
  const fresh = active ? 0 : (channel.unread ?? 0);
  const kinds = ["place", active && "active", fresh && "unread", channel.is_member === false && "elsewhere"];
  const lead = channel.is_im ? avatar(channel.user, 20) : icon(channel.is_private ? "lock" : "hash", 18);
  return h(
    "button",
    {
      type: "button",
      class: kinds.filter(Boolean).join(" "),
      "aria-current": active ? "page" : null,
      data: { channel: channel.name, unread: fresh ? String(fresh) : null },
      on: { click: () => openChannel(channel.name) },
    },
    lead,
    h("span", { class: "place-name" }, channel.name),
    fresh > 0 && h("span", { class: "unseen" }, `${fresh} unread`),
    fresh > 0 && h("span", { class: "count", "aria-hidden": "true" }, String(fresh)),
  );
}

function appEntry(openHome) {
  const active = state.page === "home";
  return h(
    "button",
    {
      type: "button",
      class: active ? "place active" : "place",
      "aria-current": active ? "page" : null,
      data: { app: "runbolt", testid: "app-home" },
      on: { click: openHome },
    },
    appAvatar(20),
    h("span", { class: "place-name" }, "Runbolt"),
  );
}
