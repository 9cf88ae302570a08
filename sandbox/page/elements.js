import { h } from "./dom.js";
import { icon } from "./icons.js";
import { choiceButton } from "./choices.js";
import { confirmed } from "./dialog.js";
import { plain, textNode } from "./mrkdwn.js";
import { avatar, channels, humans } from "./people.js";
import { openMenu } from "./popup.js";
import { currentChannel } from "./state.js";

const TYPING_PAUSE = 300;

// A surface is where an element stands: {form, press(action_id, block_id, value), open}.
export function element(spec, surface, blockId, { dispatch = true, labelledBy } = {}) {
  const draw = KINDS[spec.type];
  if (!draw) return h("span", { class: "unknown" }, `This client cannot show “${spec.type}”.`);
  const place = { surface, blockId, spec, dispatch, labelledBy };
  const known = surface.form.value(blockId, spec.action_id);
  const start = known === undefined ? initial(spec) : known;
  if (spec.type in INPUTS) surface.form.set(blockId, spec.action_id, start);
  return draw(spec, place, start);
}

function initial(spec) {
  if (spec.initial_option) return spec.initial_option.value;
  if (spec.initial_options) return spec.initial_options.map((option) => option.value);
  if (spec.default_to_current_conversation) return currentChannel()?.id ?? null;
  const [, value] = Object.entries(spec).find(([name]) => name.startsWith("initial_")) ?? [];
  return value ?? (spec.type.startsWith("multi_") || spec.type === "checkboxes" ? [] : null);
}

function attributes({ spec, blockId, labelledBy }) {
  return {
    data: { actionId: spec.action_id, blockId, type: spec.type, first: spec.focus_on_load ? "true" : null },
    "aria-labelledby": labelledBy,
    "aria-label": labelledBy ? null : (spec.accessibility_label ?? words(spec.placeholder)),
  };
}

function words(spec) {
  return spec?.text ?? null;
}

async function fire(place, value, node) {
  const { spec, surface, blockId } = place;
  if (spec.confirm && !(await confirmed(spec.confirm))) return;
  node?.setAttribute("aria-busy", "true");
  await surface.press(spec.action_id, blockId, value);
  node?.removeAttribute("aria-busy");
}

function store(place, value, node) {
  place.surface.form.set(place.blockId, place.spec.action_id, value);
  if (place.dispatch) fire(place, value, node);
}

function button(spec, place) {
  const style = { primary: "primary", danger: "danger" }[spec.style] ?? "";
  const press = (event) => {
    const node = event.currentTarget;
    if (node.getAttribute("aria-busy") !== "true") fire(place, spec.value, node);
  };
  const props = {
    class: `button ${style}`,
    ...attributes(place),
    "aria-labelledby": null,
    title: spec.accessibility_label,
    on: { click: press },
  };
  if (!spec.url) return h("button", { type: "button", ...props }, textNode(spec.text));
  const safe = /^(https?|mailto):/i.test(spec.url);
  return h(
    "a",
    { href: safe ? spec.url : null, target: "_blank", rel: "noreferrer", ...props },
    textNode(spec.text),
    icon("external", 14),
  );
}

function overflow(spec, place) {
  const open = (event) => {
    const node = event.currentTarget;
    const items = spec.options.map((option) => ({
      words: textNode(option.text),
      note: option.description && textNode(option.description),
      data: { value: option.value },
      press: () => {
        if (/^https?:/i.test(option.url ?? "")) window.open(option.url, "_blank", "noreferrer");
        fire(place, option.value, node);
      },
    }));
    openMenu(node, items, { label: "More" });
  };
  return h(
    "button",
    {
      type: "button",
      class: "button overflow",
      "aria-haspopup": "menu",
      ...attributes(place),
      "aria-label": spec.accessibility_label ?? "More",
      on: { click: open },
    },
    icon("dots", 18),
  );
}

function optionOf(option, group) {
  return {
    value: option.value,
    words: option.text.text,
    label: () => textNode(option.text),
    note: option.description && textNode(option.description),
    group,
  };
}

function listed(spec) {
  const grouped = (spec.option_groups ?? []).flatMap((group) =>
    group.options.map((option) => optionOf(option, group.label.text)),
  );
  return [...(spec.options ?? []).map((option) => optionOf(option)), ...grouped];
}

function peopleOptions() {
  return humans().map((user) => ({
    value: user.id,
    words: `${user.real_name} ${user.name}`,
    label: () => user.real_name || user.name,
    note: user.title,
    lead: () => avatar(user.id, 20),
  }));
}

function channelOptions() {
  return channels()
    .filter((channel) => !channel.is_im && !channel.is_archived)
    .map((channel) => ({
      value: channel.id,
      words: channel.name,
      label: () => channel.name,
      lead: () => icon(channel.is_private ? "lock" : "hash", 16),
    }));
}

function select(options, multiple) {
  return (spec, place, start) => {
    const chosen = multiple ? start : start === null ? [] : [start];
    const node = choiceButton({
      options: options(spec),
      chosen,
      multiple,
      limit: spec.max_selected_items,
      placeholder: spec.placeholder ? textNode(spec.placeholder) : "Choose an option",
      props: { ...attributes(place), "aria-label": attributes(place)["aria-label"] ?? "Choose an option" },
      onPick: (value) => store(place, value, node),
    });
    return node;
  };
}

// The app is asked for the options as one types; Slack shows none before.
function external(spec, place, start) {
  const first = [spec.initial_option].filter(Boolean).map((option) => optionOf(option));
  const known = [...first, ...found(place)];
  const node = choiceButton({
    options: known,
    chosen: start === null ? [] : [start],
    placeholder: spec.placeholder ? textNode(spec.placeholder) : "Search",
    props: { ...attributes(place), "aria-label": attributes(place)["aria-label"] ?? "Search" },
    least: spec.min_query_length ?? 3,
    search: async (words) => {
      const answer = await place.surface.suggest(spec.action_id, place.blockId, words);
      const options = answer.options.map((option) => optionOf(option));
      remember(place, options);
      return options;
    },
    onPick: (value) => store(place, value, node),
  });
  return node;
}

// What was found stays known when the form is drawn anew: what was chosen is shown by its words.
const searches = new Map();

function searchName({ surface, blockId, spec }) {
  return `${surface.name}/${blockId}/${spec.action_id}`;
}

function found(place) {
  return [...(searches.get(searchName(place))?.values() ?? [])];
}

function remember(place, options) {
  const name = searchName(place);
  if (!searches.has(name)) searches.set(name, new Map());
  for (const option of options) searches.get(name).set(option.value, option);
}

let serial = 0;

function boxes(kind) {
  return (spec, place, start) => {
    const name = `choice-${(serial += 1)}`;
    const checked = new Set(kind === "checkbox" ? start : [start]);
    const group = h("div", {
      class: "boxes",
      role: kind === "radio" ? "radiogroup" : "group",
      ...attributes(place),
    });
    const change = (option) => (event) => {
      if (kind === "radio") checked.clear();
      checked[event.target.checked ? "add" : "delete"](option.value);
      // Without the group: while one tick is told, the next can be made.
      store(place, kind === "radio" ? option.value : [...checked]);
    };
    group.append(
      ...spec.options.map((option) => box(kind, name, option, checked.has(option.value), change(option))),
    );
    return group;
  };
}

function box(kind, name, option, checked, change) {
  const control = h("input", {
    type: kind,
    name,
    value: option.value,
    checked,
    data: { value: option.value },
    on: { change },
  });
  return h(
    "label",
    { class: "box" },
    control,
    h("span", {}, textNode(option.text), option.description && h("small", {}, textNode(option.description))),
  );
}

// Typed values are kept while typing, and sent (where the app asks for it) on Enter.
function typed(props) {
  return (spec, place, start) => {
    const multiline = spec.multiline ?? false;
    const node = h(multiline ? "textarea" : "input", {
      class: "field",
      rows: multiline ? 4 : null,
      placeholder: spec.placeholder ? words(spec.placeholder) : null,
      maxlength: spec.max_length,
      value: start ?? "",
      autocomplete: "off",
      ...(multiline ? {} : props(spec)),
      ...attributes(place),
    });
    const asTyped = spec.dispatch_action_config?.trigger_actions_on?.includes("on_character_entered");
    let pause;
    node.addEventListener("input", () => {
      place.surface.form.set(place.blockId, spec.action_id, node.value || null);
      clearTimeout(pause);
      if (asTyped && place.dispatch) pause = setTimeout(() => fire(place, node.value), TYPING_PAUSE);
    });
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || multiline || !place.dispatch) return;
      event.preventDefault();
      fire(place, node.value, node);
    });
    return node;
  };
}

function picked(type) {
  return (spec, place, start) => {
    const node = h("input", { class: "field field-short", type, value: start ?? "", ...attributes(place) });
    node.addEventListener("change", () => store(place, node.value || null, node));
    return node;
  };
}

function moment(spec, place, start) {
  const asLocal = start
    ? new Date((start - new Date(start * 1000).getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 16)
    : "";
  const node = h("input", {
    class: "field field-short",
    type: "datetime-local",
    value: asLocal,
    ...attributes(place),
  });
  node.addEventListener("change", () =>
    store(place, node.value ? Math.floor(new Date(node.value).getTime() / 1000) : null, node),
  );
  return node;
}

function number(spec) {
  return {
    type: "number",
    inputmode: "decimal",
    step: spec.is_decimal_allowed ? "any" : "1",
    min: spec.min_value,
    max: spec.max_value,
  };
}

const INPUTS = {
  static_select: select(listed, false),
  external_select: external,
  multi_static_select: select(listed, true),
  users_select: select(peopleOptions, false),
  multi_users_select: select(peopleOptions, true),
  conversations_select: select(channelOptions, false),
  multi_conversations_select: select(channelOptions, true),
  channels_select: select(channelOptions, false),
  multi_channels_select: select(channelOptions, true),
  radio_buttons: boxes("radio"),
  checkboxes: boxes("checkbox"),
  datepicker: picked("date"),
  timepicker: picked("time"),
  datetimepicker: moment,
  plain_text_input: typed(() => ({ type: "text" })),
  number_input: typed(number),
  email_text_input: typed(() => ({ type: "email" })),
  url_text_input: typed(() => ({ type: "url" })),
};

const KINDS = { ...INPUTS, button, workflow_button: button, overflow, image: picture };

export function picture(spec) {
  const alt = spec.alt_text ?? "";
  const source = spec.image_url ?? spec.slack_file?.url;
  const node = h("img", { class: "picture", src: source, alt, loading: "lazy" });
  // Nothing outside this machine can be loaded here: the words stand in for the picture.
  node.addEventListener("error", () =>
    node.replaceWith(h("span", { class: "picture-alt", title: alt }, plain(alt))),
  );
  return node;
}
