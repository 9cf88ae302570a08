import { blocks, drawBlocks } from "./blocks.js";
import { dateNode, dayLabel, fullTime, time } from "./dates.js";
import { adopt, h } from "./dom.js";
import { fileNode } from "./files.js";
import { icon } from "./icons.js";
import { mrkdwn, plain } from "./mrkdwn.js";
import { avatar, displayName } from "./people.js";
import { reactions } from "./reactions.js";
import { conversation } from "./state.js";
import { messageSurface } from "./surface.js";
import { toolbar } from "./toolbar.js";

function authorName(message) {
  return message.username ?? displayName(message.user);
}

export function messageNode(message, { grouped = false, inThread = false, openThread }) {
  if (message.subtype?.startsWith("channel_")) return systemNode(message);
  const kinds = [
    "message",
    grouped && "grouped",
    message.ephemeral && "ephemeral",
    message.pinned && "pinned",
  ];
  return h(
    "article",
    {
      class: kinds.filter(Boolean).join(" "),
      tabindex: 0,
      "aria-label": `${authorName(message)}, ${time(message.ts)}`,
      data: {
        ts: message.ts,
        testid: "message",
        user: message.user,
        ephemeral: message.ephemeral ? "true" : null,
        pinned: message.pinned ? "true" : null,
      },
    },
    marker(message),
    h(
      "div",
      { class: "message-gutter" },
      grouped ? stamp(message, "stamp-gutter") : avatar(message.user, 36),
    ),
    h(
      "div",
      { class: "message-main" },
      grouped ? null : byline(message),
      body(message),
      attachments(message),
      files(message),
      reactions(message),
      inThread ? null : threadBar(message, openThread),
    ),
    message.ephemeral ? null : toolbar(message, { inThread, openThread }),
  );
}

// Changes a message in place, so that a block that stayed as it was keeps its node; null where there are no blocks.
export function updateMessage(node, message, options) {
  const fresh = messageNode(message, options);
  const [main, freshMain] = [node, fresh].map((one) => one.querySelector(":scope > .message-main"));
  const [own, replaced] = [main, freshMain].map((one) => one?.querySelector(":scope > .blocks"));
  if (!own || !replaced) return null;
  fillBlocks(own, message);
  adopt(main, freshMain, own, replaced);
  adopt(node, fresh, main, freshMain);
  return node;
}

function fillBlocks(node, message) {
  drawBlocks(node, message.blocks, messageSurface(conversation(), message.ts));
  if (message.edited) node.append(editedMark());
}

function editedMark() {
  return h("span", { class: "edited" }, "(edited)");
}

function systemNode(message) {
  return h(
    "article",
    { class: "message grouped system", data: { ts: message.ts, testid: "message" } },
    h("div", { class: "message-gutter" }, stamp(message, "stamp-gutter")),
    h("div", { class: "message-main" }, h("b", {}, authorName(message)), " ", mrkdwn(message.text)),
  );
}

function stamp(message, className = "") {
  return h(
    "time",
    {
      class: `stamp ${className}`,
      datetime: new Date(message.ts * 1000).toISOString(),
      title: fullTime(message.ts),
    },
    className ? time(message.ts).replace(/ [AP]M$/, "") : time(message.ts),
  );
}

function byline(message) {
  return h(
    "div",
    { class: "byline" },
    h("span", { class: "author" }, authorName(message)),
    message.bot_id && h("span", { class: "badge" }, "APP"),
    stamp(message),
  );
}

function marker(message) {
  if (message.ephemeral) return h("div", { class: "marker" }, icon("eye", 14), "Only visible to you");
  if (message.pinned) return h("div", { class: "marker" }, icon("pin", 14), "Pinned");
  return null;
}

function body(message) {
  if (message.blocks?.length) {
    const node = h("div", { class: "blocks" });
    fillBlocks(node, message);
    return node;
  }
  const edited = message.edited ? editedMark() : null;
  if (!message.text) return edited;
  return h(
    "div",
    { class: onlyEmoji(message.text) ? "text jumbo" : "text" },
    mrkdwn(message.text),
    edited && [" ", edited],
  );
}

function onlyEmoji(text) {
  return /^(:[a-z0-9_+'-]+:\s*){1,3}$/.test(text);
}

function attachments(message) {
  return (message.attachments ?? []).map((one) => {
    const surface = messageSurface(conversation(), message.ts);
    const colour = /^#?[0-9a-f]{6}$/i.test(one.color ?? "") ? `--bar:#${one.color.replace("#", "")}` : null;
    const classic = [
      one.pretext && h("div", {}, mrkdwn(one.pretext)),
      one.title && h("b", {}, plain(one.title)),
      one.text && h("div", {}, mrkdwn(one.text)),
    ];
    return h(
      "div",
      { class: "attachment", style: colour },
      one.blocks ? blocks(one.blocks, surface) : classic,
    );
  });
}

function files(message) {
  return message.files?.length ? h("div", { class: "files" }, message.files.map(fileNode)) : null;
}

function threadBar(message, openThread) {
  const count = message.reply_count ?? message.replies?.length ?? 0;
  if (!count) return null;
  const replies = message.replies ?? [];
  const people = [...new Set(replies.map((reply) => reply.user))].slice(0, 4);
  const faces = people.map((id) => avatar(id, 22));
  const last = replies.at(-1)?.ts ?? message.latest_reply;
  return h(
    "button",
    {
      type: "button",
      class: "thread-bar",
      data: { testid: "thread-bar" },
      on: { click: () => openThread(message.ts) },
    },
    h("span", { class: "thread-faces" }, faces),
    h("span", { class: "thread-count" }, `${count} ${count === 1 ? "reply" : "replies"}`),
    last && h("span", { class: "thread-last" }, lastReply(last)),
    h("span", { class: "thread-open" }, "View thread"),
    icon("right", 16),
  );
}

function lastReply(ts) {
  const recent = Date.now() / 1000 - ts < 86_400;
  return ["Last reply ", recent ? dateNode(Number(ts), "{ago}") : `${dayLabel(ts)} at ${time(ts)}`];
}
