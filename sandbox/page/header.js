import { appHead } from "./apphead.js";
import { h, redraw } from "./dom.js";
import { emoji } from "./emoji.js";
import { icon } from "./icons.js";
import { mrkdwn, plain } from "./mrkdwn.js";
import { avatar, displayName, person, presence } from "./people.js";
import { openPopup } from "./popup.js";
import { state } from "./state.js";

export function drawHeader(node, channel) {
  const pinned = state.messages.filter((message) => message.pinned && !message.ephemeral);
  redraw(node, [channel ?? null, pinned.map((message) => [message.ts, message.text]), state.person], () =>
    channel ? header(channel, pinned) : [],
  );
}

function isApp(id) {
  return Number(person(id)?.is_bot ?? false);
}

function header(channel, pinned) {
  if (channel.is_im) return appHead("messages");
  const members = [...channel.members].sort((one, other) => isApp(one) - isApp(other));
  return [
    h(
      "div",
      { class: "channel-head" },
      h("h2", { class: "channel-title" }, icon(channel.is_private ? "lock" : "hash", 18), h("span", {}, channel.name)),
      h(
        "div",
        { class: "topic", title: channel.topic || null, data: { testid: "topic" } },
        mrkdwn(channel.topic ?? ""),
      ),
      pinned.length > 0 &&
        pill("pinned", `${pinned.length} pinned`, "pin", (event) => showPinned(event.currentTarget, pinned)),
      members.length > 0 &&
        pill(
          "members",
          String(members.length),
          "people",
          (event) => showMembers(event.currentTarget, members),
          members.slice(0, 3).map((id) => avatar(id, 22)),
        ),
    ),
    bookmarks(channel.bookmarks ?? []),
  ];
}

function pill(testid, words, name, press, faces) {
  return h(
    "button",
    {
      type: "button",
      class: "pill",
      "aria-label": testid === "members" ? `${words} members` : words,
      "aria-expanded": "false",
      data: { testid },
      on: { click: press },
    },
    faces ? h("span", { class: "faces" }, faces) : icon(name, 16),
    words,
  );
}

function bookmarks(list) {
  if (!list.length) return null;
  return h(
    "nav",
    { class: "bookmarks", "aria-label": "Bookmarks" },
    list.map((mark) => {
      const short = mark.emoji?.replaceAll(":", "");
      return h(
        "a",
        {
          class: "bookmark",
          href: /^https?:/i.test(mark.link) ? mark.link : null,
          target: "_blank",
          rel: "noreferrer",
          title: mark.link,
          data: { bookmark: mark.title },
        },
        short ? emoji(short) : icon("bookmark", 14),
        mark.title,
      );
    }),
  );
}

function showMembers(anchor, members) {
  const rows = members.map((id) =>
    h(
      "li",
      {},
      avatar(id, 28),
      h(
        "span",
        {},
        h("b", {}, displayName(id)),
        h("small", {}, person(id)?.is_bot ? "App" : (person(id)?.title ?? "")),
      ),
      presence(),
    ),
  );
  openPopup(anchor, [h("h3", {}, `${members.length} members`), h("ul", { class: "people" }, rows)], {
    label: "Members",
    side: "end",
    className: "popup-list",
  });
}

function showPinned(anchor, pinned) {
  const go = (ts) =>
    document
      .querySelector(`.main [data-ts="${CSS.escape(ts)}"]`)
      ?.scrollIntoView({ block: "center", behavior: "smooth" });
  const rows = pinned.map((message) =>
    h(
      "button",
      { type: "button", class: "pinned-row", on: { click: () => go(message.ts) } },
      plain((message.text ?? "").slice(0, 160)),
    ),
  );
  openPopup(anchor, [h("h3", {}, "Pinned"), rows], {
    label: "Pinned messages",
    side: "end",
    className: "popup-list",
  });
}
