import { get } from "./api.js";
import { trapFocus } from "./dialog.js";
import { h, reconcile, replace } from "./dom.js";
import { icon } from "./icons.js";

const REFRESH = 1500;
const SHOWN = 200;

// Behind the gear: what this sandbox is made of, for people who want to look underneath.
export class Inspector {
  #lines = h("div", { class: "connect" });
  #calls = h("div", { class: "calls", role: "list", data: { testid: "calls" } });
  #filter = h("input", {
    class: "field",
    type: "search",
    placeholder: "Filter by method",
    "aria-label": "Filter by method",
  });
  #timer = null;
  #all = [];

  constructor() {
    const close = () => this.close();
    const head = h(
      "header",
      { class: "modal-head" },
      h("h2", {}, "Under the sandbox"),
      h(
        "button",
        {
          type: "button",
          class: "ghost",
          "aria-label": "Close",
          data: { testid: "inspector-close" },
          on: { click: close },
        },
        icon("close"),
      ),
    );
    this.box = h(
      "div",
      {
        class: "inspector",
        role: "dialog",
        "aria-modal": "true",
        "aria-label": "Under the sandbox",
        data: { testid: "inspector" },
      },
      head,
      h(
        "div",
        { class: "modal-body" },
        h("h3", {}, "Connect to it"),
        this.#lines,
        h("h3", {}, "Calls to Slack's Web API"),
        this.#filter,
        this.#calls,
      ),
    );
    this.node = h(
      "div",
      { class: "layer", hidden: true, on: { click: (event) => event.target === this.node && close() } },
      this.box,
    );
    trapFocus(this.box);
    this.#filter.addEventListener("input", () => this.#drawCalls());
    this.node.addEventListener("keydown", (event) => event.key === "Escape" && close());
  }

  async open() {
    this.back = document.activeElement;
    this.node.hidden = false;
    this.#filter.focus();
    this.#drawLines(await get("info").catch(() => null));
    this.#load();
    this.#timer = setInterval(() => this.#load(), REFRESH);
  }

  close() {
    this.node.hidden = true;
    clearInterval(this.#timer);
    this.back?.focus();
  }

  #drawLines(info) {
    const lines = [info?.kubeconfig && `export KUBECONFIG=${info.kubeconfig}`, ...(info?.lines ?? [])].filter(
      Boolean,
    );
    replace(
      this.#lines,
      lines.length
        ? lines.map(copyLine)
        : h("p", { class: "quiet" }, "The terminal that started the sandbox shows how."),
    );
  }

  async #load() {
    const answer = await get("calls").catch(() => null);
    if (!answer) return;
    this.#all = answer.calls;
    this.#drawCalls();
  }

  #drawCalls() {
    const wanted = this.#filter.value.trim().toLowerCase();
    const wantedCalls = this.#all
      .map((call, index) => ({ call, index }))
      .filter(({ call }) => call.method.toLowerCase().includes(wanted))
      .slice(-SHOWN)
      .reverse();
    reconcile(this.#calls, wantedCalls, {
      key: ({ index }) => String(index),
      signature: ({ call }) => `${call.method} ${call.time} ${call.status}`,
      draw: ({ call }) => callRow(call),
    });
  }
}

function copyLine(line) {
  const copy = h(
    "button",
    {
      type: "button",
      class: "ghost",
      "aria-label": "Copy",
      title: "Copy",
      on: { click: () => navigator.clipboard?.writeText(line) },
    },
    icon("copy", 16),
  );
  return h("div", { class: "connect-line" }, h("code", {}, line), copy);
}

function callRow(call) {
  const good = call.answer.ok !== false;
  const summary = h(
    "summary",
    {},
    h("span", { class: `dot ${good ? "good" : "bad"}` }),
    h("time", {}, new Date(call.time * 1000).toLocaleTimeString("en-GB")),
    h("b", {}, call.method),
    h("span", { class: "call-note" }, good ? "" : call.answer.error),
  );
  return h(
    "details",
    { class: "call", role: "listitem", data: { method: call.method } },
    summary,
    h("pre", {}, JSON.stringify(call.arguments, null, 2)),
    h("pre", {}, JSON.stringify(call.answer, null, 2)),
  );
}
