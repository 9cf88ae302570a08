import { h } from "./dom.js";
import { dateNode } from "./dates.js";
import { emoji } from "./emoji.js";
import { broadcast, channelLink, groupMention, link, mention } from "./mrkdwn.js";

const LEAVES = {
  text: (leaf) => leaf.text,
  link: (leaf) => link(leaf.url, leaf.text ?? leaf.url),
  user: (leaf) => mention(leaf.user_id),
  channel: (leaf) => channelLink(leaf.channel_id),
  usergroup: (leaf) => groupMention(leaf.usergroup_id),
  emoji: (leaf) => emoji(leaf.name),
  broadcast: (leaf) => broadcast(leaf.range),
  date: (leaf) => dateNode(leaf.timestamp, leaf.format, { link: leaf.url, fallback: leaf.fallback }),
  color: (leaf) =>
    h(
      "span",
      { class: "swatch", style: /^#[0-9a-f]{3,8}$/i.test(leaf.value) ? `--swatch:${leaf.value}` : null },
      leaf.value,
    ),
};

const STYLES = { bold: "b", italic: "i", strike: "s", underline: "u", code: "code" };

function leafNode(leaf) {
  const node = LEAVES[leaf.type]?.(leaf) ?? leaf.text ?? "";
  return Object.entries(STYLES).reduce(
    (inner, [style, tag]) => (leaf.style?.[style] ? h(tag, {}, inner) : inner),
    node,
  );
}

function leaves(element) {
  return (element.elements ?? []).map(leafNode);
}

const PARTS = {
  rich_text_section: (part) => h("div", { class: "rich-section" }, leaves(part)),
  rich_text_preformatted: (part) => h("pre", { class: "pre" }, leaves(part)),
  rich_text_quote: (part) => h("blockquote", {}, leaves(part)),
  rich_text_list: list,
};

function list(part) {
  const ordered = part.style === "ordered";
  const items = part.elements.map((item) => h("li", {}, leaves(item)));
  const props = {
    class: "rich-list",
    style: `--indent:${part.indent ?? 0}`,
    start: part.offset ? part.offset + 1 : null,
  };
  return h(ordered ? "ol" : "ul", { ...props, data: { indent: (part.indent ?? 0) % 3 } }, items);
}

export function richText(block) {
  return h(
    "div",
    { class: "rich-text" },
    (block.elements ?? []).map((part) => PARTS[part.type]?.(part)),
  );
}

// The text of rich text, for sorting and for screen readers.
export function richTextWords(block) {
  if (block.text !== undefined) return String(block.text);
  return (block.elements ?? []).map(richTextWords).join(" ");
}
