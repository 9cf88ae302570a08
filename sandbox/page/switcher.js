import { h, redraw } from "./dom.js";
import { avatar, displayName, person } from "./people.js";
import { state, TEAMS } from "./state.js";

function duty(handle) {
  const title = person(handle)?.title ?? "";
  return title.charAt(0).toLowerCase() + title.slice(1);
}

// Whose eyes the page looks through: one press changes everything that is shown.
export function drawSwitcher(node, change) {
  const shown = TEAMS.flatMap((team) => team.people).map((handle) => [
    handle === state.person,
    displayName(handle),
    duty(handle),
  ]);
  redraw(node, shown, () => switcher(change));
}

function switcher(change) {
  return [
    h(
      "span",
      { class: "you", data: { testid: "you" } },
      "You are ",
      h("b", {}, displayName(state.person)),
      `, ${duty(state.person)}`,
    ),
    h(
      "span",
      { class: "teams", role: "group", "aria-label": "Switch person" },
      TEAMS.map((team) =>
        h(
          "span",
          { class: "switch", role: "group", "aria-label": team.name },
          h("span", { class: "team", "aria-hidden": "true" }, team.name),
          team.people.map((handle) => face(handle, change)),
        ),
      ),
    ),
  ];
}

function face(handle, change) {
  const mine = handle === state.person;
  const label = `${displayName(handle)}, ${duty(handle)}`;
  return h(
    "button",
    {
      type: "button",
      class: mine ? "face mine" : "face",
      "aria-pressed": String(mine),
      "aria-label": `Be ${label}`,
      title: label,
      data: { person: handle },
      on: { click: () => change(handle) },
    },
    avatar(person(handle)?.id ?? handle, 26),
  );
}
