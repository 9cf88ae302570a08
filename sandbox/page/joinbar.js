import { attempt, post } from "./api.js";
import { h, redraw } from "./dom.js";

// Instead of the composer, where somebody only looks in: Slack lets nobody speak in a channel from outside.
export class JoinBar {
  node = h("div", { class: "join-bar", hidden: true, data: { testid: "join-bar" } });

  show(channel) {
    this.node.hidden = !channel || channel.is_member !== false || channel.is_archived;
    redraw(this.node, channel?.name, () => [
      h("p", {}, h("b", {}, `#${channel?.name}`)),
      h(
        "button",
        {
          type: "button",
          class: "button primary",
          data: { testid: "join" },
          on: { click: () => attempt(post("join", { channel: channel.id })) },
        },
        "Join channel",
      ),
    ]);
  }
}
