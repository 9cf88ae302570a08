import { appConversation, appHead } from "./apphead.js";
import { blocks } from "./blocks.js";
import { h, redraw } from "./dom.js";

import { viewSurface } from "./surface.js";

export function drawHome(node, view) {
  redraw(node, [view ?? null, appConversation()?.id ?? null], () => home(view));
}

function home(view) {
  const body = view?.blocks?.length
    ? blocks(view.blocks, viewSurface(view))
    : h("p", { class: "quiet" }, "Runbolt has nothing to show here yet.");
  return [
    ...appHead("home"),
    h(
      "div",
      { class: "home-scroll", tabindex: 0, role: "region", "aria-label": "Runbolt's Home" },
      h("div", { class: "home-body blocks", data: { testid: "home", viewId: view?.id } }, body),
    ),
  ];
}
