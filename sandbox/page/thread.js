import { Composer } from "./composer.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { MessageList, messageRows } from "./messages.js";
import { state } from "./state.js";

export class Thread {
  #list = new MessageList({ label: "Thread", jump: "thread-jump" });
  #subtitle = h("span", { class: "thread-place" });

  constructor(close) {
    const shut = h(
      "button",
      {
        type: "button",
        class: "ghost",
        "aria-label": "Close thread",
        data: { testid: "thread-close" },
        on: { click: close },
      },
      icon("close"),
    );
    this.composer = new Composer({
      testid: "thread-composer",
      thread: () => state.thread,
      sent: () => this.#list.toEnd(),
    });
    this.node = h(
      "aside",
      { class: "thread", hidden: true, "aria-label": "Thread", data: { testid: "thread-panel" } },
      h("header", { class: "thread-head" }, h("h2", {}, "Thread", this.#subtitle), shut),
      this.#list.node,
      this.composer.node,
    );
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) close();
    });
  }

  draw() {
    const root = state.messages.find((message) => message.ts === state.thread && !message.ephemeral);
    this.node.hidden = !root || state.page !== "channel";
    document.body.classList.toggle("with-thread", !this.node.hidden);
    if (this.node.hidden) return;
    replace(this.#subtitle, `#${state.channel}`);
    const replies = root.replies ?? [];
    const rows = [
      ...messageRows([root], { inThread: true }),
      countRow(replies.length),
      ...messageRows(replies, { inThread: true }),
    ];
    this.#list.draw(`${state.person}/${root.ts}`, rows);
    this.composer.show(`${state.person}/${root.ts}`, "Reply…");
  }
}

function countRow(count) {
  const label = count === 1 ? "1 reply" : `${count} replies`;
  return {
    key: "count",
    signature: label,
    node: () =>
      h("div", { class: count ? "reply-count" : "reply-count none" }, count ? h("span", {}, label) : null),
  };
}
