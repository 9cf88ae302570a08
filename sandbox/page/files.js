import { h, replace } from "./dom.js";
import { icon } from "./icons.js";

const PREVIEW_LINES = 6;
const TEXT = /^text\/|json|yaml|xml|javascript/;

const contents = new Map();

function address(file) {
  return `/sandbox/files/${file.id}`;
}

function content(file) {
  if (!contents.has(file.id)) {
    contents.set(
      file.id,
      fetch(address(file))
        .then((answer) => (answer.ok ? answer.text() : ""))
        .catch(() => ""),
    );
  }
  return contents.get(file.id);
}

function size(bytes) {
  if (!bytes) return "";
  return bytes < 1024
    ? `${bytes} B`
    : bytes < 1024 ** 2
      ? `${Math.round(bytes / 1024)} KB`
      : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

export function fileNode(file) {
  const name = file.name ?? file.title ?? file.id;
  const textual =
    TEXT.test(file.mimetype ?? "text/plain") || /\.(md|txt|log|ya?ml|json|diff|csv)$/i.test(name);
  const head = h(
    "div",
    { class: "file-head" },
    h("span", { class: "file-icon" }, icon("file", 20)),
    h(
      "div",
      { class: "file-names" },
      h("div", { class: "file-title" }, file.title || name),
      h(
        "div",
        { class: "file-note" },
        [file.title && file.title !== name ? name : null, size(file.size)].filter(Boolean).join(" · "),
      ),
    ),
    h(
      "a",
      {
        class: "ghost",
        href: address(file),
        download: name,
        title: `Download ${name}`,
        "aria-label": `Download ${name}`,
        data: { testid: "file-download" },
      },
      icon("download", 18),
    ),
  );
  return h("div", { class: "file", data: { file: file.id, testid: "file" } }, head, textual && snippet(file));
}

function snippet(file) {
  const body = h("pre", { class: "snippet", tabindex: 0, "aria-label": "File content" });
  const more = h("button", { type: "button", class: "snippet-more", data: { testid: "file-expand" } });
  let open = false;

  async function draw() {
    const lines = (await content(file)).replace(/\n$/, "").split("\n");
    const long = lines.length > PREVIEW_LINES;
    const shown = open ? lines : lines.slice(0, PREVIEW_LINES);
    replace(
      body,
      shown.map((line) => h("span", { class: "line-of-text" }, `${line}\n`)),
    );
    body.classList.toggle("open", open);
    more.hidden = !long;
    more.setAttribute("aria-expanded", String(open));
    replace(more, icon(open ? "up" : "down", 14), open ? "Collapse" : `Expand · ${lines.length} lines`);
  }

  more.addEventListener("click", () => {
    open = !open;
    draw();
  });
  draw();
  return h("div", { class: "snippet-frame" }, body, more);
}
