import { h } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { link, mrkdwn } from "./mrkdwn.js";

const INLINE =
  /`([^`\n]+)`|\*\*(.+?)\*\*|__(.+?)__|~~(.+?)~~|(?<![\w*])\*([^*\n]+)\*(?![\w*])|(?<!\w)_([^_\n]+)_(?!\w)|\[([^\]\n]+)\]\(([^)\s]+)\)|(<[^<>\n]+>)/g;

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(withEmoji(text.slice(from, match.index)), token(match));
    from = match.index + match[0].length;
  }
  nodes.push(withEmoji(text.slice(from)));
  return nodes;
}

function token([, code, strong, strong2, strike, em, em2, label, url, control]) {
  if (code !== undefined) return h("code", {}, code);
  if (strike !== undefined) return h("s", {}, inline(strike));
  if (label !== undefined) return link(url, inline(label));
  if (control !== undefined) return mrkdwn(control);
  const bold = strong ?? strong2;
  return bold !== undefined ? h("b", {}, inline(bold)) : h("i", {}, inline(em ?? em2));
}

const RULES = [
  { start: /^```/, take: fence },
  { start: /^#{1,6} /, take: heading },
  { start: /^(-{3,}|\*{3,})\s*$/, take: (lines) => (lines.shift(), h("hr")) },
  { start: /^\|.*\|\s*$/, take: table },
  { start: /^> ?/, take: quote },
  { start: /^\s*([-*+]|\d+[.)]) /, take: list },
];

export function markdown(text) {
  const lines = text.split("\n");
  const nodes = [];
  while (lines.length) {
    const rule = RULES.find(({ start }) => start.test(lines[0]));
    if (rule) nodes.push(rule.take(lines));
    else if (lines[0].trim()) nodes.push(paragraph(lines));
    else lines.shift();
  }
  return h("div", { class: "markdown" }, nodes);
}

function takeWhile(lines, test) {
  const taken = [];
  while (lines.length && test(lines[0])) taken.push(lines.shift());
  return taken;
}

function fence(lines) {
  lines.shift();
  const body = takeWhile(lines, (line) => !line.startsWith("```"));
  lines.shift();
  return h("pre", { class: "pre" }, body.join("\n"));
}

function heading(lines) {
  const [, marks, words] = /^(#+) (.*)$/.exec(lines.shift());
  return h(`h${Math.min(marks.length + 2, 6)}`, { class: `md-h${marks.length}` }, inline(words));
}

function quote(lines) {
  const own = takeWhile(lines, (line) => line.startsWith(">"));
  return h(
    "blockquote",
    {},
    own.flatMap((line, index) => [index ? h("br") : "", inline(line.replace(/^> ?/, ""))]),
  );
}

function list(lines) {
  const ordered = /^\s*\d/.test(lines[0]);
  const items = takeWhile(lines, RULES.at(-1).start.test.bind(RULES.at(-1).start));
  const drawn = items.map((line) => {
    const [, indent, , words] = /^(\s*)([-*+]|\d+[.)]) (.*)$/.exec(line);
    return h("li", { style: `margin-left:${indent.length * 10}px` }, task(words));
  });
  return h(ordered ? "ol" : "ul", { class: "rich-list" }, drawn);
}

function task(words) {
  const box = /^\[([ x])\] (.*)$/.exec(words);
  return box ? [box[1] === "x" ? "☑\uFE0E " : "☐ ", inline(box[2])] : inline(words);
}

function cells(line) {
  return line
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => cell.trim());
}

function table(lines) {
  const [head, ...rows] = takeWhile(lines, RULES[3].start.test.bind(RULES[3].start));
  const body = rows.filter((line) => !/^[|\s:-]+$/.test(line));
  const row = (line, tag) =>
    h(
      "tr",
      {},
      cells(line).map((cell) => h(tag, {}, inline(cell))),
    );
  const drawn = h(
    "table",
    { class: "table" },
    h("thead", {}, row(head, "th")),
    h(
      "tbody",
      {},
      body.map((line) => row(line, "td")),
    ),
  );
  return h("div", { class: "table-frame" }, drawn);
}

function paragraph(lines) {
  const own = takeWhile(lines, (line) => line.trim() && !RULES.some(({ start }) => start.test(line)));
  return h(
    "p",
    {},
    own.flatMap((line, index) => [index ? h("br") : "", inline(line)]),
  );
}
