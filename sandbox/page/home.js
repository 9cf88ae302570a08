import { blocks } from "./blocks.js";
import { h, redraw } from "./dom.js";
import { appAvatar } from "./people.js";
import { viewSurface } from "./surface.js";

export function drawHome(node, view) {
  redraw(node, [view ?? null], () => home(view));
}

function home(view) {
  const body = view?.blocks?.length
    ? blocks(view.blocks, viewSurface(view))
    : h("p", { class: "quiet" }, "Runbolt has nothing to show here yet.");
  return [
    h(
      "header",
      { class: "home-head" },
      appAvatar(36),
      h("h2", {}, "Runbolt"),
      h("span", { class: "badge" }, "APP"),
    ),
    h("div", { class: "home-tabs" }, h("span", { class: "tab active" }, "Home")),
    h(
      "div",
      { class: "home-scroll", tabindex: 0, role: "region", "aria-label": "Runbolt's Home" },
      h("div", { class: "home-body blocks", data: { testid: "home", viewId: view?.id } }, body),
    ),
  ];
}
