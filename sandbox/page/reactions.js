import { attempt, post } from "./api.js";
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { icon } from "./icons.js";
import { displayName, person } from "./people.js";
import { pickEmoji } from "./picker.js";
import { conversation, state } from "./state.js";

export function react(message, name) {
  return attempt(post("react", { channel: conversation(), ts: message.ts, name }));
}

export function reactions(message) {
  if (!message.reactions?.length) return null;
  const me = person(state.person)?.id;
  const chips = message.reactions.map(({ name, users = [], count = users.length }) => {
    const mine = users.includes(me);
    const who = users.map(displayName).join(", ");
    return h(
      "button",
      {
        type: "button",
        class: mine ? "reaction mine" : "reaction",
        "aria-pressed": String(mine),
        title: `${who} reacted with :${name}:`,
        data: { reaction: name },
        on: { click: () => react(message, name) },
      },
      emoji(name),
      h("span", {}, String(count)),
    );
  });
  const add = h(
    "button",
    {
      type: "button",
      class: "reaction add",
      "aria-label": "Add reaction",
      on: { click: (event) => pickEmoji(event.currentTarget, (name) => react(message, name)) },
    },
    icon("smile", 16),
  );
  return h("div", { class: "reactions" }, chips, add);
}
