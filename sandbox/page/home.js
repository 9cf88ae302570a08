import { appConversation, appHead } from "./apphead.js";
import { drawBlocks } from "./blocks.js";
import { focusMark, restoreFocus } from "./focus.js";
import { h, redraw, replace } from "./dom.js";
import { viewSurface } from "./surface.js";

const head = h("div", { class: "home-top" });
const body = h("div", { class: "home-body blocks", data: { testid: "home" } });
const scroller = h(
  "div",
  { class: "home-scroll", tabindex: 0, role: "region", "aria-label": "Runbolt's Home" },
  body,
);

export function drawHome(node, view) {
  if (!scroller.isConnected) replace(node, head, scroller);
  const mark = body.contains(document.activeElement) ? focusMark() : null;
  redraw(head, appConversation()?.id ?? null, () => appHead("home"));
  body.dataset.viewId = view?.id ?? "";
  if (view?.blocks?.length) drawBlocks(body, view.blocks, viewSurface(view));
  else redraw(body, "nothing", () => h("p", { class: "quiet" }, "Runbolt has nothing to show here yet."));
  if (mark && !body.contains(document.activeElement)) restoreFocus(body, mark);
}
