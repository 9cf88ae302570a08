import { toast } from "./toast.js";
import { state } from "./state.js";

export class Refusal extends Error {
  constructor(sentence, answer = {}) {
    super(sentence);
    this.answer = answer;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal("The sandbox does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok || answer.ok === false) {
    throw new Refusal(answer.error ?? `The sandbox answered ${response.status}.`, answer);
  }
  return answer;
}

export function get(path, query = {}) {
  const search = new URLSearchParams(query).toString();
  return ask(`/sandbox/${path}${search ? `?${search}` : ""}`);
}

export function post(path, body) {
  return ask(`/sandbox/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: state.person, client: state.client, ...body }),
  });
}

// For what a person pressed: a refusal becomes a toast, and the caller learns that it failed.
export async function attempt(promise) {
  try {
    return await promise;
  } catch (refusal) {
    toast(refusal.message);
    return null;
  }
}
