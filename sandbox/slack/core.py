"""The state that every part of the simulated Slack shares."""

import time
from typing import Any

from sandbox.slack import render
from sandbox.slack.deliveries import Deliveries, Delivery
from sandbox.slack.errors import Obj, SlackError
from sandbox.slack.faults import Faults
from sandbox.slack.limits import Limits
from sandbox.slack.manifest import Manifest
from sandbox.slack.model import Channel, Message, ResponseUrl, Trigger, User
from sandbox.slack.workspace import APP_ID, BOT_USER_ID, TEAM_ID, Workspace

TRIGGER_SECONDS = 3.0
RESPONSE_URL_USES, RESPONSE_URL_SECONDS = 5, 1800.0
KINDS_OF_CHANNEL = {"message.channels": "channel", "message.groups": "group", "message.im": "im"}


class Core:
    """The workspace, the app's permissions, and the ways to reach the app."""

    def __init__(self, manifest: Manifest, *, rate_limits: bool, pace: float) -> None:
        self.manifest = manifest
        self.pace = pace
        self.workspace = Workspace(manifest.bot_name)
        secret = self.workspace.ids.secret
        self.bot_token = f"xoxb-2938471029384-{secret()}"
        self.app_token = f"xapp-1-{APP_ID}-{secret(40)}"
        self.signing_secret = secret(32).lower()
        self.verification_token = secret()
        self.limits = Limits(rate_limits, pace)
        self.faults = Faults()
        self.deliveries = Deliveries(self.signing_secret, pace)
        self.free_plan = False
        self.ignores_force = False
        self.names_refused = True
        self.trigger_seconds = TRIGGER_SECONDS
        self.file_seconds = 0.2

    @property
    def url(self) -> str:
        """The address of this Slack."""
        return self.workspace.url

    # What comes with every interaction.

    def trigger(self, user: User, view_id: str | None = None, client: str = "") -> str:
        """Create a trigger id."""
        trigger_id = f"{self.workspace.ids.secret(13)}.{self.workspace.ids.secret(32).lower()}"
        self.workspace.triggers[trigger_id] = Trigger(
            trigger_id, user.id, time.monotonic(), view_id, client
        )
        return trigger_id

    def spend_trigger(self, trigger_id: str) -> Trigger:
        """Use up a trigger id, which is valid once and for three seconds; raises SlackError."""
        trigger = self.workspace.triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.spent:
            raise SlackError("exchanged_trigger_id")
        if trigger.expired or time.monotonic() - trigger.made > self.trigger_seconds:
            raise SlackError("expired_trigger_id")
        trigger.spent = True
        return trigger

    def response_url(self, user: User, channel: Channel, message: Message | None = None) -> str:
        """Create a response_url for one interaction."""
        path = (
            f"/actions/{TEAM_ID}/{len(self.workspace.response_urls)}/{self.workspace.ids.secret()}"
        )
        url = ResponseUrl(path, user.id, channel.id, time.monotonic())
        if message is not None:
            url.ts, url.thread_ts = message.ts, message.thread_ts
        self.workspace.response_urls[path] = url
        return self.url + path

    # Events.

    def event_payload(self, event: Obj) -> Obj:
        """An event in its envelope."""
        return {
            "token": self.verification_token,
            "team_id": TEAM_ID,
            "api_app_id": APP_ID,
            "event": {"event_ts": self.workspace.ids.ts(), **event},
            "type": "event_callback",
            "event_id": self.workspace.ids.new("Ev"),
            "event_time": int(time.time()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": TEAM_ID,
                    "user_id": BOT_USER_ID,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
        }

    async def event(self, name: str, event: Obj, channel: Channel | None = None) -> Delivery | None:
        """Deliver an event and wait, if the app is subscribed and a member; None otherwise."""
        if not self.is_subscribed(name, channel):
            return None
        return await self.deliveries.event(self.event_payload(event))

    def announce(self, name: str, event: Obj, channel: Channel | None = None) -> None:
        """Deliver an event in the background."""
        if self.is_subscribed(name, channel):
            self.deliveries.background(self.deliveries.event(self.event_payload(event)))

    def is_subscribed(self, name: str, channel: Channel | None) -> bool:
        """Whether the app is subscribed to the event and a member of the channel."""
        here = channel is None or self.workspace.has_bot(channel)
        return here and self.manifest.subscribes_to(name)

    def post(self, message: Message) -> Message:
        """Post a message and announce it to the app."""
        self.workspace.post(message)
        if not message.ephemeral_to:
            self.announce(
                self.message_event_name(message),
                self.message_event(message),
                self._channel_of(message),
            )
        return message

    def post_system_message(self, channel: Channel, user: str, subtype: str, text: str) -> Message:
        """Post a system message of Slack and announce it."""
        message = Message(self.workspace.ids.ts(), channel.id, user, text, subtype=subtype)
        return self.post(message)

    def message_event(self, message: Message) -> Obj:
        """The event of a message."""
        shown = render.as_message(self.workspace, message)
        kind = KINDS_OF_CHANNEL[self.message_event_name(message)]
        return {**shown, "channel": message.channel, "channel_type": kind}

    def message_event_name(self, message: Message) -> str:
        """The event type that a message is announced as."""
        channel = self._channel_of(message)
        if channel.im_with:
            return "message.im"
        return "message.groups" if channel.private else "message.channels"

    def _channel_of(self, message: Message) -> Channel:
        return self.workspace.channels[message.channel]

    def join(self, channel: Channel, user: str) -> None:
        """Add a user to a channel, with the message and the event of Slack."""
        channel.members.append(user)
        self.post_system_message(channel, user, "channel_join", f"<@{user}> has joined the channel")
        event: dict[str, Any] = {
            "type": "member_joined_channel",
            "user": user,
            "channel": channel.id,
            "channel_type": "C",
            "team": TEAM_ID,
        }
        self.announce("member_joined_channel", event, channel)
        self.workspace.changed("channels", channel.id)

    def leave(self, channel: Channel, user: str) -> None:
        """Remove a user from a channel, with the message of Slack."""
        channel.members.remove(user)
        self.post_system_message(channel, user, "channel_leave", f"<@{user}> has left the channel")
        self.workspace.changed("channels", channel.id)
