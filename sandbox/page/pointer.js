let release = null;
let pressed = null;

// Resolves when no button of the mouse is held: a click needs its button in one place from mouse-down to mouse-up.
export function pointerReleased() {
  return pressed;
}

function hold() {
  pressed ??= new Promise((resolve) => (release = resolve));
}

// The click itself comes after mouse-up, and must find what was pressed.
function letGo() {
  setTimeout(() => {
    release?.();
    release = pressed = null;
  });
}

document.addEventListener("pointerdown", hold, true);
for (const event of ["pointerup", "pointercancel", "dragend"])
  document.addEventListener(event, letGo, true);
window.addEventListener("blur", letGo);
