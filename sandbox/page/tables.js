import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { plain } from "./mrkdwn.js";
import { richText, richTextWords } from "./richtext.js";

const PAGE = 5;
// A cell up to this long stays in one line, and the frame scrolls.
const LINE = 44;

function cellNode(cell, surface, blockId, draw) {
  if (!cell) return "";
  if (cell.type === "rich_text") return richText(cell);
  if (cell.type === "action") return draw(cell.element ?? cell.action, surface, blockId);
  return plain(String(cell.text ?? cell.value ?? ""));
}

export function table(block, surface, draw) {
  const settings = block.column_settings ?? [];
  const drawn = (row, tag) =>
    h(
      "tr",
      {},
      row.map((cell, column) =>
        h(tag, { class: columnClass(settings[column]) }, cellNode(cell, surface, block.block_id, draw)),
      ),
    );
  const [head, ...rows] = block.rows;
  return h(
    "div",
    { class: "table-frame", tabindex: 0, role: "region", "aria-label": "Table" },
    h(
      "table",
      { class: "table" },
      h("thead", {}, drawn(head, "th")),
      h(
        "tbody",
        {},
        rows.map((row) => drawn(row, "td")),
      ),
    ),
  );
}

function columnClass(setting) {
  return [`align-${setting?.align ?? "left"}`, setting?.is_wrapped ? "wrapped" : "unwrapped"].join(" ");
}

export function dataTable(block, surface, draw) {
  const [head, ...rows] = block.rows;
  const view = { sort: null, down: false, page: 0, size: block.page_size ?? PAGE };
  const frame = h("div", { class: "table-frame", tabindex: 0, role: "region", "aria-label": block.caption });
  const pager = h("div", { class: "pager" });

  function update() {
    const sorted = view.sort === null ? rows : sortRows(rows, view.sort, view.down);
    const shown = sorted.slice(view.page * view.size, (view.page + 1) * view.size);
    replace(
      frame,
      h(
        "table",
        { class: "table" },
        h("caption", { class: "unseen" }, block.caption),
        h("thead", {}, h("tr", {}, head.map(header))),
        h("tbody", {}, shown.map(row)),
      ),
    );
    replace(pager, pages(rows.length, view, update));
  }

  function header(cell, column) {
    const active = view.sort === column;
    const press = () => {
      Object.assign(view, { sort: column, down: active && !view.down, page: 0 });
      update();
    };
    const mark = active ? icon(view.down ? "down" : "up", 14) : null;
    const button = h(
      "button",
      { type: "button", class: "sorter", on: { click: press } },
      richTextWords(cell),
      mark,
    );
    return h("th", { "aria-sort": active ? (view.down ? "descending" : "ascending") : "none" }, button);
  }

  function row(own) {
    return h(
      "tr",
      {},
      own.map((cell, column) =>
        h(
          column === (block.row_header_column_index ?? 0) ? "th" : "td",
          { class: dataClass(cell) },
          cellNode(cell, surface, block.block_id, draw),
        ),
      ),
    );
  }

  update();
  return h(
    "div",
    { class: "data-table" },
    h("div", { class: "data-table-caption" }, block.caption),
    frame,
    pager,
  );
}

function dataClass(cell) {
  if (cell.type === "raw_number") return "align-right";
  const words = cell.type === "rich_text" ? richTextWords(cell) : String(cell.text ?? "");
  return words.length <= LINE ? "unwrapped" : "long";
}

function sortable(cell) {
  if (cell?.type === "raw_number") return Number(cell.value ?? cell.text);
  return cell ? richTextWords(cell) : "";
}

function sortRows(rows, column, down) {
  const order = (a, b) => {
    const [left, right] = [sortable(a[column]), sortable(b[column])];
    const both = typeof left === "number" && typeof right === "number";
    return both ? left - right : String(left).localeCompare(String(right), "en", { numeric: true });
  };
  const sorted = [...rows].sort(order);
  return down ? sorted.reverse() : sorted;
}

function pages(count, view, update) {
  const last = Math.ceil(count / view.size) - 1;
  if (last < 1) return null;
  const step = (by) => () => {
    view.page += by;
    update();
  };
  return [
    h("span", {}, `${view.page * view.size + 1}–${Math.min(count, (view.page + 1) * view.size)} of ${count}`),
    h(
      "button",
      {
        type: "button",
        class: "ghost",
        "aria-label": "Previous page",
        disabled: view.page === 0,
        on: { click: step(-1) },
      },
      icon("back", 16),
    ),
    h(
      "button",
      {
        type: "button",
        class: "ghost",
        "aria-label": "Next page",
        disabled: view.page === last,
        on: { click: step(1) },
      },
      icon("right", 16),
    ),
  ];
}
