import { attempt, post } from "./api.js";
import { h, redraw } from "./dom.js";

// Instead of the composer, where nobody can speak: from outside of a channel, or to an app that listens to nobody.
export class JoinBar {
  node = h("div", { class: "join-bar", hidden: true, data: { testid: "join-bar" } });

  show(channel) {
    const outside = channel?.is_member === false && !channel.is_archived;
    this.node.hidden = !outside && !channel?.is_read_only;
    redraw(this.node, [channel?.name, channel?.is_read_only, outside], () => [
      channel?.is_read_only && h("p", {}, "Sending messages to this app has been turned off."),
      ...(outside ? this.#join(channel) : []),
    ]);
  }

  #join(channel) {
    return [
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
    ];
  }
}
