import { state } from "./state.js";

const SETTLE = 40;

// Bursts of changes (a declare makes a dozen) are answered with one fetch of each kind.
export function live(refetch) {
  let source;
  let timer;
  let pending = [];

  function flush() {
    timer = undefined;
    const changes = pending;
    pending = [];
    refetch(changes);
  }

  function note(change) {
    pending.push(change);
    timer ??= setTimeout(flush, SETTLE);
  }

  function connect() {
    source?.close();
    const mine = new EventSource(`/sandbox/live?user=${state.person}`);
    source = mine;
    let opened = false;
    mine.addEventListener("open", () => {
      document.body.classList.remove("offline");
      // What happened while the stream was down was never announced.
      if (opened) note({ kind: "everything" });
      opened = true;
    });
    mine.addEventListener("change", (event) => note(JSON.parse(event.data)));
    mine.addEventListener("error", () => document.body.classList.add("offline"));
  }

  return { connect };
}
