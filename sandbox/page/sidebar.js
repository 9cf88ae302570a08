import { appConversation } from "./apphead.js";
import { h, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { appAvatar } from "./people.js";
import { state } from "./state.js";

const WORKSPACE = "Tickettoken";

function sections() {
  const open = state.channels.filter((channel) => !channel.is_archived && !channel.is_im);
  const incidents = open.filter((channel) => channel.name.startsWith("inc-"));
  const others = open.filter((channel) => !channel.name.startsWith("inc-"));
  const ended = state.channels.filter((channel) => channel.is_archived && !channel.is_im);
  return [
    ["Channels", others],
    ["Incidents", incidents.reverse()],
    ["Archived", ended],
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
  return place({
    name: channel.name,
    lead: icon(channel.is_private ? "lock" : "hash", 18),
    active,
    fresh: active ? 0 : channel.unread,
    elsewhere: channel.is_member === false,
    data: { channel: channel.name },
    press: () => openChannel(channel.name),
  });
}

function appEntry(openHome) {
  const direct = appConversation();
  const reading = state.page === "channel" && state.channel === direct?.name;
  return place({
    name: "Runbolt",
    lead: appAvatar(20),
    active: reading || state.page === "home",
    fresh: reading ? 0 : (direct?.unread ?? 0),
    data: { app: "runbolt", testid: "app-home" },
    press: openHome,
  });
}

function place({ name, lead, active, fresh, elsewhere, data, press }) {
  const kinds = ["place", active && "active", fresh > 0 && "unread", elsewhere && "elsewhere"];
  return h(
    "button",
    {
      type: "button",
      class: kinds.filter(Boolean).join(" "),
      "aria-current": active ? "page" : null,
      data: { ...data, unread: fresh > 0 ? String(fresh) : null },
      on: { click: press },
    },
    lead,
    h("span", { class: "place-name" }, name),
    fresh > 0 && h("span", { class: "unseen" }, `${fresh} unread`),
    fresh > 0 && h("span", { class: "count", "aria-hidden": "true" }, String(fresh)),
  );
}
