import { h } from "./dom.js";
import { textNode } from "./mrkdwn.js";

const FOCUSABLE =
  "button:not(:disabled), [href], input:not(:disabled), textarea:not(:disabled), select:not(:disabled), [tabindex='0']";

// Tab goes round inside the dialog.
export function trapFocus(node) {
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const stops = [...node.querySelectorAll(FOCUSABLE)].filter((stop) => stop.offsetParent !== null);
    const [first, last] = [stops[0], stops.at(-1)];
    const edge = event.shiftKey ? first : last;
    if (document.activeElement !== edge && node.contains(document.activeElement)) return;
    event.preventDefault();
    (event.shiftKey ? last : first)?.focus();
  });
}

export function confirmed(spec) {
  return new Promise((settle) => {
    const back = document.activeElement;
    const done = (answer) => {
      layer.remove();
      back?.focus?.();
      settle(answer);
    };
    const yes = h(
      "button",
      {
        type: "button",
        class: `button ${spec.style === "danger" ? "danger" : "primary"}`,
        data: { testid: "confirm-yes" },
        on: { click: () => done(true) },
      },
      textNode(spec.confirm ?? "Yes"),
    );
    const no = h(
      "button",
      { type: "button", class: "button", data: { testid: "confirm-no" }, on: { click: () => done(false) } },
      textNode(spec.deny ?? "No"),
    );
    const title = h("h2", { id: "confirm-title" }, textNode(spec.title ?? "Are you sure?"));
    const box = h(
      "div",
      {
        class: "confirm",
        role: "alertdialog",
        "aria-modal": "true",
        "aria-labelledby": "confirm-title",
        data: { testid: "confirm" },
      },
      title,
      h("p", {}, textNode(spec.text)),
      h("footer", {}, no, yes),
    );
    const layer = h("div", { class: "layer layer-confirm" }, box);
    trapFocus(box);
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      done(false);
    });
    document.body.append(layer);
    yes.focus();
  });
}
