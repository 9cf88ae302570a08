// Where the person is, by names that outlive a redraw: the element, the box in it, and the place in what is typed.
export function focusMark() {
  const node = document.activeElement;
  const element = node?.closest("[data-action-id]");
  if (!element) return null;
  const { actionId, blockId } = element.dataset;
  const own = `[data-action-id="${CSS.escape(actionId)}"][data-block-id="${CSS.escape(blockId ?? "")}"]`;
  const inside = node === element ? "" : ` [data-value="${CSS.escape(node.dataset.value ?? "")}"]`;
  return { selector: own + inside, from: node.selectionStart, to: node.selectionEnd };
}

// Goes back there, without moving what one sees; tells whether it was still there.
export function restoreFocus(parent, mark) {
  const node = mark && parent.querySelector(mark.selector);
  if (!node) return false;
  node.focus({ preventScroll: true });
  if (typeof mark.from === "number" && "setSelectionRange" in node) node.setSelectionRange(mark.from, mark.to);
  return true;
}
