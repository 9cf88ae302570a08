import { h } from "./dom.js";

let current = null;

export function closePopup() {
  current?.close();
}

// In a form, what opened it may be gone: its block was drawn anew, or the form was closed.
export function closeOrphan() {
  if (current?.node.closest(".modal") && !current.anchor.isConnected) closePopup();
}

// One popup at a time, beside what opened it; Esc and a press elsewhere close it.
export function openPopup(anchor, content, { label, className = "", side = "below" } = {}) {
  closePopup();
  const node = h(
    "div",
    { class: `popup ${className}`, role: "dialog", "aria-label": label, data: { testid: "popup" } },
    content,
  );
  const popup = { anchor, node, close };
  // Inside a modal the popup must be its child, or the modal's focus trap would pull focus back.
  (anchor.closest(".modal") ?? document.body).append(node);
  if (anchor.matches(".select")) node.style.minWidth = `${anchor.offsetWidth}px`;
  place(node, anchor.getBoundingClientRect(), side);
  anchor.setAttribute("aria-expanded", "true");

  function outside(event) {
    if (!node.contains(event.target) && !anchor.contains(event.target)) close();
  }
  function escape(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    event.preventDefault();
    anchor.focus();
    close();
  }
  function close() {
    if (current !== popup) return;
    current = null;
    node.remove();
    anchor.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    document.removeEventListener("keydown", escape, true);
  }

  document.addEventListener("pointerdown", outside, true);
  document.addEventListener("keydown", escape, true);
  current = popup;
  return popup;
}

function place(node, box, side) {
  const gap = 6;
  const [width, height] = [node.offsetWidth, node.offsetHeight];
  const below = box.bottom + gap;
  const above = box.top - gap - height;
  const fits = below + height < innerHeight - gap;
  const top = (side === "above" && above > gap) || !fits ? Math.max(gap, above) : below;
  const wanted = side === "end" ? box.right - width : box.left;
  node.style.top = `${top}px`;
  node.style.left = `${Math.max(gap, Math.min(wanted, innerWidth - width - gap))}px`;
}

export function openMenu(anchor, items, { label, side = "end" } = {}) {
  const buttons = items.map((item) => (item ? menuItem(item) : h("hr")));
  const popup = openPopup(anchor, h("div", { class: "menu", role: "menu", on: { keydown: walk } }, buttons), {
    label,
    side,
  });
  popup.node.querySelector("[role=menuitem]")?.focus();
  return popup;
}

function menuItem({ words, note, press, data, danger }) {
  const run = () => {
    closePopup();
    press();
  };
  const props = {
    type: "button",
    role: "menuitem",
    class: danger ? "danger" : null,
    data,
    on: { click: run },
  };
  return h("button", props, h("span", {}, words), note && h("small", {}, note));
}

function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll("[role=menuitem]")];
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length]?.focus();
}
