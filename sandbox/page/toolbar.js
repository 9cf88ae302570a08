import { attempt, post } from "./api.js";
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { icon } from "./icons.js";
import { pickEmoji } from "./picker.js";
import { openMenu } from "./popup.js";
import { react } from "./reactions.js";
import { conversation, state } from "./state.js";

const QUICK = ["pushpin", "eyes", "white_check_mark"];

export function toolbar(message, { inThread, openThread }) {
  const quick = QUICK.map((name) =>
    tool(`React with :${name}:`, emoji(name), () => react(message, name), { react: name }),
  );
  const smile = tool(
    "Find another reaction",
    icon("smile", 18),
    (event) => pickEmoji(event.currentTarget, (name) => react(message, name)),
    { testid: "add-reaction" },
  );
  const reply = inThread
    ? null
    : tool("Reply in thread", icon("reply", 18), () => openThread(message.ts), { testid: "reply-in-thread" });
  const more = tool("More actions", icon("dots", 18), (event) => moreActions(event.currentTarget, message), {
    testid: "more-actions",
  });
  return h(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": "Message actions" },
    quick,
    smile,
    reply,
    more,
  );
}

function tool(label, content, press, data) {
  return h(
    "button",
    { type: "button", "aria-label": label, title: label, data, on: { click: press } },
    content,
  );
}

function moreActions(anchor, message) {
  const own = state.shortcuts
    .filter((shortcut) => (shortcut.type ?? "message") === "message")
    .map((shortcut) => ({
      words: shortcut.name,
      note: "Runbolt",
      data: { shortcut: shortcut.callback_id },
      press: () =>
        attempt(
          post("shortcut", { callback_id: shortcut.callback_id, channel: conversation(), ts: message.ts }),
        ),
    }));
  const copy = {
    words: "Copy text",
    data: { testid: "copy-text" },
    press: () => navigator.clipboard?.writeText(message.text ?? ""),
  };
  openMenu(anchor, own.length ? [...own, null, copy] : [copy], { label: "More actions" });
}
