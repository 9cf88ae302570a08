"""The workspace: users, channels, files and views, and the watchers of its changes."""

import asyncio
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sandbox.slack.errors import Obj, Refusal, SlackError
from sandbox.slack.ids import Ids
from sandbox.slack.model import (
    Call,
    Channel,
    File,
    Group,
    Message,
    ResponseUrl,
    Trigger,
    User,
    View,
)

TEAM_ID, STRANGERS_TEAM_ID = "T0AQ7RUNB2L", "T0ZXELSEWH1"
APP_ID, BOT_ID, BOT_USER_ID = "A0AR4BLT8QK", "B0AR5M3XV7N", "U0AR4LTQ9ZB"
DOMAIN, TEAM_NAME = "tickettoken", "Tickettoken"
SLACKBOT = "USLACKBOT"

PEOPLE = (
    User("oncall", "Maya Okafor", "On-call engineer", id="U0AM4Y8K2FR", color="7048e8"),
    User("second", "Jonas Weber", "Second engineer", id="U0AJ9W3B7RN", color="0c8599"),
    User("lead", "Priya Raman", "Engineering lead", id="U0AP5R1MN8A", color="c2255c"),
    User("payments-oncall", "Nadia Haddad", "Payments on-call", id="U0AN7P2YQ5C", color="2b8a3e"),
    User("payments-lead", "Theo Laurent", "Payments lead", id="U0AT3L8RV6D", color="1864ab"),
    User("outsider", "Oskar Lind", "Marketing", id="U0AL6D2SK4O", color="e8590c"),
)
GROUPS = (
    ("S0AAPR0V3RS", "order-service-approvers", ("oncall", "second", "lead")),
    ("S0ARESP0ND5", "order-service-responders", ("oncall", "second")),
    ("S0APAYAPPRV", "payment-service-approvers", ("payments-oncall", "payments-lead")),
    ("S0APAY0NCAL", "payment-service-oncall", ("payments-oncall",)),
    ("S0AENGLEAD1", "engineering-lead", ("lead",)),
    ("S0ADEV0PS77", "devops-team", ("second",)),
)
CHANNELS = (
    ("C0AGEN3RAL1", "general", "Everything that concerns everybody"),
    ("C0ANC1D3NT5", "incidents", "Every incident is announced here"),
    ("C0APAYMENT5", "payments", "The payments team"),
    ("C0ARAND0M77", "random", "All the rest"),
    ("C0ASTATUS03", "status", "What customers are told"),
)

SAVED = ("users", "groups", "channels", "files", "homes")

Watcher = Callable[[Obj], None]


class Workspace:
    """The content of a Slack workspace."""

    def __init__(self, bot_name: str) -> None:
        self.ids = Ids()
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.stacks: dict[str, list[View]] = {}  # by person, those of all clients
        self.homes: dict[str, View] = {}
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.notifications: list[Obj] = []
        self.calls: list[Call] = []
        self.watchers: set[Watcher] = set()
        self.changed_event = asyncio.Event()
        self.url = ""
        self._seed(bot_name)

    def _seed(self, bot_name: str) -> None:
        for person in PEOPLE:
            self.add_user(User(**vars(person)))
        bot = User(bot_name, bot_name.capitalize(), "App", kind="bot", id=BOT_USER_ID)
        self.add_user(bot)
        self.add_user(User("slackbot", "Slackbot", kind="bot", id=SLACKBOT))
        for object_id, handle, members in GROUPS:
            member_ids = [self.user(member).id for member in members]
            self.groups[object_id] = Group(
                object_id, handle, handle.replace("-", " ").capitalize(), member_ids
            )
        user_ids = [self.user(person.handle).id for person in PEOPLE]
        for object_id, name, purpose in CHANNELS:
            created = int(time.time()) - 86_400
            channel = Channel(
                object_id, name, user_ids[2], created, list(user_ids), purpose=purpose
            )
            self.channels[object_id] = channel

    def save(self, file: Path) -> None:
        """Save users, groups, channels with messages, files and Homes."""
        file.write_bytes(pickle.dumps({name: getattr(self, name) for name in SAVED}))

    def restore(self, file: Path) -> None:
        """Load what `save` wrote; unpickling is safe only because the file is our own."""
        for name, value in pickle.loads(file.read_bytes()).items():
            setattr(self, name, value)

    def changed(self, kind: str, channel: str | None = None) -> None:
        """Notify every watcher."""
        note: Obj = {"kind": kind} if channel is None else {"kind": kind, "channel": channel}
        for watcher in list(self.watchers):
            watcher(note)
        self.changed_event.set()
        self.changed_event = asyncio.Event()

    def add_user(self, user: User) -> User:
        """Add a user, who is in no channel yet."""
        user.id = user.id or self.ids.new("U")
        stranger = user.kind == "stranger"
        user.team_id = user.team_id or (STRANGERS_TEAM_ID if stranger else TEAM_ID)
        user.email = user.email or f"{user.handle}@{DOMAIN}.example"
        self.users[user.id] = user
        self.changed("users")
        return user

    def add_channel(self, name: str, members: list[str], *, private: bool = False) -> Channel:
        """Add a channel of a user."""
        channel_id, now = self.ids.new("C"), int(time.time())
        channel = Channel(channel_id, name, members[0], now, list(members), private=private)
        self.channels[channel_id] = channel
        self.changed("channels", channel_id)
        return channel

    # What people name: handles and channel names; a mistake is a sentence.

    def user(self, name: str) -> User:
        """Somebody by handle or id; raises Refusal."""
        wanted = name.removeprefix("@")
        for user in self.users.values():
            if wanted in (user.id, user.handle):
                return user
        known = ", ".join(user.handle for user in self.users.values())
        raise Refusal(f"There is no user {name}. There are: {known}.")

    def channel(self, name: str) -> Channel:
        """A channel by name or id; raises Refusal."""
        wanted = name.removeprefix("#")
        for channel in self.channels.values():
            if wanted in (channel.id, channel.name):
                return channel
        raise Refusal(f"There is no channel {name}.")

    def message(self, channel: Channel, ts: str) -> Message:
        """A message by its timestamp; raises Refusal."""
        for message in channel.messages:
            if message.ts == ts:
                return message
        raise Refusal(f"There is no message {ts} in #{channel.name}.")

    # What an app names: ids only; a mistake is a code.

    def known_user(self, user_id: str) -> User:
        """Somebody by id; raises SlackError."""
        if user_id not in self.users:
            raise SlackError("user_not_found")
        return self.users[user_id]

    def known_channel(
        self, channel_id: str, *, member: bool = False, active: bool = False
    ) -> Channel:
        """A channel by id that the bot can see; raises SlackError."""
        channel = self.channels.get(channel_id)
        if channel is None or (channel.private and not self.has_bot(channel)):
            raise SlackError("channel_not_found")
        if member and not self.has_bot(channel):
            raise SlackError("not_in_channel")
        if active and channel.archived:
            raise SlackError("is_archived")
        return channel

    def known_message(self, channel: Channel, ts: str) -> Message:
        """A message by its timestamp, ephemeral ones excepted; raises SlackError."""
        for message in channel.messages:
            if message.ts == ts and not message.ephemeral_to:
                return message
        raise SlackError("message_not_found")

    def known_file(self, file_id: str) -> File:
        """A file by id; raises SlackError."""
        if file_id not in self.files:
            raise SlackError("file_not_found")
        return self.files[file_id]

    def has_bot(self, channel: Channel) -> bool:
        """Whether the bot is a member."""
        return BOT_USER_ID in channel.members

    def im(self, user: User) -> Channel:
        """The direct messages of the bot and a user, created when needed."""
        for channel in self.channels.values():
            if channel.im_with == user.id:
                return channel
        members = [user.id, BOT_USER_ID]
        channel_id = self.ids.new("D")
        made = Channel(channel_id, channel_id, user.id, int(time.time()), members, im_with=user.id)
        self.channels[channel_id] = made
        self.changed("channels", channel_id)
        return made

    def iter_views(self) -> Iterator[View]:
        """All open modals and Homes."""
        for stack in self.stacks.values():
            yield from stack
        yield from self.homes.values()

    def stack(self, user: str, client: str) -> list[View]:
        """The modals that are open in one client of a user, the topmost last."""
        return [view for view in self.stacks.get(user, []) if view.client == client]

    def close(self, views: list[View]) -> None:
        """Close modals."""
        for view in views:
            self.stacks[view.user].remove(view)
        self.changed("views")

    def view(self, view_id: str) -> View | None:
        """A view by id."""
        return next((view for view in self.iter_views() if view.id == view_id), None)

    def post(self, message: Message) -> Message:
        """Put a message into its channel."""
        channel = self.channels[message.channel]
        channel.messages.append(message)
        if not message.ephemeral_to:
            self._notify(channel, message)
        self.changed("messages", channel.id)
        return message

    def post_as_slackbot(
        self, channel: Channel, user: str, text: str, thread_ts: str = ""
    ) -> Message:
        """Post a message of Slackbot that only one user sees."""
        return self.post(
            Message(
                self.ids.ts(),
                channel.id,
                SLACKBOT,
                text,
                bot=True,
                username="Slackbot",
                ephemeral_to=user,
                thread_ts=thread_ts,
            )
        )

    def _notify(self, channel: Channel, message: Message) -> None:
        words = message.text + str(message.blocks)
        mentioned = {user for user in self.users if f"<@{user}" in words}
        mentioned |= {user for user in self.users if f"'user_id': '{user}'" in words}
        for group in self.groups.values():
            if f"<!subteam^{group.id}" in words:
                mentioned |= set(group.members)
        for mark in ("<!channel", "<!here", "<!everyone"):
            if mark in words:
                mentioned |= set(channel.members)
        for user in sorted(mentioned - {message.user}):
            note = {"user": user, "channel": channel.id, "ts": message.ts, "text": message.text}
            self.notifications.append(note)


def identity() -> Obj:
    """The app's ids, as in its views."""
    return {
        "team_id": TEAM_ID,
        "app_id": APP_ID,
        "bot_id": BOT_ID,
        "app_installed_team_id": TEAM_ID,
    }


def as_user(user: User, *, email: bool = False) -> Obj:
    """Somebody as `users.info` describes them."""
    bot = user.kind == "bot"
    guest = user.kind in ("guest", "single_channel_guest")
    profile: dict[str, Any] = {
        "title": user.title,
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.handle,
        "display_name_normalized": user.handle,
        "team": user.team_id,
    }
    if email and not bot:
        profile["email"] = user.email
    return {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.handle,
        "deleted": user.deactivated,
        "color": user.color,
        "real_name": user.real_name,
        "tz": "Europe/Berlin",
        "tz_label": "Central European Time",
        "tz_offset": 3600,
        "profile": profile,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": guest,
        "is_ultra_restricted": user.kind == "single_channel_guest",
        "is_bot": bot,
        "is_app_user": False,
        "is_stranger": user.kind == "stranger",
        "updated": 1_700_000_000,
    }
