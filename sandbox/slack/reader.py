"""What users see in Slack, for tests."""

from dataclasses import dataclass
from typing import Any

from sandbox.slack.blocks import interactive_elements, iter_blocks
from sandbox.slack.control import Control
from sandbox.slack.errors import Obj, Refusal
from sandbox.slack.model import Channel, User
from sandbox.slack.users import Users
from sandbox.slack.views import as_view
from sandbox.slack.workspace import Workspace, identity


@dataclass(frozen=True)
class Button:
    """An interactive element, and where it is."""

    action_id: str
    block_id: str
    element: Obj
    channel: str | None = None
    ts: str | None = None
    view_id: str | None = None

    @property
    def value(self) -> str | None:
        """The value that is sent with a press."""
        return self.element.get("value")

    @property
    def text(self) -> str:
        """Its label."""
        return str(self.element.get("text", {}).get("text", ""))


class Reader:
    """Reads the workspace as a user sees it."""

    workspace: Workspace
    _users: Users
    _control: Control

    def messages(self, channel: str, user: str | None = None) -> list[Obj]:
        """A channel's messages as a user sees them, threads nested; without a user, all of them."""
        return self._users.messages(channel, user)

    def text(self, channel: str, user: str | None = None) -> str:
        """All text in a channel with threads and blocks, without Slack's own messages."""
        messages = [shown for top in self.messages(channel, user) for shown in _with_replies(top)]
        written = [
            message
            for message in messages
            if not str(message.get("subtype", "")).startswith("channel_")
        ]
        return "\n".join(line for message in written for line in _lines(message))

    def ephemerals(self, channel: str, user: str) -> list[Obj]:
        """The ephemeral messages that a user sees in a channel."""
        messages = [
            message for top in self.messages(channel, user) for message in _with_replies(top)
        ]
        return [message for message in messages if message["ephemeral"]]

    def views(self, user: str) -> list[Obj]:
        """A user's open modals, the topmost last."""
        stack = self.workspace.stacks.get(self.workspace.user(user).id, [])
        return [as_view(view, identity()) for view in stack]

    def home(self, user: str) -> Obj | None:
        """A user's Home of the app, if it was published."""
        view = self.workspace.homes.get(self.workspace.user(user).id)
        return as_view(view, identity()) if view else None

    def channels(self, user: str | None = None) -> list[Obj]:
        """Every channel that a user can see."""
        channels: list[Obj] = self._control.channels({"user": user})["channels"]
        return channels

    def channel(self, name: str) -> Channel:
        """A channel by its name or id; raises Refusal."""
        return self.workspace.channel(name)

    def user(self, name: str) -> User:
        """Somebody by handle or id; raises Refusal."""
        return self.workspace.user(name)

    def notifications(self, user: str) -> list[Obj]:
        """The mentions of a user."""
        user_id = self.workspace.user(user).id
        return [note for note in self.workspace.notifications if note["user"] == user_id]

    def file(self, file_id: str) -> bytes:
        """The content of a file."""
        return self.workspace.files[file_id].content or b""

    def find_buttons(
        self, wanted: str, channel: str | None = None, user: str | None = None
    ) -> list[Button]:
        """The elements with this action_id or text, in a channel or in a user's views."""
        return [
            button
            for button in self._buttons(channel, user)
            if wanted in (button.action_id, button.text)
        ]

    def find_button(
        self, wanted: str, channel: str | None = None, user: str | None = None
    ) -> Button:
        """The newest of `find_buttons`; raises Refusal when there is none."""
        buttons = self.find_buttons(wanted, channel, user)
        if not buttons:
            raise Refusal(
                f"There is no button {wanted} in {channel or 'the views of ' + str(user)}."
            )
        return buttons[-1]

    def _buttons(self, channel: str | None, user: str | None) -> list[Button]:
        if channel is None:
            home = self.home(user) if user else None
            views = [*([home] if home else []), *self.views(user or "")]
            return [
                Button(element["action_id"], block["block_id"], element, view_id=view["id"])
                for view in views
                for block in iter_blocks(view["blocks"])
                for element in interactive_elements(block)
            ]
        messages = [
            message for top in self.messages(channel, user) for message in _with_replies(top)
        ]
        return [
            Button(element["action_id"], block["block_id"], element, channel, message["ts"])
            for message in sorted(messages, key=lambda message: str(message["ts"]))
            for block in iter_blocks(message.get("blocks", []))
            for element in interactive_elements(block)
        ]


def _with_replies(message: Obj) -> list[Obj]:
    return [message, *message.get("replies", [])]


def _lines(message: Obj) -> list[str]:
    words = [
        message["text"],
        *_words(message.get("blocks", [])),
        *_words(message.get("attachments", [])),
    ]
    return [*filter(None, words), *(file["name"] for file in message.get("files", []))]


def _words(content: Any) -> list[str]:
    """Every text inside of blocks, in reading order."""
    if isinstance(content, list):
        return [word for part in content for word in _words(part)]
    if not isinstance(content, dict):
        return []
    own = [
        value
        for key, value in content.items()
        if key in ("text", "title", "caption") and isinstance(value, str)
    ]
    return own + [
        word
        for value in content.values()
        if isinstance(value, dict | list)
        for word in _words(value)
    ]
