"""What a person typed, as Slack's client and server write it down."""

import re
from collections.abc import Callable

from sandbox.slack.workspace import Workspace

REFERENCE = re.compile(
    r"<@(?P<user>[UW]\w+)(\|[^>]*)?>|<#(?P<channel>C\w+)(\|[^>]*)?>"
    r"|<!subteam\^(?P<group>S\w+)(\|[^>]*)?>"
)
NAME = re.compile(r"(?<![\w<@#/.-])[@#][a-z0-9][\w-]*")
ADDRESS = re.compile(r"(?<![<|\w])https?://[^\s<>|]+")
Change = Callable[[str], str]
EVERYBODY = ("@channel", "@here", "@everyone")


class Words:
    """Turns names into references, and back."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def message(self, text: str) -> str:
        """A message: characters escaped, people and channels as references, links marked."""
        return self._each(text, self._escaped, lambda reference: reference)

    def command(self, text: str, *, escape: bool) -> str:
        """The text of a slash command: with references where the manifest asks for them."""
        if not escape:
            return self._each(text, lambda plain: plain, self._name)
        return self._each(text, self._linked, self._labelled)

    def _each(self, text: str, plain: Change, reference: Change) -> str:
        text = NAME.sub(lambda found: self._reference(found[0]), text)
        pieces, at = [], 0
        for found in REFERENCE.finditer(text):
            if not self._is_known(found):
                continue
            pieces += [plain(text[at : found.start()]), reference(found[0])]
            at = found.end()
        return "".join([*pieces, plain(text[at:])])

    def _is_known(self, found: re.Match[str]) -> bool:
        workspace = self.workspace
        places = (
            ("user", workspace.users),
            ("channel", workspace.channels),
            ("group", workspace.groups),
        )
        return any(found[name] in known for name, known in places if found[name])

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
        found = REFERENCE.fullmatch(reference)
        assert found is not None
        if id := found["user"]:
            return f"<@{id}|{self.workspace.users[id].handle}>"
        if id := found["channel"]:
            return f"<#{id}|{self.workspace.channels[id].name}>"
        return f"<!subteam^{found['group']}|@{self.workspace.groups[found['group']].handle}>"

    def _name(self, reference: str) -> str:
        label = self._labelled(reference).partition("|")[2].rstrip(">")
        return {"<@": "@", "<#": "#"}.get(reference[:2], "") + label

    def _linked(self, text: str) -> str:
        return ADDRESS.sub(lambda found: f"<{found[0]}>", text)

    def _escaped(self, text: str) -> str:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for name in EVERYBODY:
            text = re.sub(rf"(?<!\w){name}\b", f"<!{name[1:]}>", text)
        return self._linked(text)
