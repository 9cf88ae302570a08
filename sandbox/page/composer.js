import { attempt, post } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { everyone } from "./people.js";
import { pickEmoji } from "./picker.js";
import { openMenu } from "./popup.js";
import { conversation, currentChannel, state } from "./state.js";
import { Suggestions } from "./suggestions.js";

const MARKS = { bold: "*", italic: "_", strike: "~", code: "`" };

// Full names, as the suggestions write them, become references; handles and channels the server knows itself.
function withReferences(text) {
  return everyone().reduce((words, user) => words.replaceAll(`@${user.real_name}`, `<@${user.id}>`), text);
}

export class Composer {
  #history = [];
  #recalled = -1;
  #drafts = new Map();
  #place = null;

  constructor({ testid, thread = () => null, sent }) {
    this.thread = thread;
    this.sent = sent;
    this.input = h("textarea", {
      rows: 1,
      class: "composer-input",
      data: { testid },
      "aria-label": "Message",
      autocomplete: "off",
    });
    this.send = h(
      "button",
      {
        type: "button",
        class: "send",
        "aria-label": "Send message",
        title: "Send message",
        disabled: true,
        data: { testid: `${testid}-send` },
        on: { click: () => this.submit() },
      },
      icon("send", 16),
    );
    this.suggestions = new Suggestions(this.input, { changed: () => this.#changed() });
    this.box = h(
      "div",
      { class: "composer" },
      this.#marks(),
      this.input,
      h("div", { class: "composer-foot" }, this.#tools(), this.send),
    );
    this.node = h("div", { class: "composer-frame" }, this.suggestions.node, this.box);
    this.input.addEventListener("input", () => this.#changed());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("blur", () => this.suggestions.hide());
  }

  // Each conversation of each person keeps what was begun there.
  show(place, placeholder) {
    this.input.placeholder = placeholder;
    this.input.setAttribute("aria-label", placeholder);
    if (place === this.#place) return this.#grow();
    if (this.#place) this.#drafts.set(this.#place, this.input.value);
    this.#place = place;
    this.fill(this.#drafts.get(place) ?? "");
  }

  fill(text) {
    this.input.value = text;
    this.#changed();
    this.suggestions.hide();
  }

  #grow() {
    this.input.style.height = "auto";
    this.input.style.height = `${this.input.scrollHeight}px`;
  }

  #changed() {
    this.#grow();
    this.send.disabled = !this.input.value.trim();
    this.suggestions.update();
  }

  async submit() {
    const text = this.input.value.trim();
    if (!text) return;
    this.#history.push(text);
    this.#recalled = -1;
    this.fill("");
    const answer = await attempt(
      post("say", {
        channel: conversation(),
        text: withReferences(text),
        thread_ts: this.thread() ?? undefined,
      }),
    );
    if (answer === null && !this.input.value) this.fill(text);
    if (answer !== null) this.sent(text);
  }

  #key(event) {
    if (this.suggestions.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && (this.#recalled >= 0 || !this.input.value)) this.#recall(event, 1);
    else if (event.key === "ArrowDown" && this.#recalled >= 0) this.#recall(event, -1);
  }

  #recall(event, step) {
    const index = this.#recalled + step;
    if (index >= this.#history.length) return;
    event.preventDefault();
    this.#recalled = index;
    this.fill(index < 0 ? "" : this.#history.at(-1 - index));
  }

  #marks() {
    const button = (name, label) =>
      h(
        "button",
        { type: "button", "aria-label": label, title: label, on: { click: () => this.#wrap(MARKS[name]) } },
        icon(name, 16),
      );
    return h(
      "div",
      { class: "composer-marks" },
      button("bold", "Bold"),
      button("italic", "Italic"),
      button("strike", "Strikethrough"),
      button("code", "Code"),
    );
  }

  #wrap(mark) {
    const { selectionStart: from, selectionEnd: to, value } = this.input;
    this.input.setRangeText(`${mark}${value.slice(from, to)}${mark}`, from, to, "select");
    this.input.setSelectionRange(from + 1, to + 1);
    this.input.focus();
    this.#changed();
  }

  #insert(text) {
    this.input.focus();
    this.input.setRangeText(text, this.input.selectionStart, this.input.selectionEnd, "end");
    this.#changed();
  }

  #tools() {
    const tool = (label, name, press, testid) =>
      h(
        "button",
        { type: "button", "aria-label": label, title: label, data: { testid }, on: { click: press } },
        icon(name, 18),
      );
    return h(
      "div",
      { class: "composer-tools" },
      tool("Shortcuts", "plus", (event) => this.#shortcuts(event.currentTarget), "shortcuts"),
      tool("Emoji", "smile", (event) => pickEmoji(event.currentTarget, (name) => this.#insert(`:${name}: `))),
      tool("Mention someone", "at", () => this.#insert("@")),
      tool("Slash commands", "slash", () => (this.fill("/"), this.input.focus(), this.#changed())),
    );
  }

  #shortcuts(anchor) {
    const global = state.shortcuts.filter((shortcut) => shortcut.type === "global");
    const items = global.map((shortcut) => ({
      words: shortcut.name,
      note: shortcut.description,
      data: { shortcut: shortcut.callback_id },
      press: () => attempt(post("shortcut", { callback_id: shortcut.callback_id, channel: conversation() })),
    }));
    const commands = state.commands.map((command) => ({
      words: command.command,
      note: command.description,
      press: () => (this.fill(`${command.command} `), this.input.focus()),
    }));
    openMenu(anchor, [...items, ...(items.length && commands.length ? [null] : []), ...commands], {
      label: "Shortcuts",
      side: "above",
    });
  }
}

export function composerPlaceholder() {
  const channel = currentChannel();
  if (!channel) return "Message";
  return channel.is_im ? "Message Runbolt" : `Message #${channel.name}`;
}
