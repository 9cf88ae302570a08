import { attempt, post } from "./api.js";
import { h, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { pointerReleased } from "./pointer.js";
import { closePopup, openPopup } from "./popup.js";
import { state } from "./state.js";
import { fetchScenarios } from "./store.js";

const REFRESH = 1500;
const ALL_WELL = {
  name: "all-well",
  title: "All well again",
  tells: "Ends whatever is broken, and puts right what it left behind.",
};

// The sandbox's own panel, outside of what imitates Slack: which scenario of the playbooks is true.
export class Breaker {
  #list = h("div", { class: "breaker-list" });
  #fill;
  #timer = null;
  #pressed = null;

  constructor(button, fill) {
    this.#fill = fill;
    button.prepend(icon("wrench", 16));
    button.addEventListener("click", () => this.#open(button));
  }

  async #open(button) {
    await this.#refresh();
    const popup = openPopup(
      button,
      [h("p", { class: "breaker-lead" }, "One press makes a scenario of a playbook true."), this.#list],
      { label: "Make something break", className: "breaker" },
    );
    this.#list.querySelector("button")?.focus();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => (popup.node.isConnected ? this.#refresh() : this.#stop()), REFRESH);
  }

  #stop() {
    clearInterval(this.#timer);
  }

  async #refresh() {
    await fetchScenarios().catch(() => null);
    await pointerReleased();
    this.draw();
  }

  draw() {
    const shown = [state.scenarios, state.changing, this.#pressed];
    redraw(this.#list, shown, () => [...this.#services(), this.#row(ALL_WELL)]);
  }

  #services() {
    const names = [...new Set(state.scenarios.map((one) => one.service))];
    return names.map((name) =>
      h(
        "section",
        { class: "breaker-service" },
        h("h2", {}, name),
        state.scenarios.filter((one) => one.service === name).map((one) => this.#row(one)),
      ),
    );
  }

  #row(one) {
    const busy = this.#pressed === one.name;
    const kinds = ["breaker-row", one.holds && "holds", one === ALL_WELL && "well"].filter(Boolean);
    return h(
      "div",
      { class: kinds.join(" ") },
      h(
        "button",
        {
          type: "button",
          class: "breaker-button",
          disabled: state.changing || this.#pressed !== null,
          data: { scenario: one.name },
          on: { click: () => this.#press(one) },
        },
        h("b", {}, one.title),
        (busy || one.holds) && h("em", {}, busy ? "…" : "true now"),
        h("span", {}, one.tells),
      ),
      one.holds && this.#then(one.then),
      one.holds && one.elsewhere.length > 0 && this.#elsewhere(one.elsewhere),
    );
  }

  #then(words) {
    const use = () => {
      closePopup();
      this.#fill(words);
    };
    return h(
      "div",
      { class: "breaker-then" },
      "Now type ",
      h("code", {}, words),
      h(
        "button",
        { type: "button", class: "breaker-fill", data: { testid: "breaker-fill" }, on: { click: use } },
        "Fill it in",
      ),
    );
  }

  // What the playbook leaves to people outside of Slack.
  #elsewhere(acts) {
    return h(
      "div",
      { class: "breaker-elsewhere" },
      "Elsewhere",
      acts.map((act) =>
        h(
          "button",
          {
            type: "button",
            disabled: state.changing || this.#pressed !== null,
            data: { elsewhere: act.name },
            on: { click: () => this.#press(act, "elsewhere") },
          },
          act.title,
        ),
      ),
    );
  }

  async #press(one, path = "scenario") {
    this.#pressed = one.name;
    this.draw();
    await attempt(post(path, { name: one.name }));
    this.#pressed = null;
    await this.#refresh();
  }
}
