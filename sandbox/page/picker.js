import { h, replace } from "./dom.js";
import { emoji, emojiNames } from "./emoji.js";
import { closePopup, openPopup } from "./popup.js";

export function pickEmoji(anchor, onPick) {
  const search = h("input", {
    class: "option-search",
    type: "text",
    placeholder: "Search all emoji",
    "aria-label": "Search all emoji",
  });
  const grid = h("div", { class: "emoji-grid" });
  const choose = (name) => {
    closePopup();
    onPick(name);
  };
  const draw = () =>
    replace(
      grid,
      emojiNames(search.value.trim().toLowerCase()).map((name) =>
        h(
          "button",
          {
            type: "button",
            title: `:${name}:`,
            "aria-label": name,
            data: { emoji: name },
            on: { click: () => choose(name) },
          },
          emoji(name),
        ),
      ),
    );
  search.addEventListener("input", draw);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && grid.firstChild) choose(grid.firstChild.dataset.emoji);
  });
  draw();
  openPopup(anchor, [search, grid], { label: "Emoji", className: "popup-emoji", side: "above" });
  search.focus();
}
