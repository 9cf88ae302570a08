import { h } from "./dom.js";
import { dateNode } from "./dates.js";
import { emoji, glyph, withEmoji } from "./emoji.js";
import { channelNamed, displayName, groupNamed, person } from "./people.js";
import { state } from "./state.js";

const SAFE_LINK = /^(https?:|mailto:|tel:)/i;

function unescape(text) {
  return text.replace(/&(lt|gt|amp);/g, (all, name) => ({ lt: "<", gt: ">", amp: "&" })[name]);
}

export function plain(text) {
  return withEmoji(unescape(text ?? ""));
}

export function textNode(spec) {
  if (!spec) return [];
  if (typeof spec === "string") return plain(spec);
  return spec.type === "mrkdwn" ? mrkdwn(spec.text) : plain(spec.text);
}

export function mrkdwn(text) {
  return (text ?? "")
    .split(/```([\s\S]*?)```/)
    .flatMap((part, index) =>
      index % 2
        ? h("pre", { class: "pre" }, codeText(part.replace(/^\n|\n$/g, "")))
        : paragraphs(part, index > 0),
    );
}

function paragraphs(text, afterPre) {
  const lines = (afterPre ? text.replace(/^\n/, "") : text).split("\n");
  const runs = [];
  for (const line of lines) {
    const quote = /^(&gt;|>) ?/.exec(line);
    const last = runs.at(-1);
    const body = quote ? line.slice(quote[0].length) : line;
    if (last && last.quote === Boolean(quote)) last.lines.push(body);
    else runs.push({ quote: Boolean(quote), lines: [body] });
  }
  return runs.flatMap(({ quote, lines: own }) =>
    quote ? h("blockquote", {}, joinLines(own)) : joinLines(own),
  );
}

function joinLines(lines) {
  return lines.flatMap((line, index) => (index ? [h("br"), ...inline(line)] : inline(line)));
}

// A delimiter inside <…>, :emoji: or `code` does not end the styled run around it.
function styled(mark) {
  const edge = `[\\p{L}\\p{N}${mark}]`;
  const inside = `(?:<[^<>\\n]*>|:[a-z0-9_+\\-]+:|\`[^\`\\n]+\`|[^${mark}\\n<])+?`;
  return `(?<!${edge})[${mark}](?=[^\\s${mark}])(${inside})(?<=\\S)[${mark}](?!${edge})`;
}

const INLINE = new RegExp(
  [
    "`([^`\\n]+)`",
    "<([^<>\\n]+)>",
    ":([a-z0-9_+'\\-]+):",
    styled("*"),
    styled("_"),
    styled("~"),
    "(https?:\\/\\/[^\\s<>|]*[^\\s<>|.,!?;:)\\]'\"])",
  ].join("|"),
  "gu",
);

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const node = token(match, match.index === 0);
    if (!node) continue;
    nodes.push(unescape(text.slice(from, match.index)), node);
    from = match.index + match[0].length;
  }
  nodes.push(unescape(text.slice(from)));
  return nodes.filter((node) => node !== "");
}

function token([, code, control, short, bold, italic, strike, url], first) {
  if (code !== undefined) return h("code", {}, codeText(code));
  if (control !== undefined) return controlNode(control, first);
  if (short !== undefined) return glyph(short) ? emoji(short) : null;
  if (bold !== undefined) return h("b", {}, inline(bold));
  if (italic !== undefined) return h("i", {}, inline(italic));
  if (strike !== undefined) return h("s", {}, inline(strike));
  return link(unescape(url));
}

function codeText(text) {
  return unescape(text.replace(/<([^<>\n|]+)(?:\|([^<>\n]*))?>/g, (all, target, label) => label ?? target));
}

function controlNode(control, first) {
  if (control.startsWith("@")) return mention(control.slice(1));
  if (control.startsWith("#")) return channelLink(control.slice(1));
  if (control.startsWith("!")) return special(control.slice(1), first);
  const [url, label] = split(control);
  return link(unescape(url), label === undefined ? undefined : inline(label));
}

function split(text) {
  const bar = text.indexOf("|");
  return bar < 0 ? [text, undefined] : [text.slice(0, bar), text.slice(bar + 1)];
}

export function link(url, label = url.replace(/^mailto:/, "")) {
  if (!SAFE_LINK.test(url)) return h("span", {}, label);
  return h("a", { href: url, target: "_blank", rel: "noreferrer" }, label);
}

export function mention(idAndName) {
  const [id, name] = split(idAndName);
  const label = person(id) ? displayName(id) : (name ?? id);
  const mine = person(id)?.name === state.person;
  return h(
    "span",
    { class: mine ? "mention mention-me" : "mention", data: { user: id } },
    `@${unescape(label)}`,
  );
}

export function channelLink(idAndName) {
  const [id, name] = split(idAndName);
  const label = channelNamed(id)?.name ?? name ?? id;
  const open = () => document.dispatchEvent(new CustomEvent("open-channel", { detail: label }));
  return h(
    "button",
    { type: "button", class: "mention", data: { channelLink: label }, on: { click: open } },
    `#${unescape(label)}`,
  );
}

export function groupMention(id, label) {
  const name = groupNamed(id)?.handle ?? label?.replace(/^@/, "") ?? id;
  return h("span", { class: "mention", data: { usergroup: id } }, `@${unescape(name)}`);
}

export function broadcast(range) {
  return h("span", { class: "mention mention-me" }, `@${range}`);
}

function special(text, first) {
  const [head, label] = split(text);
  const [kind, ...rest] = head.split("^");
  if (kind === "subteam") return groupMention(rest[0], label);
  if (kind === "date") return date(rest, label, first);
  return broadcast(kind);
}

function date([unix, pattern, target], fallback, first) {
  if (!/^\d+$/.test(unix ?? "") || !pattern) return h("span", {}, unescape(fallback ?? ""));
  const url = target && SAFE_LINK.test(target) ? unescape(target) : undefined;
  return dateNode(Number(unix), unescape(pattern), { link: url, fallback: unescape(fallback ?? ""), first });
}
