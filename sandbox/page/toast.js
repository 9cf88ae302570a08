import { h } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN_FOR = 7000;

function shelf() {
  return document.getElementById("toasts");
}

export function clearToasts() {
  shelf().replaceChildren();
}

export function toast(sentence, kind = "error") {
  const close = () => node.remove();
  const node = h(
    "div",
    { class: `toast toast-${kind}`, role: kind === "error" ? "alert" : "status", data: { testid: "toast" } },
    icon(kind === "error" ? "alert" : "info", 18),
    h("span", {}, sentence),
    h(
      "button",
      { type: "button", class: "ghost", "aria-label": "Dismiss", on: { click: close } },
      icon("close", 16),
    ),
  );
  shelf().append(node);
  setTimeout(close, SHOWN_FOR);
}
