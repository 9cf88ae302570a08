"""The app manifest: scopes, commands, shortcuts and events."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox.slack.errors import Obj

# An event comes only when the app may read what it tells.
EVENT_SCOPES = {
    "app_mention": "app_mentions:read",
    "channel_archive": "channels:read",
    "channel_created": "channels:read",
    "channel_rename": "channels:read",
    "channel_unarchive": "channels:read",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "pin_added": "pins:read",
    "pin_removed": "pins:read",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
}


@dataclass
class Manifest:
    """The parts of an app manifest that decide what Slack sends and allows."""

    name: str
    bot_name: str
    scopes: set[str] = field(default_factory=set)
    commands: dict[str, Obj] = field(default_factory=dict)
    shortcuts: list[Obj] = field(default_factory=list)
    events: set[str] = field(default_factory=set)
    interactive: bool = False
    home_tab: bool = False
    messages_tab: bool = True
    messages_read_only: bool = False
    socket_mode: bool = False

    @property
    def can_be_written_to(self) -> bool:
        """Whether people may send the app direct messages."""
        return self.messages_tab and not self.messages_read_only

    def subscribes_to(self, event: str) -> bool:
        """Whether Slack sends this event to the app."""
        needed = EVENT_SCOPES.get(event)
        return event in self.events and (needed is None or needed in self.scopes)


def read(path: Path) -> Manifest:
    """Read a manifest written in YAML."""
    manifest = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    features = _part(manifest, "features")
    settings = _part(manifest, "settings")
    home = _part(features, "app_home")
    name = _part(manifest, "display_information").get("name", "app")
    commands = features.get("slash_commands") or []
    return Manifest(
        name=name,
        bot_name=_part(features, "bot_user").get("display_name", name.lower()),
        scopes=set(_part(manifest, "oauth_config", "scopes").get("bot") or []),
        commands={command["command"]: command for command in commands},
        shortcuts=list(features.get("shortcuts") or []),
        events=set(_part(settings, "event_subscriptions").get("bot_events") or []),
        interactive=bool(_part(settings, "interactivity").get("is_enabled")),
        home_tab=bool(home.get("home_tab_enabled")),
        messages_tab=bool(home.get("messages_tab_enabled", True)),
        messages_read_only=bool(home.get("messages_tab_read_only_enabled")),
        socket_mode=bool(settings.get("socket_mode_enabled")),
    )


def _part(part: Any, *names: str) -> Obj:
    for name in names:
        part = (part or {}).get(name)
    return part or {}
