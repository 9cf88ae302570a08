import { attempt, post } from "./api.js";
import { blocks } from "./blocks.js";
import { ago, dayLabel, fullTime, time } from "./dates.js";
import { h, replace } from "./dom.js";
import { emoji, emojiNames } from "./emoji.js";
import { fileNode } from "./files.js";
import { icon } from "./icons.js";
import { mrkdwn, plain } from "./mrkdwn.js";
import { appAvatar, avatar, displayName, person } from "./people.js";
import { closePopup, openMenu, openPopup } from "./popup.js";
import { state } from "./state.js";
import { messageSurface } from "./surface.js";

const QUICK = ["pushpin", "eyes", "white_check_mark"];

export function isApp(message) {
  return Boolean(message.bot_id || message.bot || person(message.user)?.is_bot);
}

export function author(message) {
  return message.user ?? message.bot_id ?? message.bot;
}

function authorName(message) {
  return message.username ?? (person(author(message)) ? displayName(author(message)) : isApp(message) ? "Runbolt" : author(message));
}

export function react(message, name) {
  return attempt(post("react", { channel: state.channel, ts: message.ts, name }));
}

export function messageNode(message, { grouped = false, inThread = false, openThread }) {
  if (message.subtype?.startsWith("channel_")) return systemNode(message);
  const kinds = ["message", grouped && "grouped", message.ephemeral && "ephemeral", message.pinned && "pinned"];
  return h(
    "article",
    { class: kinds.filter(Boolean).join(" "), tabindex: -1, "aria-label": `${authorName(message)}, ${time(message.ts)}`, data: { ts: message.ts, testid: "message", user: author(message), ephemeral: message.ephemeral ? "true" : null, pinned: message.pinned ? "true" : null } },
    marker(message),
    h("div", { class: "message-gutter" }, grouped ? stamp(message, "stamp-gutter") : face(message)),
    h("div", { class: "message-main" }, grouped ? null : byline(message), body(message), attachments(message), files(message), reactions(message), inThread ? null : threadBar(message, openThread)),
    message.ephemeral ? null : toolbar(message, { inThread, openThread }),
  );
}

function face(message) {
  return isApp(message) ? appAvatar(36) : avatar(author(message), 36);
}

function systemNode(message) {
  return h("article", { class: "message grouped system", data: { ts: message.ts, testid: "message" } }, h("div", { class: "message-gutter" }, stamp(message, "stamp-gutter")), h("div", { class: "message-main" }, h("b", {}, authorName(message)), " ", mrkdwn(message.text)));
}

function stamp(message, className = "") {
  return h("time", { class: `stamp ${className}`, datetime: new Date(message.ts * 1000).toISOString(), title: fullTime(message.ts) }, className ? time(message.ts).replace(/ [AP]M$/, "") : time(message.ts));
}

function byline(message) {
  return h("div", { class: "byline" }, h("span", { class: "author" }, authorName(message)), isApp(message) && h("span", { class: "badge" }, "APP"), stamp(message));
}

function marker(message) {
  if (message.ephemeral) return h("div", { class: "marker" }, icon("eye", 14), "Only visible to you");
  if (message.pinned) return h("div", { class: "marker" }, icon("pin", 14), "Pinned");
  return null;
}

function body(message) {
  const edited = message.edited ? h("span", { class: "edited" }, "(edited)") : null;
  if (message.blocks?.length) return h("div", { class: "blocks" }, blocks(message.blocks, messageSurface(state.channel, message.ts)), edited);
  if (!message.text) return edited;
  return h("div", { class: onlyEmoji(message.text) ? "text jumbo" : "text" }, mrkdwn(message.text), edited && [" ", edited]);
}

function onlyEmoji(text) {
  return /^(:[a-z0-9_+'-]+:\s*){1,3}$/.test(text);
}

function attachments(message) {
  return (message.attachments ?? []).map((one) => {
    const surface = messageSurface(state.channel, message.ts);
    const colour = /^#?[0-9a-f]{6}$/i.test(one.color ?? "") ? `--bar:#${one.color.replace("#", "")}` : null;
    const classic = [one.pretext && h("div", {}, mrkdwn(one.pretext)), one.title && h("b", {}, plain(one.title)), one.text && h("div", {}, mrkdwn(one.text))];
    return h("div", { class: "attachment", style: colour }, one.blocks ? blocks(one.blocks, surface) : classic);
  });
}

function files(message) {
  return message.files?.length ? h("div", { class: "files" }, message.files.map(fileNode)) : null;
}

function reactions(message) {
  if (!message.reactions?.length) return null;
  const me = person(state.person)?.id;
  const chips = message.reactions.map(({ name, users = [], count = users.length }) => {
    const mine = users.includes(me);
    const who = users.map(displayName).join(", ");
    return h("button", { type: "button", class: mine ? "reaction mine" : "reaction", "aria-pressed": String(mine), title: `${who} reacted with :${name}:`, data: { reaction: name }, on: { click: () => react(message, name) } }, emoji(name), h("span", {}, String(count)));
  });
  const add = h("button", { type: "button", class: "reaction add", "aria-label": "Add reaction", on: { click: (event) => pickEmoji(event.currentTarget, (name) => react(message, name)) } }, icon("smile", 16));
  return h("div", { class: "reactions" }, chips, add);
}

function threadBar(message, openThread) {
  const count = message.reply_count ?? message.replies?.length ?? 0;
  if (!count) return null;
  const replies = message.replies ?? [];
  const faces = [...new Set(replies.map(author))].slice(0, 4).map((id) => (person(id)?.is_bot === false ? avatar(id, 22) : replyFace(replies, id)));
  const last = replies.at(-1)?.ts ?? message.latest_reply;
  return h(
    "button",
    { type: "button", class: "thread-bar", data: { testid: "thread-bar", ts: message.ts }, on: { click: () => openThread(message.ts) } },
    h("span", { class: "thread-faces" }, faces),
    h("span", { class: "thread-count" }, `${count} ${count === 1 ? "reply" : "replies"}`),
    last && h("span", { class: "thread-last" }, lastReply(last)),
    h("span", { class: "thread-open" }, "View thread"),
    icon("right", 16),
  );
}

function replyFace(replies, id) {
  const reply = replies.find((one) => author(one) === id);
  return reply && isApp(reply) ? appAvatar(22) : avatar(id, 22);
}

function lastReply(ts) {
  const old = Date.now() / 1000 - ts;
  return old < 86_400 ? `Last reply ${ago(Number(ts))}` : `Last reply ${dayLabel(ts)} at ${time(ts)}`;
}

function toolbar(message, { inThread, openThread }) {
  const quick = QUICK.map((name) => tool(`React with :${name}:`, emoji(name), () => react(message, name), { react: name }));
  const smile = tool("Find another reaction", icon("smile", 18), (event) => pickEmoji(event.currentTarget, (name) => react(message, name)), { testid: "add-reaction" });
  const reply = inThread ? null : tool("Reply in thread", icon("reply", 18), () => openThread(message.ts), { testid: "reply-in-thread" });
  const more = tool("More actions", icon("dots", 18), (event) => moreActions(event.currentTarget, message), { testid: "more-actions" });
  return h("div", { class: "toolbar", role: "toolbar", "aria-label": "Message actions" }, quick, smile, reply, more);
}

function tool(label, content, press, data) {
  return h("button", { type: "button", "aria-label": label, title: label, data, on: { click: press } }, content);
}

function moreActions(anchor, message) {
  const own = state.shortcuts.filter((shortcut) => (shortcut.type ?? "message") === "message").map((shortcut) => ({
    words: shortcut.name,
    note: "Runbolt",
    data: { shortcut: shortcut.callback_id },
    press: () => attempt(post("shortcut", { callback_id: shortcut.callback_id, channel: state.channel, ts: message.ts })),
  }));
  const copy = { words: "Copy text", data: { testid: "copy-text" }, press: () => navigator.clipboard?.writeText(message.text ?? "") };
  // The toolbar stays while its menu is open, wherever the pointer goes.
  const holder = anchor.closest(".message");
  holder.classList.add("held");
  openMenu(anchor, own.length ? [...own, null, copy] : [copy], { label: "More actions", onClose: () => holder.classList.remove("held") });
}

export function pickEmoji(anchor, onPick) {
  const search = h("input", { class: "option-search", type: "text", placeholder: "Search all emoji", "aria-label": "Search all emoji" });
  const grid = h("div", { class: "emoji-grid" });
  const choose = (name) => {
    closePopup();
    onPick(name);
  };
  const draw = () =>
    replace(grid, emojiNames(search.value.trim().toLowerCase()).map((name) => h("button", { type: "button", title: `:${name}:`, "aria-label": name, data: { emoji: name }, on: { click: () => choose(name) } }, emoji(name))));
  search.addEventListener("input", draw);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && grid.firstChild) choose(grid.firstChild.dataset.emoji);
  });
  draw();
  openPopup(anchor, [search, grid], { label: "Emoji", className: "popup-emoji", side: "above" });
  search.focus();
}
