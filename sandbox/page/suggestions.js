import { h, replace } from "./dom.js";
import { emoji, emojiNames } from "./emoji.js";
import { icon } from "./icons.js";
import { avatar, appAvatar, channels, humans } from "./people.js";
import { state } from "./state.js";

const MOST = 8;

// What the words before the cursor could become. Each source answers {title, from, items} or null.
// Where an item is exactly what was typed, or only a hint, Enter sends the message instead of taking it.
const SOURCES = [commandNames, commandUses, mentions, channelNames, emojis];

function commandNames(before) {
  if (!/^\/\S*$/.test(before)) return null;
  const items = state.commands
    .filter((command) => command.command.startsWith(before))
    .map((command) => ({
      text: `${command.command} `,
      exact: command.command === before,
      lead: () => appAvatar(28),
      words: command.command,
      usage: command.usage_hint,
      note: command.description,
    }));
  return { title: "Commands", from: 0, items };
}

function commandUses(before) {
  const [, name, rest] = /^(\/\S+) ([^\n]*)$/.exec(before) ?? [];
  const command = state.commands.find((one) => one.command === name);
  if (!command?.usage_hint) return null;
  const uses = command.usage_hint
    .split("|")
    .map((use) => use.trim())
    .filter(Boolean);
  const items = uses
    .filter((use) => use.startsWith(rest) || rest.startsWith(`${use.split(" ")[0]} `))
    .map((use) => ({ text: `${name} ${use.split(/[\s[<]/)[0]} `, hint: true, words: `${name} ${use}` }));
  return { title: command.description ?? "How to use it", from: 0, items };
}

function word(before, mark) {
  const found = new RegExp(`(?:^|\\s)${mark}([\\p{L}\\w.-]*(?: [\\p{L}\\w.-]*)?)$`, "u").exec(before);
  return found ? { wanted: found[1].toLowerCase(), from: before.length - found[1].length - 1 } : null;
}

function mentions(before) {
  const found = word(before, "@");
  if (!found) return null;
  const items = humans()
    .filter((user) => `${user.real_name} ${user.name}`.toLowerCase().includes(found.wanted))
    .map((user) => ({
      text: `@${user.real_name || user.name} `,
      exact: [user.real_name, user.name].some((name) => name?.toLowerCase() === found.wanted),
      lead: () => avatar(user.id, 24),
      words: user.real_name || user.name,
      note: user.title ?? user.name,
    }));
  return { title: "People", from: found.from, items };
}

function channelNames(before) {
  const found = word(before, "#");
  if (!found) return null;
  const items = channels()
    .filter((channel) => !channel.is_im && channel.name.includes(found.wanted))
    .map((channel) => ({
      text: `#${channel.name} `,
      exact: channel.name === found.wanted,
      lead: () => icon("hash", 18),
      words: channel.name,
    }));
  return { title: "Channels", from: found.from, items };
}

function emojis(before) {
  const found = /(?:^|\s):([a-z0-9_+-]{2,})$/.exec(before);
  if (!found) return null;
  const items = emojiNames(found[1]).map((name) => ({
    text: `:${name}: `,
    lead: () => emoji(name),
    words: `:${name}:`,
  }));
  return { title: "Emoji", from: before.length - found[1].length - 1, items };
}

export class Suggestions {
  #shown = null;
  #active = 0;
  #moved = false;

  constructor(input, { changed }) {
    this.input = input;
    this.changed = changed;
    this.node = h("div", {
      class: "suggestions",
      hidden: true,
      role: "listbox",
      "aria-label": "Suggestions",
      data: { testid: "suggestions" },
    });
  }

  update() {
    const before = this.input.value.slice(0, this.input.selectionStart);
    const found =
      document.activeElement === this.input
        ? SOURCES.map((source) => source(before)).find((answer) => answer?.items.length)
        : null;
    this.#shown = found ? { ...found, items: found.items.slice(0, MOST) } : null;
    this.#active = 0;
    this.#moved = false;
    this.#draw();
  }

  hide() {
    this.#shown = null;
    this.#draw();
  }

  // True when the key was meant for the suggestions.
  key(event) {
    if (!this.#shown) return false;
    const act = this.#action(event);
    if (!act) return false;
    event.preventDefault();
    act();
    return true;
  }

  #action(event) {
    const item = this.#shown.items[this.#active];
    const certain = this.#moved || (!item.hint && !item.exact);
    if (event.key === "ArrowDown") return () => this.#move(1);
    if (event.key === "ArrowUp") return () => this.#move(-1);
    if (event.key === "Escape") return () => this.hide();
    if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey && certain))
      return () => this.#take(item);
    return null;
  }

  #move(step) {
    const count = this.#shown.items.length;
    this.#active = (this.#active + step + count) % count;
    this.#moved = true;
    this.#draw();
  }

  #take(item) {
    this.input.setRangeText(item.text, this.#shown.from, this.input.selectionStart, "end");
    this.input.focus();
    this.changed();
  }

  #draw() {
    this.node.hidden = !this.#shown;
    if (!this.#shown) return;
    const rows = this.#shown.items.map((item, index) => this.#row(item, index));
    replace(
      this.node,
      h(
        "div",
        { class: "suggestions-title" },
        this.#shown.title,
        h(
          "span",
          {},
          h("kbd", {}, "↑↓"),
          " move ",
          h("kbd", {}, "Tab"),
          " take ",
          h("kbd", {}, "Esc"),
          " close",
        ),
      ),
      rows,
    );
  }

  #row(item, index) {
    const active = index === this.#active;
    // mousedown would blur the input and hide this list before the click arrives.
    const on = { mousedown: (event) => event.preventDefault(), click: () => this.#take(item) };
    return h(
      "div",
      {
        class: active ? "suggestion active" : "suggestion",
        role: "option",
        "aria-selected": String(active),
        data: { suggestion: item.text.trim() },
        on,
      },
      item.lead?.(),
      h(
        "span",
        { class: "suggestion-words" },
        h("b", {}, item.words),
        item.usage && h("span", { class: "usage" }, item.usage),
      ),
      item.note && h("small", {}, item.note),
    );
  }
}
