import { redraw } from "./dom.js";
import { icon } from "./icons.js";

// Light or dark: as the system prefers, until a person chooses the other; who chooses what the system prefers follows it again.
const KEY = "theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function shown() {
  return document.documentElement.dataset.theme || preferred();
}

function preferred() {
  return system.matches ? "dark" : "light";
}

function other() {
  return shown() === "dark" ? "light" : "dark";
}

function choose(theme) {
  if (theme === preferred()) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  document.documentElement.dataset.theme = localStorage.getItem(KEY) ?? "";
}

export function mountTheme(button) {
  const draw = () => {
    const words = `Switch to ${other()} colours`;
    button.title = words;
    button.setAttribute("aria-label", words);
    redraw(button, other(), () => icon(other() === "dark" ? "moon" : "sun"));
  };
  button.addEventListener("click", () => {
    choose(other());
    draw();
  });
  system.addEventListener("change", draw);
  draw();
}
