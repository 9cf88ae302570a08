import { attempt, post, Refusal } from "./api.js";
import { drawBlocks } from "./blocks.js";
import { trapFocus } from "./dialog.js";
import { focusMark, restoreFocus } from "./focus.js";
import { h, reconcile, redraw, replace } from "./dom.js";
import { icon } from "./icons.js";
import { textNode } from "./mrkdwn.js";
import { appAvatar } from "./people.js";
import { closeOrphan } from "./popup.js";
import { viewSurface } from "./surface.js";
import { toast } from "./toast.js";
import { problems } from "./validation.js";

const layer = h("div", { class: "layer", hidden: true });
const modals = new WeakMap();
let back = null;
let changed = () => {};

export function mountModals(parent, onChange) {
  parent.append(layer);
  changed = onChange;
  layer.addEventListener("keydown", (event) => {
    if (event.key === "Escape") layer.lastElementChild?.querySelector("[data-testid=modal-close]")?.click();
  });
}

// The whole stack is drawn, the newest view on top; the ones below wait behind it.
export function drawModals(views) {
  const wasOpen = !layer.hidden;
  if (!wasOpen && views.length) back = document.activeElement;
  const [mark, top] = [focusMark(), layer.lastElementChild];
  reconcile(layer, views, { key: (view) => view.id, signature: (view) => view.id, draw: newModal });
  views.forEach((view, index) => modals.get(layer.children[index]).draw(view, index > 0));
  layer.hidden = views.length === 0;
  [...layer.children].forEach((node, index) => node.toggleAttribute("inert", index < views.length - 1));
  closeOrphan();
  if (views.length) refocus(mark, layer.lastElementChild === top);
  else if (wasOpen) back?.focus?.();
}

const FIRST = ".modal-body :is(input:not([type=checkbox], [type=radio]), textarea, .select, button)";

// Where the person was before the view was drawn anew; else where the app wants them; else the first field.
function refocus(mark, drawnAnew) {
  const top = layer.lastElementChild;
  if (top.contains(document.activeElement) || restoreFocus(top, mark)) return;
  ["[data-first]", FIRST, ".ghost"]
    .map((selector) => top.querySelector(selector))
    .find(Boolean)
    ?.focus({ preventScroll: drawnAnew });
}

function newModal(view) {
  const modal = new Modal(view);
  modals.set(modal.node, modal);
  return modal.node;
}

// One form. A view that is drawn anew keeps its frame, and every block that stayed as it was: with that the place
// one has scrolled to, what is being typed and the list that is open.
class Modal {
  #view;
  #title = h("h2");
  #body = h("div", { class: "modal-body" });
  #leave = h("button", { type: "button", class: "ghost", data: { testid: "modal-close" } });
  #cancel = h("button", { type: "button", class: "button", data: { testid: "modal-cancel" } });
  #submit = h("button", { type: "submit", class: "button primary", data: { testid: "modal-submit" } });

  constructor(view) {
    this.#title.id = `title-${view.id}`;
    this.node = h(
      "form",
      {
        class: "modal",
        role: "dialog",
        "aria-modal": "true",
        "aria-labelledby": this.#title.id,
        novalidate: true,
        data: { viewId: view.id, testid: "modal" },
      },
      h("header", { class: "modal-head" }, appAvatar(28), this.#title, this.#leave),
      this.#body,
      h("footer", { class: "modal-foot" }, this.#cancel, this.#submit),
    );
    for (const button of [this.#leave, this.#cancel])
      button.addEventListener("click", () => dismiss(this.#view));
    for (const button of [this.#leave, this.#submit]) button.dataset.viewId = view.id;
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#view.submit) this.#send();
    });
    trapFocus(this.node);
  }

  draw(view, stacked) {
    this.#view = view;
    this.node.dataset.callbackId = view.callback_id;
    this.#leave.setAttribute("aria-label", stacked ? "Back" : "Close");
    redraw(this.#leave, stacked, () => icon(stacked ? "back" : "close"));
    redraw(this.#title, view.title, () => textNode(view.title));
    redraw(this.#cancel, view.close ?? null, () => textNode(view.close ?? "Cancel"));
    redraw(this.#submit, view.submit ?? null, () => textNode(view.submit ?? "Submit"));
    this.#submit.hidden = !view.submit;
    if (view.blocks?.length) drawBlocks(this.#body, view.blocks, viewSurface(view));
    else redraw(this.#body, "loading", loading);
  }

  async #send() {
    const { blocks } = this.#view;
    const { form } = viewSurface(this.#view);
    const found = problems(blocks, form);
    showProblems(this.node, found);
    if (Object.keys(found).length || this.#submit.getAttribute("aria-busy") === "true") return;
    this.#submit.setAttribute("aria-busy", "true");
    try {
      const answer = await post("submit", { view_id: this.#view.id, values: form.values(blocks) });
      showProblems(this.node, answer.errors ?? {});
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.answer.errors) showProblems(this.node, refusal.answer.errors);
      else toast(refusal.message);
    }
    this.#submit.removeAttribute("aria-busy");
    changed();
  }
}

function loading() {
  return h("div", { class: "loading", role: "status" }, h("span", { class: "spinner" }), "Loading…");
}

async function dismiss(view) {
  await attempt(post("close", { view_id: view.id }));
  changed();
}

function showProblems(form, found) {
  for (const place of form.querySelectorAll("[data-problem]")) {
    const words = found[place.dataset.problem];
    replace(place, words && [icon("alert", 14), words]);
    place.closest(".block").classList.toggle("invalid", Boolean(words));
  }
  form.querySelector(".invalid :is(input, textarea, .select)")?.focus();
}
