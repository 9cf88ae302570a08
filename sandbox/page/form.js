const PREFIX = "form";

// What a person has filled in on one surface: {block_id: {action_id: value}}. With a name, a reload of the tab keeps it.
export class Form {
  #values = new Map();
  #name;

  constructor(name = null) {
    this.#name = name;
    const kept = name && sessionStorage.getItem(`${PREFIX}/${name}`);
    for (const [block, actions] of Object.entries(kept ? JSON.parse(kept) : {}))
      this.#values.set(block, new Map(Object.entries(actions)));
  }

  set(block, action, value) {
    if (!this.#values.has(block)) this.#values.set(block, new Map());
    this.#values.get(block).set(action, value);
    if (this.#name) sessionStorage.setItem(`${PREFIX}/${this.#name}`, JSON.stringify(this.#all()));
  }

  value(block, action) {
    return this.#values.get(block)?.get(action);
  }

  // A view that was drawn anew may have lost blocks: only what is still there is sent.
  values(blocks) {
    const there = new Set(blocks.map((block) => block.block_id));
    return Object.fromEntries(Object.entries(this.#all()).filter(([block]) => there.has(block)));
  }

  #all() {
    return Object.fromEntries([...this.#values].map(([block, actions]) => [block, Object.fromEntries(actions)]));
  }
}

// Forgets what was filled in on somebody's surfaces that are there no more.
export function forgetOthers(person, names) {
  const mine = Object.keys(sessionStorage).filter((key) => key.startsWith(`${PREFIX}/${person}/`));
  const kept = new Set(names.map((name) => `${PREFIX}/${person}/${name}`));
  for (const key of mine) if (!kept.has(key)) sessionStorage.removeItem(key);
}
