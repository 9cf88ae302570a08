import { attempt, post, Refusal } from "./api.js";
import { blocks } from "./blocks.js";
import { trapFocus } from "./dialog.js";
import { h, reconcile, replace } from "./dom.js";
import { icon } from "./icons.js";
import { textNode } from "./mrkdwn.js";
import { appAvatar } from "./people.js";
import { closePopup } from "./popup.js";
import { viewSurface } from "./surface.js";
import { toast } from "./toast.js";
import { problems } from "./validation.js";

const layer = h("div", { class: "layer", hidden: true });
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
  const focused = focusMark();
  reconcile(layer, views, {
    key: (view) => view.id,
    signature: (view) => JSON.stringify(view),
    draw: (view) => modal(view, views[0] !== view),
  });
  layer.hidden = views.length === 0;
  [...layer.children].forEach((node, index) => node.toggleAttribute("inert", index < views.length - 1));
  if (views.length) refocus(focused);
  else if (wasOpen) {
    closePopup();
    back?.focus?.();
  }
}

function focusMark() {
  const { actionId, blockId } = document.activeElement?.dataset ?? {};
  return actionId
    ? `[data-action-id="${CSS.escape(actionId)}"][data-block-id="${CSS.escape(blockId ?? "")}"]`
    : null;
}

const FIRST = ".modal-body :is(input:not([type=checkbox], [type=radio]), textarea, .select, button)";

// Where the person was before the view was drawn anew; else where the app wants them; else the first field.
function refocus(mark) {
  const top = layer.lastElementChild;
  if (top.contains(document.activeElement)) return;
  const wanted = [mark, "[data-first]", FIRST, ".ghost"].filter(Boolean);
  wanted
    .map((selector) => top.querySelector(selector))
    .find(Boolean)
    ?.focus();
}

function modal(view, stacked) {
  const surface = viewSurface(view);
  const body = h(
    "div",
    { class: "modal-body" },
    view.blocks?.length ? blocks(view.blocks, surface) : loading(),
  );
  const close = () => dismiss(view);
  const submit = h(
    "button",
    { type: "submit", class: "button primary", data: { testid: "modal-submit", viewId: view.id } },
    textNode(view.submit ?? "Submit"),
  );
  const cancel = h(
    "button",
    { type: "button", class: "button", data: { testid: "modal-cancel" }, on: { click: close } },
    textNode(view.close ?? "Cancel"),
  );
  const title = `title-${view.id}`;
  const form = h(
    "form",
    {
      class: "modal",
      role: "dialog",
      "aria-modal": "true",
      "aria-labelledby": title,
      novalidate: true,
      data: { viewId: view.id, callbackId: view.callback_id, testid: "modal" },
    },
    h(
      "header",
      { class: "modal-head" },
      appAvatar(28),
      h("h2", { id: title }, textNode(view.title)),
      h(
        "button",
        {
          type: "button",
          class: "ghost",
          "aria-label": stacked ? "Back" : "Close",
          data: { testid: "modal-close", viewId: view.id },
          on: { click: close },
        },
        icon(stacked ? "back" : "close"),
      ),
    ),
    body,
    h("footer", { class: "modal-foot" }, cancel, view.submit ? submit : null),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (view.submit) send(view, surface, form, submit);
  });
  trapFocus(form);
  return form;
}

function loading() {
  return h("div", { class: "loading", role: "status" }, h("span", { class: "spinner" }), "Loading…");
}

async function dismiss(view) {
  await attempt(post("close", { view_id: view.id }));
  changed();
}

async function send(view, surface, form, button) {
  const found = problems(view.blocks, surface.form);
  showProblems(form, found);
  if (Object.keys(found).length || button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await post("submit", { view_id: view.id, values: surface.form.values(view.blocks) });
    showProblems(form, answer.errors ?? {});
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (refusal.answer.errors) showProblems(form, refusal.answer.errors);
    else toast(refusal.message);
  }
  button.removeAttribute("aria-busy");
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
