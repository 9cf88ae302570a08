"""Typed text as Slack's client and server encode it."""

import re
from collections.abc import Callable

from sandbox.slack.workspace import Workspace

REFERENCE = re.compile(
    r"<@(?P<user>[UW]\w+)(\|[^>]*)?>|<#(?P<channel>C\w+)(\|[^>]*)?>"
    r"|<!subteam\^(?P<group>S\w+)(\|[^>]*)?>"
)
NAME = re.compile(r"(?<![\w<@#/.-])[@#][a-z0-9][\w-]*")
ADDRESS = re.compile(r"(?<![<|\w])https?://[^\s<>|]+")
Converter = Callable[[str], str]
BROADCASTS = ("@channel", "@here", "@everyone")


class TypedText:
    """Converts names into references, and back."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def message(self, text: str) -> str:
        """The text of a message: escaped, with references and marked links."""
        return self._convert(text, self._escaped, lambda reference: reference)

    def command(self, text: str, *, escape: bool) -> str:
        """The text of a slash command: with references when the manifest says should_escape."""
        if not escape:
            return self._convert(text, lambda plain: plain, self._name)
        return self._convert(text, self._linked, self._labelled)

    def _convert(self, text: str, plain: Converter, reference: Converter) -> str:
        text = NAME.sub(lambda match: self._reference(match[0]), text)
        parts, end = [], 0
        for match in REFERENCE.finditer(text):
            if not self._is_known(match):
                continue
            parts += [plain(text[end : match.start()]), reference(match[0])]
            end = match.end()
        return "".join([*parts, plain(text[end:])])

    def _is_known(self, match: re.Match[str]) -> bool:
        workspace = self.workspace
        places = (
            ("user", workspace.users),
            ("channel", workspace.channels),
            ("group", workspace.groups),
        )
        return any(match[name] in known for name, known in places if match[name])

    def _reference(self, name: str) -> str:
        workspace, bare = self.workspace, name[1:]
        if name[0] == "#":
            return next(
                (
                    f"<#{channel.id}|{bare}>"
                    for channel in workspace.channels.values()
                    if channel.name == bare
                ),
                name,
            )
        for user in workspace.users.values():
            if user.handle == bare:
                return f"<@{user.id}>"
        for group in workspace.groups.values():
            if group.handle == bare:
                return f"<!subteam^{group.id}>"
        return name

    def _labelled(self, reference: str) -> str:
        match = REFERENCE.fullmatch(reference)
        assert match is not None
        if object_id := match["user"]:
            return f"<@{object_id}|{self.workspace.users[object_id].handle}>"
        if object_id := match["channel"]:
            return f"<#{object_id}|{self.workspace.channels[object_id].name}>"
        return f"<!subteam^{match['group']}|@{self.workspace.groups[match['group']].handle}>"

    def _name(self, reference: str) -> str:
        label = self._labelled(reference).partition("|")[2].rstrip(">")
        return {"<@": "@", "<#": "#"}.get(reference[:2], "") + label

    def _linked(self, text: str) -> str:
        return ADDRESS.sub(lambda match: f"<{match[0]}>", text)

    def _escaped(self, text: str) -> str:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for name in BROADCASTS:
            text = re.sub(rf"(?<!\w){name}\b", f"<!{name[1:]}>", text)
        return self._linked(text)
