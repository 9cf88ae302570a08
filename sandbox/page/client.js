import { state } from "./state.js";

// A tab is one client of Slack: the forms that it opened are seen in it alone, and come back after a reload.
const KEY = "client";
const PATIENCE = 1000;

export async function nameClient() {
  const known = sessionStorage.getItem(KEY);
  state.client = known && (await isMine(known)) ? known : fresh();
  sessionStorage.setItem(KEY, state.client);
}

function fresh() {
  const name = crypto.getRandomValues(new Uint32Array(4)).join("-");
  isMine(name);
  return name;
}

// A tab that was duplicated has the name of the first, which holds it as long as it is open.
function isMine(name) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((settle) => {
    const held = () => {
      settle(true);
      return new Promise(() => {});
    };
    navigator.locks
      .request(`client ${name}`, { signal: AbortSignal.timeout(PATIENCE) }, held)
      .catch(() => settle(false));
  });
}
