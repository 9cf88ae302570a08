import { h } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "welcomed";

// The first thing to try, for who has never been here; it goes for good once used or dismissed.
export class Welcome {
  #example = h("code", {});

  constructor(fill) {
    const use = () => {
      this.done();
      fill(this.#example.textContent);
    };
    this.node = h(
      "div",
      { class: "welcome", hidden: true, data: { testid: "welcome" } },
      h("span", { class: "welcome-spark" }, icon("bolt", 18)),
      h("span", {}, "Try: ", this.#example),
      h(
        "button",
        {
          type: "button",
          class: "button primary small",
          data: { testid: "welcome-fill" },
          on: { click: use },
        },
        "Fill it in",
      ),
      h(
        "button",
        { type: "button", class: "ghost", "aria-label": "Dismiss", on: { click: () => this.done() } },
        icon("close", 16),
      ),
    );
  }

  show(wanted, example = "") {
    this.#example.textContent = example;
    this.node.hidden = !wanted || !example || localStorage.getItem(KEY) === "yes";
  }

  done() {
    localStorage.setItem(KEY, "yes");
    this.node.hidden = true;
  }
}
