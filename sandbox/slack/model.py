"""The objects of a workspace."""

import time
from dataclasses import dataclass, field, replace
from typing import Literal

from sandbox.slack.errors import Obj

Kind = Literal["member", "guest", "single_channel_guest", "bot", "stranger"]


@dataclass
class User:
    """A user of this workspace or of another one."""

    handle: str
    real_name: str
    title: str = ""
    kind: Kind = "member"
    deactivated: bool = False
    id: str = ""
    team_id: str = ""
    color: str = "9f69e7"
    email: str = ""


@dataclass
class Group:
    """A user group."""

    id: str
    handle: str
    name: str
    members: list[str]


@dataclass
class File:
    """A file, also while its upload is pending."""

    id: str
    name: str
    length: int
    owner: str
    title: str = ""
    content: bytes | None = None
    shared: bool = False
    secret: str = ""
    created: int = field(default_factory=lambda: int(time.time()))


@dataclass
class Message:
    """One message; an ephemeral one names its only reader in `ephemeral_to`."""

    ts: str
    channel: str
    user: str
    text: str = ""
    blocks: list[Obj] = field(default_factory=list)
    attachments: list[Obj] = field(default_factory=list)
    bot: bool = False
    subtype: str = ""
    thread_ts: str = ""
    ephemeral_to: str = ""
    edited: str = ""
    username: str = ""
    metadata: Obj | None = None
    files: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    before: "tuple[Message, ...]" = ()  # as it was drawn earlier, the oldest first

    def redraw(self, content: Obj) -> None:
        """Replace text or blocks; the earlier versions stay pressable."""
        self.before = (*self.before, replace(self, before=()))
        for part, value in content.items():
            setattr(self, part, value)

    @property
    def is_reply(self) -> bool:
        """Whether it stands in somebody else's thread."""
        return bool(self.thread_ts) and self.thread_ts != self.ts


@dataclass
class Channel:
    """A conversation."""

    id: str
    name: str
    creator: str
    created: int
    members: list[str] = field(default_factory=list)
    private: bool = False
    archived: bool = False
    im_with: str = ""
    topic: str = ""
    topic_by: str = ""
    purpose: str = ""
    messages: list[Message] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)
    bookmarks: list[Obj] = field(default_factory=list)
    read: dict[str, str] = field(default_factory=dict)


@dataclass
class View:
    """A modal that is open, or a Home that was published."""

    id: str
    user: str
    spec: Obj
    hash: str
    root_id: str
    previous_id: str | None = None
    filled: dict[str, Obj] = field(default_factory=dict)
    origin: str = ""
    client: str = ""  # where it was opened: a modal is seen there and nowhere else


@dataclass
class Trigger:
    """The right to open one modal in the client it came from, valid for three seconds."""

    id: str
    user: str
    made: float
    view_id: str | None = None
    client: str = ""
    spent: bool = False
    expired: bool = False


@dataclass
class ResponseUrl:
    """A way to answer one interaction: five times within half an hour."""

    path: str
    user: str
    channel: str
    made: float
    ts: str = ""
    thread_ts: str = ""
    uses: int = 0


@dataclass
class Call:
    """One call of the Web API, with its answer."""

    time: float
    method: str
    arguments: Obj
    answer: Obj = field(default_factory=dict)
    status: int = 0
    seconds: float = 0.0
    in_flight: int = 1

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return bool(self.answer.get("ok"))
