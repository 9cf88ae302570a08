import { h } from "./dom.js";
import { appAvatar } from "./people.js";
import { state } from "./state.js";

export function appConversation() {
  return state.channels.find((channel) => channel.is_im);
}

// The app's own place has two sides: the Home that it draws, and what it said to this person alone.
export function appHead(active) {
  const direct = appConversation();
  return [
    h(
      "header",
      { class: "home-head" },
      appAvatar(36),
      h("h2", {}, "Runbolt"),
      h("span", { class: "badge" }, "APP"),
    ),
    h(
      "nav",
      { class: "home-tabs", "aria-label": "Runbolt" },
      tab("Home", active === "home", { app: "home" }, new CustomEvent("open-home")),
      direct &&
        tab(
          "Messages",
          active === "messages",
          { channel: direct.name },
          new CustomEvent("open-channel", { detail: direct.name }),
        ),
    ),
  ];
}

function tab(words, active, data, event) {
  const open = () => document.dispatchEvent(event);
  return h(
    "button",
    {
      type: "button",
      class: active ? "tab active" : "tab",
      "aria-current": active ? "page" : null,
      data,
      on: { click: open },
    },
    words,
  );
}
