import { dayKey, dayLabel } from "./dates.js";
import { h, reconcile } from "./dom.js";
import { icon } from "./icons.js";
import { messageNode, updateMessage } from "./message.js";
import { channelNames } from "./people.js";
import { pointerReleased } from "./pointer.js";
import { state } from "./state.js";

const TOGETHER = 5 * 60;
const NEAR = 60;
const JUST_PRESSED = 400;

// Whom a message was drawn for, and with which names: for others its blocks are drawn anew.
const contexts = new WeakMap();

// One scrolling list of messages; the channel and the thread each have one.
export class MessageList {
  #list = h("div", { class: "list", role: "log", "aria-live": "polite", "aria-relevant": "additions" });
  #jump = h("button", { type: "button", class: "jump", hidden: true }, icon("down", 16), "New messages");
  #place = null;
  #known = 0;
  #stuck = true;

  constructor({ label, jump, openThread }) {
    this.openThread = openThread;
    this.#jump.dataset.testid = jump;
    this.#list.setAttribute("aria-label", label);
    this.scroller = h(
      "div",
      { class: "scroller", tabindex: 0, role: "region", "aria-label": label },
      this.#list,
    );
    this.node = h("div", { class: "scroller-frame" }, this.scroller, this.#jump);
    this.#jump.addEventListener("click", () => this.toEnd("smooth"));
    this.#list.addEventListener("keydown", walk);
    this.#stayAtEnd();
  }

  // A composer that grows, a smaller window or a file that arrives late must not push the newest message
  // out of sight; but what a person unfolds stays under the pointer.
  #stayAtEnd() {
    let height = 0;
    let pressed = -Infinity;
    this.#list.addEventListener("click", () => (pressed = performance.now()));
    this.scroller.addEventListener("scroll", () => {
      if (this.scroller.clientHeight === height) this.#stuck = this.#atEnd();
      if (this.#atEnd()) this.#jump.hidden = true;
    });
    const observer = new ResizeObserver(async () => {
      height = this.scroller.clientHeight;
      await pointerReleased();
      if (this.#stuck && performance.now() - pressed > JUST_PRESSED) this.toEnd();
    });
    observer.observe(this.scroller);
    observer.observe(this.#list);
  }

  #atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }

  toEnd(behavior = "instant") {
    this.#stuck = true;
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior });
    this.#jump.hidden = true;
  }

  // `place` tells whether this is still the same conversation; `intro` stands above the first message.
  draw(place, rows) {
    const moved = place !== this.#place;
    const stick = moved || this.#stuck;
    const count = rows.filter((row) => row.message).length;
    reconcile(this.#list, rows, {
      key: (row) => row.key,
      signature: (row) => row.signature,
      draw: (row) => this.#row(row),
      update: (node, row) => this.#update(node, row),
    });
    if (stick) this.toEnd();
    else if (count > this.#known) this.#jump.hidden = false;
    this.#place = place;
    this.#known = count;
  }

  #row(row) {
    if (row.node) return row.node();
    const node = messageNode(row.message, { ...row, openThread: this.openThread });
    contexts.set(node, row.context);
    return node;
  }

  #update(node, row) {
    if (row.node || contexts.get(node) !== row.context) return null;
    return updateMessage(node, row.message, { ...row, openThread: this.openThread });
  }
}

// Up and down go from message to message; Tab goes into the one that is focused.
function walk(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (!step || !event.target.matches(".message")) return;
  let next = event.target[step];
  while (next && !next.matches(".message")) next = next[step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

export function messageRows(messages, { inThread = false, unreadFrom = null } = {}) {
  const rows = [];
  let before = null;
  for (const message of messages) {
    const newDay = !before || dayKey(before.ts) !== dayKey(message.ts);
    if (newDay && !inThread) rows.push(dayRow(message));
    const firstUnread = message.ts === unreadFrom && !message.ephemeral;
    if (firstUnread) rows.push(unreadRow());
    rows.push(messageRow(message, !newDay && !firstUnread && together(before, message), inThread));
    before = message;
  }
  return rows;
}

function together(before, message) {
  const plainBoth = [before, message].every((one) => !one.ephemeral && !one.pinned && !one.subtype);
  return (
    plainBoth && before.user === message.user && message.ts - before.ts < TOGETHER && !before.reply_count
  );
}

function messageRow(message, grouped, inThread) {
  const words = JSON.stringify(message);
  const context = [state.person, /<#|channel_id/.test(words) ? channelNames() : ""].join();
  return {
    key: `${message.ephemeral ? "e" : "m"}${message.ts}`,
    signature: [context, grouped, inThread, words].join(),
    context,
    message,
    grouped,
    inThread,
  };
}

function dayRow(message) {
  const label = dayLabel(message.ts);
  return {
    key: `day${dayKey(message.ts)}`,
    signature: label,
    node: () => h("div", { class: "day", role: "separator", "aria-label": label }, h("span", {}, label)),
  };
}

function unreadRow() {
  return {
    key: "unread",
    signature: "unread",
    node: () =>
      h(
        "div",
        { class: "unread-line", role: "separator", "aria-label": "New messages" },
        h("span", {}, "New"),
      ),
  };
}
