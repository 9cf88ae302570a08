import { get } from "./api.js";
import { forgetOthers } from "./form.js";
import { learnChannels, learnUsers } from "./people.js";
import { conversation, currentChannel, state } from "./state.js";

// Each brings one part of `state` up to what the server says.

export async function fetchUsers() {
  const { users, usergroups } = await get("users");
  learnUsers(users, usergroups);
}

export async function fetchChannels() {
  const { channels } = await get("channels", { user: state.person });
  state.channels = channels;
  learnChannels(channels);
  if (!currentChannel()) state.channel = firstChannel();
}

function firstChannel() {
  const mine = state.channels.filter((channel) => channel.is_member !== false && !channel.is_im);
  return (mine.find((channel) => channel.name === "incidents") ?? mine[0] ?? state.channels[0])?.name ?? null;
}

export async function fetchMessages() {
  if (!state.channel) return;
  const [channel, person] = [state.channel, state.person];
  const { messages } = await get("messages", { channel: conversation(), user: person });
  // The answer may be late: somebody else may be looking at something else by now.
  if (channel === state.channel && person === state.person) state.messages = messages;
}

export async function fetchViews() {
  const person = state.person;
  const { views, home } = await get("views", { user: person, client: state.client });
  if (person !== state.person) return;
  Object.assign(state, { views: views.map(drawn), home: home && drawn(home) });
  forgetOthers(person, [...views, home].filter(Boolean).map((view) => view.id));
}

// What was filled in is held by the form; that the server knows it too is no reason to draw a view anew.
function drawn(view) {
  return { ...view, state: undefined, hash: undefined };
}

export async function fetchScenarios() {
  const { scenarios, changing } = await get("scenarios");
  Object.assign(state, { scenarios, changing });
}

export async function fetchManners() {
  const [{ commands }, { shortcuts }] = await Promise.all([get("commands"), get("shortcuts")]);
  Object.assign(state, { commands: commands ?? [], shortcuts: shortcuts ?? [] });
}
