// What is on screen, and nothing else: the server holds everything that is true.

export const TEAMS = [
  { name: "Orders", people: ["oncall", "second", "lead"] },
  { name: "Payments", people: ["payments-oncall", "payments-lead"] },
  { name: "Others", people: ["outsider"] },
];
const PEOPLE = TEAMS.flatMap((team) => team.people);

export const state = {
  client: null,
  person: "oncall",
  channel: null,
  page: "channel",
  thread: null,
  channels: [],
  messages: [],
  views: [],
  home: null,
  commands: [],
  shortcuts: [],
  scenarios: [],
  changing: false,
};

export function currentChannel() {
  return state.channels.find((channel) => channel.name === state.channel);
}

// How requests name the conversation: direct ones have no name of their own.
export function conversation() {
  const channel = currentChannel();
  return channel?.is_im ? channel.id : state.channel;
}

// The address names person and place, so that a reload, a bookmark or a second tab comes back here.
export function readAddress() {
  const [person, place] = decodeURIComponent(location.hash.slice(1)).split("/").filter(Boolean);
  if (PEOPLE.includes(person)) state.person = person;
  if (place === "@home") state.page = "home";
  else if (place) Object.assign(state, { page: "channel", channel: place });
}

export function writeAddress() {
  const place = state.page === "home" ? "@home" : (state.channel ?? "");
  history.replaceState(null, "", `#/${state.person}/${place}`);
}
