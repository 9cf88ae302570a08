// Nodes are always built, never parsed: foreign text can only ever become text.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  node.append(...children.flat(Infinity).filter(present));
  return node;
}

function present(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
  } else if (name === "data") {
    for (const [key, item] of Object.entries(value)) if (present(item)) node.dataset[key] = item;
  } else if (name === "value") {
    node.value = value;
  } else {
    node.setAttribute(name, value === true ? "" : value);
  }
}

export function replace(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter(present));
}

const drawn = new WeakMap();

// Draws a whole part anew, but only when what it shows has changed.
export function redraw(node, shown, draw) {
  const mark = JSON.stringify(shown);
  if (drawn.get(node) === mark) return;
  drawn.set(node, mark);
  replace(node, draw());
}

// What was drawn there is there no more: somebody else drew.
export function forget(node) {
  drawn.delete(node);
}

// Keeps the nodes of what did not change, so that focus, open menus and expanded files survive.
// `update` may change the node of what did change, and returns it; without it the node is drawn anew.
export function reconcile(parent, items, { key, signature, draw, update = () => null }) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = items.map((item) => reuse(old.get(key(item)), item, { key, signature, draw, update }));
  const keep = new Set(wanted);
  for (const node of [...parent.children]) if (!keep.has(node)) node.remove();
  wanted.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

// Makes `node` like `fresh` and puts the siblings of `fresh`'s child around its own child, which never leaves the page:
// so what has the focus there keeps it.
export function adopt(node, fresh, own, replaced) {
  const kept = new Set(["data-key", ...fresh.getAttributeNames()]);
  for (const name of node.getAttributeNames()) if (!kept.has(name)) node.removeAttribute(name);
  for (const { name, value } of fresh.attributes) node.setAttribute(name, value);
  for (const child of [...node.childNodes]) if (child !== own) child.remove();
  const children = [...fresh.childNodes];
  const place = children.indexOf(replaced);
  own.before(...children.slice(0, place));
  own.after(...children.slice(place + 1));
}

const signatures = new WeakMap();

function reuse(node, item, { key, signature, draw, update }) {
  const mark = signature(item);
  if (node && signatures.get(node) === mark) return node;
  const fresh = (node && update(node, item)) ?? draw(item);
  fresh.dataset.key = key(item);
  signatures.set(fresh, mark);
  return fresh;
}
