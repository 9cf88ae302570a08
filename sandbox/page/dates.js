import { h } from "./dom.js";

const DAY = 86_400;

function local(unix, options) {
  return new Date(unix * 1000).toLocaleString("en-US", options);
}

function dayNumber(unix) {
  const date = new Date(unix * 1000);
  return Math.floor(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 1000 / DAY);
}

function nearby(unix) {
  const away = dayNumber(unix) - dayNumber(Date.now() / 1000);
  return { "-1": "Yesterday", 0: "Today", 1: "Tomorrow" }[away];
}

function ordinal(unix) {
  const day = new Date(unix * 1000).getDate();
  const suffix = { 1: "st", 2: "nd", 3: "rd" }[day % 10];
  return `${day}${suffix && (day < 11 || day > 13) ? suffix : "th"}`;
}

function yearIfOther(unix) {
  const year = new Date(unix * 1000).getFullYear();
  return year === new Date().getFullYear() ? "" : `, ${year}`;
}

export function time(unix) {
  return local(unix, { hour: "numeric", minute: "2-digit" });
}

export function fullTime(unix) {
  return `${nearby(unix) ?? local(unix, { month: "short", day: "numeric" })} at ${local(unix, { hour: "numeric", minute: "2-digit", second: "2-digit" })}`;
}

export function dayLabel(unix) {
  const long = `${local(unix, { weekday: "long" })}, ${local(unix, { month: "long" })} ${ordinal(unix)}`;
  return nearby(unix) ?? long + yearIfOther(unix);
}

export function dayKey(unix) {
  return String(dayNumber(unix));
}

function plural(count, unit) {
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

const UNITS = [
  [DAY, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];

function ago(unix) {
  const seconds = Math.round(Date.now() / 1000 - unix);
  const away = Math.abs(seconds);
  if (away < 5) return "just now";
  const [size, unit] = UNITS.find(([least]) => away >= least);
  // What is 48 hours away is in 2 days, a second later too.
  return seconds < 0
    ? `in ${plural(Math.round(away / size), unit)}`
    : `${plural(Math.floor(away / size), unit)} ago`;
}

const SHORT = { month: "short", day: "numeric", year: "numeric" };
const LONG = { weekday: "long", month: "long", day: "numeric", year: "numeric" };
const MEDIUM = { month: "long", day: "numeric", year: "numeric" };

const TOKENS = {
  date_num: (unix) =>
    new Date((unix - new Date(unix * 1000).getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 10),
  date_slash: (unix) => local(unix, { month: "2-digit", day: "2-digit", year: "numeric" }),
  date: (unix) => local(unix, MEDIUM),
  date_short: (unix) => local(unix, SHORT),
  date_long: (unix) => local(unix, LONG),
  date_pretty: (unix) => nearby(unix)?.toLowerCase() ?? local(unix, MEDIUM),
  date_short_pretty: (unix) => nearby(unix)?.toLowerCase() ?? local(unix, SHORT),
  date_long_pretty: (unix) => nearby(unix)?.toLowerCase() ?? local(unix, LONG),
  day_divider_pretty: dayLabel,
  time,
  time_secs: (unix) => local(unix, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago,
};

function format(unix, pattern, first) {
  const text = pattern.replace(/\{(\w+)\}/g, (all, token) => TOKENS[token]?.(unix) ?? all);
  return first ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

// `first`: it begins its line, so that "today" is written "Today".
export function dateNode(unix, pattern, { link, fallback, first } = {}) {
  const words = h(
    "time",
    {
      datetime: new Date(unix * 1000).toISOString(),
      title: fallback || format(unix, "{date_long} {time_secs}"),
    },
    format(unix, pattern, first),
  );
  if (pattern.includes("{ago}")) {
    words.dataset.ticking = "";
    ticking.set(words, () => format(unix, pattern, first));
  }
  return link ? h("a", { href: link, target: "_blank", rel: "noreferrer" }, words) : words;
}

const ticking = new WeakMap();

// Relative times tick where they stand; their messages are not drawn again for it.
setInterval(() => {
  for (const node of document.querySelectorAll("time[data-ticking]")) {
    const text = ticking.get(node)();
    if (node.textContent !== text) node.textContent = text;
  }
}, 1000);
