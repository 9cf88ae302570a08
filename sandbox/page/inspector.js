import { get } from "./api.js";
import { trapFocus } from "./dialog.js";
import { h, replace } from "./dom.js";
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
    this.#all = Array.isArray(answer) ? answer : (answer.calls ?? []);
    this.#drawCalls();
  }

  #drawCalls() {
    const wanted = this.#filter.value.trim().toLowerCase();
    const open = new Set([...this.#calls.querySelectorAll("details[open]")].map((node) => node.dataset.call));
    const numbered = this.#all
      .map((call, index) => ({ call, index }))
      .filter(({ call }) => call.method.toLowerCase().includes(wanted));
    replace(
      this.#calls,
      numbered
        .slice(-SHOWN)
        .reverse()
        .map(({ call, index }) => callRow(call, String(index), open)),
    );
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

function callRow(call, index, open) {
  const answer = call.answer ?? call.response ?? {};
  const good = answer.ok !== false;
  const at = Number(call.time ?? call.at);
  const clock = Number.isFinite(at)
    ? new Date(at * 1000).toLocaleTimeString("en-GB")
    : String(call.time ?? "");
  const summary = h(
    "summary",
    {},
    h("span", { class: `dot ${good ? "good" : "bad"}` }),
    h("time", {}, clock),
    h("b", {}, call.method),
    h("span", { class: "call-note" }, good ? "" : answer.error),
  );
  return h(
    "details",
    { class: "call", role: "listitem", open: open.has(index), data: { call: index, method: call.method } },
    summary,
    h("pre", {}, JSON.stringify(call.arguments ?? call.args ?? {}, null, 2)),
    h("pre", {}, JSON.stringify(answer, null, 2)),
  );
}
