import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { closePopup, openPopup } from "./popup.js";

const TYPING_PAUSE = 150;

// A select: a button that opens a searchable list. An option is {value, label: nodes, words, note, group, lead}.
// With `search`, the list is what that finds for the words typed, from `least` characters on.
export function choiceButton({ options, chosen, placeholder, multiple, limit, props, search, least, onPick }) {
  const picked = new Set(chosen);
  const known = new Map(options.map((option) => [option.value, option]));
  const button = h("button", {
    type: "button",
    class: "select",
    "aria-haspopup": "listbox",
    "aria-expanded": "false",
    ...props,
  });
  button.addEventListener("click", () =>
    openList(button, { options, picked, multiple, search: search && lookUp, least, onChoose }),
  );

  async function lookUp(words) {
    const found = await search(words);
    for (const option of found) known.set(option.value, option);
    return found;
  }

  function onChoose(value) {
    if (!multiple) picked.clear();
    if (multiple && picked.has(value)) picked.delete(value);
    else if (!limit || picked.size < limit) picked.add(value);
    draw();
    onPick(multiple ? [...picked] : value);
  }

  function draw() {
    const labels = [...picked].map((value) => known.get(value)).filter(Boolean);
    const shown = multiple
      ? labels.map((option) => h("span", { class: "chip" }, option.lead?.(), option.label()))
      : labels.map((option) => [option.lead?.(), option.label()]);
    replace(
      button,
      h(
        "span",
        { class: labels.length ? "select-value" : "select-value placeholder" },
        labels.length ? shown : placeholder,
      ),
      icon("down", 16),
    );
  }

  draw();
  return button;
}

function openList(button, { options, picked, multiple, search: lookUp, least, onChoose }) {
  const list = h("div", {
    class: "options",
    role: "listbox",
    "aria-multiselectable": multiple ? "true" : null,
  });
  const search = h("input", {
    class: "option-search",
    type: "text",
    placeholder: "Search",
    "aria-label": "Search options",
    autocomplete: "off",
  });
  const prompt = "Type to search";
  let active = 0;
  let shown = [];
  let found = [];
  let nothing = lookUp ? prompt : "No matches";
  let pause;

  async function ask() {
    const typed = search.value.trim();
    if (typed.length < least) return answer(typed, [], prompt);
    try {
      answer(typed, await lookUp(typed), "No matches");
    } catch (refusal) {
      answer(typed, [], refusal.message);
    }
  }

  // Answers may overtake each other: only the one for what stands there now counts.
  function answer(typed, options, otherwise) {
    if (typed !== search.value.trim()) return;
    [found, nothing] = [options, otherwise];
    draw();
  }

  function choose(option) {
    onChoose(option.value);
    if (multiple) return draw();
    closePopup();
    button.focus();
  }

  function draw() {
    const wanted = search.value.trim().toLowerCase();
    shown = lookUp ? found : options.filter((option) => option.words.toLowerCase().includes(wanted));
    active = Math.max(0, Math.min(active, shown.length - 1));
    replace(list, shown.length ? shown.flatMap(row) : h("div", { class: "option-none" }, nothing));
    list.querySelector(".option.active")?.scrollIntoView({ block: "nearest" });
  }

  function row(option, index) {
    const selected = picked.has(option.value);
    const heading =
      option.group && option.group !== shown[index - 1]?.group
        ? h("div", { class: "option-group" }, option.group)
        : null;
    const node = h(
      "div",
      {
        class: index === active ? "option active" : "option",
        role: "option",
        "aria-selected": String(selected),
        data: { value: option.value },
        on: { click: () => choose(option) },
      },
      option.lead?.(),
      h("span", { class: "option-words" }, option.label(), option.note && h("small", {}, option.note)),
      selected && icon("check", 16),
    );
    return heading ? [heading, node] : [node];
  }

  search.addEventListener("input", () => {
    active = 0;
    clearTimeout(pause);
    if (lookUp) pause = setTimeout(ask, TYPING_PAUSE);
    else draw();
  });
  search.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) active = Math.max(0, Math.min(shown.length - 1, active + step));
    else if (event.key === "Enter" && shown[active]) choose(shown[active]);
    else return;
    event.preventDefault();
    if (search.isConnected) draw();
  });

  draw();
  openPopup(button, [search, list], { label: "Options", className: "popup-list" });
  search.focus();
}
