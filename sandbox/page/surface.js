import { attempt, post } from "./api.js";
import { Form } from "./form.js";
import { state } from "./state.js";

const forms = new Map();
const opened = new Map();

// Where blocks stand, and whom their presses go to. What was filled in survives a redraw.
function surface(name, target, kept = null) {
  if (!forms.has(name)) {
    forms.set(name, new Form(kept));
    opened.set(name, new Map());
  }
  const form = forms.get(name);
  const press = (action_id, block_id, value) =>
    attempt(post("press", { ...target(), action_id, block_id, value }));
  const suggest = (action_id, block_id, value) =>
    post("options", { ...target(), action_id, block_id, value });
  return { name, form, press, suggest, open: opened.get(name) };
}

export function messageSurface(channel, ts) {
  return surface(`${channel}/${ts}`, () => ({ channel, ts }));
}

export function viewSurface(view) {
  const target = () => ({ view_id: view.id, values: own.form.values(view.blocks) });
  const own = surface(view.id, target, `${state.person}/${view.id}`);
  return own;
}
