// What a person has filled in on one surface: {block_id: {action_id: value}}.
export class Form {
  #values = new Map();

  set(block, action, value) {
    if (!this.#values.has(block)) this.#values.set(block, new Map());
    this.#values.get(block).set(action, value);
  }

  value(block, action) {
    return this.#values.get(block)?.get(action);
  }

  // A view that was drawn anew may have lost blocks: only what is still there is sent.
  values(blocks) {
    const there = new Set(blocks.map((block) => block.block_id));
    const kept = [...this.#values].filter(([block]) => there.has(block));
    return Object.fromEntries(kept.map(([block, actions]) => [block, Object.fromEntries(actions)]));
  }
}
