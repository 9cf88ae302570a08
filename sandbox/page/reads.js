import { state } from "./state.js";

// How far each person has read, kept by this browser.
const KEY = "read";

function all() {
  return JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
}

function name(channel) {
  return `${state.person}/${channel.id}`;
}

export function readUntil(channel) {
  return all()[name(channel)] ?? null;
}

export function markRead(channel, ts) {
  if (Number(readUntil(channel) ?? 0) >= Number(ts)) return;
  sessionStorage.setItem(KEY, JSON.stringify({ ...all(), [name(channel)]: ts }));
}
