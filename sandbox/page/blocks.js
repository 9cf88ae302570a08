import { forget, h, reconcile } from "./dom.js";
import { chart } from "./charts.js";
import { element, picture } from "./elements.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { textNode } from "./mrkdwn.js";
import { richText } from "./richtext.js";
import { dataTable, table } from "./tables.js";

const KINDS = {
  section,
  header: (block) => h("h3", {}, textNode(block.text)),
  context,
  actions: (block, surface) => h("div", { class: "block-actions" }, elements(block.elements, surface, block)),
  context_actions: contextActions,
  divider: () => h("hr"),
  image,
  input,
  rich_text: richText,
  table: (block, surface) => table(block, surface, element),
  data_table: (block, surface) => dataTable(block, surface, element),
  data_visualization: chart,
  markdown: (block) => markdown(block.text),
  alert,
  card,
  carousel: (block, surface) =>
    h(
      "div",
      { class: "carousel" },
      block.elements.map((one) => card(one, surface)),
    ),
  container,
  plan,
  task_card: (block) => h("ol", { class: "tasks" }, task(block)),
};

export function blocks(list, surface) {
  return (list ?? []).map((block) => blockNode(block, surface));
}

// Blocks that stayed as they were keep their nodes.
export function drawBlocks(node, list, surface) {
  reconcile(node, list, {
    key: (block) => `${surface.name} ${block.block_id}`,
    signature: (block) => JSON.stringify(block),
    draw: (block) => blockNode(block, surface),
  });
  forget(node);
}

function blockNode(block, surface) {
  const draw = KINDS[block.type];
  const body = draw
    ? draw(block, surface)
    : h("span", { class: "unknown" }, `This client cannot show “${block.type}”.`);
  return h(
    "div",
    { class: `block block-${block.type}`, data: { blockId: block.block_id, block: block.type } },
    body,
  );
}

function elements(list, surface, block) {
  return (list ?? []).map((spec) => element(spec, surface, block.block_id));
}

function section(block, surface) {
  const fields =
    block.fields &&
    h(
      "div",
      { class: "fields" },
      block.fields.map((field) => h("div", { class: "field-text" }, textNode(field))),
    );
  const words = h(
    "div",
    { class: "section-words" },
    block.text && h("div", { class: "section-text" }, textNode(block.text)),
    fields,
  );
  const accessory =
    block.accessory &&
    h(
      "div",
      { class: `accessory accessory-${block.accessory.type}` },
      element(block.accessory, surface, block.block_id),
    );
  return [words, accessory];
}

function context(block) {
  return (block.elements ?? []).map((item) =>
    item.type === "image" ? picture(item) : h("span", { class: "context-text" }, textNode(item)),
  );
}

function contextActions(block, surface) {
  return (block.elements ?? []).flatMap((item) => {
    if (item.type === "icon_button") return element({ ...item, type: "button" }, surface, block.block_id);
    const pair = [item.positive_button, item.negative_button].filter(Boolean);
    return pair.map((one) =>
      element({ ...one, type: "button", action_id: item.action_id }, surface, block.block_id),
    );
  });
}

function image(block) {
  return h(
    "figure",
    { class: "image" },
    block.title && h("figcaption", {}, textNode(block.title)),
    picture(block),
  );
}

let serial = 0;

function input(block, surface) {
  const id = `label-${(serial += 1)}`;
  const label = h(
    "div",
    { class: "label", id },
    textNode(block.label),
    block.optional && h("span", { class: "optional" }, " (optional)"),
  );
  const control = element(block.element, surface, block.block_id, {
    dispatch: Boolean(block.dispatch_action),
    labelledBy: id,
  });
  const hint = block.hint && h("div", { class: "hint" }, textNode(block.hint));
  return [
    label,
    control,
    hint,
    h("div", { class: "problem", role: "alert", data: { problem: block.block_id } }),
  ];
}

const ALERTS = { default: "info", info: "info", warning: "alert", error: "alert", success: "check" };

function alert(block) {
  const level = block.level in ALERTS ? block.level : "default";
  return h(
    "div",
    { class: `alert alert-${level}`, role: "note" },
    icon(ALERTS[level], 18),
    h("div", {}, textNode(block.text)),
  );
}

function card(block, surface) {
  const head = h(
    "div",
    { class: "card-head" },
    block.icon && picture(block.icon),
    h(
      "div",
      {},
      block.title && h("div", { class: "card-title" }, textNode(block.title)),
      block.subtitle && h("div", { class: "card-subtitle" }, textNode(block.subtitle)),
    ),
  );
  return h(
    "div",
    { class: "card" },
    block.hero_image && picture(block.hero_image),
    head,
    block.body && h("div", { class: "card-body" }, textNode(block.body)),
    block.actions && h("div", { class: "block-actions" }, elements(block.actions, surface, block)),
  );
}

function container(block, surface) {
  const title = block.rich_text_title ? richText(block.rich_text_title) : textNode(block.title);
  const words = h(
    "div",
    {},
    h("div", { class: "container-title" }, title),
    block.subtitle && h("div", { class: "container-subtitle" }, textNode(block.subtitle)),
  );
  const body = h("div", { class: "container-body" }, blocks(block.child_blocks, surface));
  const kind = `container container-${block.width ?? "standard"}`;
  const icons = block.icon && picture(block.icon);
  if (!block.is_collapsible)
    return h(
      "div",
      { class: `${kind} ${block.has_header_divider ? "divided" : ""}` },
      h("div", { class: "container-head" }, icons, words),
      body,
    );
  const memory = surface.open ?? new Map();
  const open = memory.get(block.block_id) ?? !block.default_collapsed;
  const node = h(
    "details",
    { class: kind, open },
    h("summary", { class: "container-head" }, icons, words, icon("down", 18)),
    body,
  );
  node.addEventListener("toggle", () => memory.set(block.block_id, node.open));
  return node;
}

const STATES = { pending: "Pending", in_progress: "In progress", complete: "Complete", error: "Failed" };

function plan(block) {
  const tasks = block.tasks ?? [];
  const done = tasks.filter((one) => one.status === "complete").length;
  const count = tasks.length ? h("span", { class: "plan-count" }, `${done} of ${tasks.length}`) : null;
  return h(
    "div",
    { class: "plan" },
    h("div", { class: "plan-title" }, textNode(block.title), count),
    h("ol", { class: "tasks" }, tasks.map(task)),
  );
}

function task(one) {
  const status = one.status ?? "pending";
  const mark = { complete: icon("check", 13), error: icon("close", 12) }[status];
  const sources = (one.sources ?? []).map((source) =>
    h(
      "a",
      { href: /^https?:/.test(source.url) ? source.url : null, target: "_blank", rel: "noreferrer" },
      source.text ?? source.url,
    ),
  );
  return h(
    "li",
    { class: `task task-${status}`, data: { task: one.task_id, status } },
    h("span", { class: "task-mark", role: "img", "aria-label": STATES[status] }, mark),
    h(
      "div",
      { class: "task-words" },
      h("div", { class: "task-title" }, textNode(one.title)),
      one.details && richText(one.details),
      one.output && h("div", { class: "task-output" }, richText(one.output)),
      sources.length > 0 && h("div", { class: "task-sources" }, sources),
    ),
  );
}
