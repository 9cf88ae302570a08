"""What people read in Slack, as values: a card's fields, a step, a request, a form.

Everything is as a person sees it: a mention is a name, a date is its text in UTC, no mark of
bold or italic type is left, and what was escaped is a character again.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

Obj = dict[str, Any]
Read = Callable[[str], str]

MARK = re.compile(r"<([!@#])([^<>|]*)(?:\|([^<>]*))?>|<(https?://[^<>|]*)(?:\|([^<>]*))?>")
BOLD_OR_ITALIC = re.compile(
    r"(?<![\w*])\*([^*\n]+)\*(?![\w*])|(?<!\w)_((?:[^_\n]|(?<=\w)_(?=\w))+)_(?!\w)"
)
FIELD = re.compile(r"[A-Z][\w ]+: ")
LABEL = re.compile(r"\*([^*]+):\* ")
DATE = re.compile(r"^<!date\^[^<>]*>\s+")
DUE = re.compile(r" · due .+$")
HEADING = re.compile(r"^(:\w+:) (SEV-\d) · (INC-\d+) · (.*)$")
STEP = re.compile(r"^\d+\. (.+?)(?:  try this before [^`]+)?(?:  recommended)?(?:   `.*`)?$")
REQUEST = re.compile(r"^:(?:wrench|leftwards_arrow_with_hook): (.+) requested by (.+)$")
STATE = re.compile(r"^:\w+: (?:\*(.+?)\.?\*|(Needs \d+ more approvals?)) ?(.*)$")


@dataclass(frozen=True)
class Post:
    """A message: its lines, buttons and files, and its thread."""

    ts: str
    author: str
    lines: tuple[str, ...]
    buttons: tuple[str, ...]
    files: tuple[str, ...]
    thread: tuple["Post", ...]

    @property
    def heading(self) -> str:
        """The first line; empty where the message is only a file."""
        return self.lines[0] if self.lines else ""

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Item:
    """A step of the playbook or a task: what stands below its title, and what can be pressed."""

    title: str
    lines: tuple[str, ...]
    buttons: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The first line below the title; empty where there is none."""
        return self.lines[0] if self.lines else ""

    @property
    def state(self) -> str:
        """The last line below the title; empty where there is none."""
        return self.lines[-1] if self.lines else ""


@dataclass(frozen=True)
class Execution:
    """A change from its request to its outcome.

    `loss` is what stands before the plan, `plan` has its lines by their label, `state` is such as
    “Needs 1 more approval” or “Done and checked”, `outcome` what is said behind it, `notes` what is
    said below.
    """

    title: str
    requested_by: str
    reason: str
    loss: str
    plan: Mapping[str, str]
    warnings: tuple[str, ...]
    diff: str
    approvals: tuple[str, ...]
    state: str
    outcome: str
    notes: tuple[str, ...]
    buttons: tuple[str, ...]
    thread: tuple[Post, ...]


@dataclass(frozen=True)
class Field:
    """An input of a form; `value` is what stands in it at first, `options` what a menu offers."""

    label: str
    value: str
    options: tuple[str, ...]
    hint: str
    optional: bool


@dataclass(frozen=True)
class Form:
    """A form: its words, and its inputs by their names."""

    title: str
    text: str
    fields: Mapping[str, Field]


def reader(names: Mapping[str, str]) -> Read:
    """A function that makes mrkdwn readable; `names` are those of people, groups, channels."""

    def read(mrkdwn: str) -> str:
        shown = MARK.sub(lambda mark: _mark(mark, names), mrkdwn)
        plain = BOLD_OR_ITALIC.sub(lambda part: part[1] or part[2], shown)
        return html.unescape(BOLD_OR_ITALIC.sub(lambda part: part[1] or part[2], plain))

    return read


def _mark(mark: re.Match[str], names: Mapping[str, str]) -> str:
    kind, name, fallback, address, title = mark.groups()
    if address:
        return f"[{title}]({address})" if title else str(address)
    if kind == "!" and not name.startswith("subteam^"):
        return str(fallback or f"@{name}")
    sign = "#" if kind == "#" else "@"
    return sign + names.get(name.removeprefix("subteam^"), name)


def posts(messages: list[Obj], names: Mapping[str, str]) -> list[Post]:
    """The messages that people or the bot wrote, not those of Slack itself."""
    written = [
        message
        for message in messages
        if not str(message.get("subtype", "")).startswith("channel_")
    ]
    return [_post(message, names) for message in written]


def _post(message: Obj, names: Mapping[str, str]) -> Post:
    blocks, read = message.get("blocks", []), reader(names)
    texts = [text for block in blocks for text in _texts(block)] or [message["text"]]
    return Post(
        message["ts"],
        names.get(message["user"], message["user"]),
        tuple(line for text in texts for line in read(text).splitlines()),
        tuple(button for block in blocks for button in _buttons(block)),
        tuple(file["name"] for file in message.get("files", [])),
        tuple(posts(message.get("replies", []), names)),
    )


def card(messages: list[Obj], read: Read) -> dict[str, str]:
    """The fields of an incident's card, with those of its heading and its small print."""
    [message] = [message for message in messages if _is_card(message)]
    colour, severity, name, title = _heading(message["blocks"][0])
    shown = {"Colour": colour, "Severity": severity, "Name": name, "Title": title}
    for block in message["blocks"][1:]:
        for field in block.get("fields", []):
            label, _, value = read(field["text"]).partition("\n")
            shown[label] = value
        if block["type"] == "section" and "text" in block:
            shown |= _labelled(block["text"]["text"], read)
        if block["type"] == "context":
            shown["Small print"] = "\n".join(map(read, _texts(block)))
    return shown


def _labelled(mrkdwn: str, read: Read) -> dict[str, str]:
    """The lines of a paragraph by their labels; one without a label tells what is in force."""
    shown: dict[str, str] = {}
    for line in mrkdwn.splitlines():
        found = LABEL.match(line)
        label, value = (found[1], line[found.end() :]) if found else ("In force", line)
        label = {":bulb:": "Proposed", ":mega:": "Customers"}.get(line.split(" ")[0], label)
        shown[label] = "\n".join(filter(None, (shown.get(label), read(value))))
    return shown


def _is_card(message: Obj) -> bool:
    return _has_header(message) and any("fields" in block for block in message["blocks"])


def _has_header(message: Obj) -> bool:
    return bool(message.get("blocks")) and message["blocks"][0]["type"] == "header"


def _heading(block: Obj) -> tuple[str, ...]:
    found = HEADING.fullmatch(block["text"]["text"])
    assert found is not None
    return found.groups()


def steps(messages: list[Obj], read: Read) -> dict[str, Item]:
    """The steps of all playbooks by their ids; by their titles once nothing can be pressed."""
    return {
        name: item
        for message in messages
        if _has_header(message) and _first_text(message).startswith(":notebook: ")
        for name, item in _items(message["blocks"], "step:", read)
    }


def tasks(messages: list[Obj], read: Read) -> list[Item]:
    """The tasks of all lists, in the order in which they are shown."""
    return [
        item
        for message in messages
        for name, item in _items(message.get("blocks", []), "task:", read)
        if name.isdecimal()
    ]


def _items(blocks: list[Obj], prefix: str, read: Read) -> Iterator[tuple[str, Item]]:
    """What one line of a list says, with the row of buttons that follows it."""
    for block, following in pairwise([*blocks, {}]):
        if block["type"] != "section" or "text" not in block:
            continue
        row = following if following.get("type") == "actions" else {}
        first, *lines = read(block["text"]["text"]).splitlines()
        found = STEP.fullmatch(first)
        title = found[1] if found else DUE.sub("", first)
        block_id = next(
            (part["block_id"] for part in (block, row) if _has_id(part, prefix)), f"{prefix}{title}"
        )
        yield (
            block_id.removeprefix(prefix),
            Item(title, tuple(lines), (*_buttons(block), *_buttons(row))),
        )


def _has_id(block: Obj, prefix: str) -> bool:
    return str(block.get("block_id", "")).startswith(prefix)


def executions(messages: list[Obj], names: Mapping[str, str]) -> list[Execution]:
    """The changes that were asked for, the oldest first."""
    read = reader(names)
    return [
        _execution(message, names)
        for message in messages
        if message.get("blocks") and REQUEST.match(read(_first_text(message)).split("\n")[0])
    ]


def _execution(message: Obj, names: Mapping[str, str]) -> Execution:
    read, blocks = reader(names), message["blocks"]
    first, *reason = read(_first_text(message)).splitlines()
    found = REQUEST.fullmatch(first)
    assert found is not None
    sections = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    context = [text for block in blocks if block["type"] == "context" for text in _texts(block)]
    planned = [line for text in (*sections[1:-1], *context) for line in read(text).splitlines()]
    loss = list(takewhile(lambda line: not line.startswith("Plan: "), planned))
    planned = planned[len(loss) :]
    approvals, state, outcome, notes = _state(sections[-1].splitlines(), read)
    return Execution(
        title=found[1],
        requested_by=found[2],
        reason="\n".join(line.removeprefix(">") for line in reason),
        loss="\n".join(loss),
        plan=dict(line.split(": ", 1) for line in planned if FIELD.match(line)),
        warnings=tuple(line for line in planned if line.startswith(":")),
        diff="\n".join(
            text for block in blocks if block["type"] == "rich_text" for text in _texts(block)
        ),
        approvals=approvals,
        state=state,
        outcome=outcome,
        notes=notes,
        buttons=tuple(button for block in blocks for button in _buttons(block)),
        thread=tuple(posts(message.get("replies", []), names)),
    )


def _state(lines: list[str], read: Read) -> tuple[tuple[str, ...], str, str, tuple[str, ...]]:
    """Who approved it, the state, what is said behind that, and the lines below."""
    approved = ":heavy_check_mark: Approved by "
    approvals = [read(line.removeprefix(approved)) for line in lines if line.startswith(approved)]
    first, *notes = [line for line in lines if line and not line.startswith(approved)]
    found = STATE.fullmatch(first)
    state, outcome = (found[1] or found[2], found[3]) if found else (first, "")
    return tuple(approvals), read(state), read(outcome), tuple(map(read, notes))


def form(view: Obj, read: Read) -> Form:
    """A form, as it stands there when it opens."""
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    others = [block for block in view["blocks"] if block["type"] != "input"]
    words = "\n".join(read(text) for block in others for text in _texts(block))
    return Form(
        view["title"]["text"], words, {block["block_id"]: _field(block) for block in inputs}
    )


def _field(block: Obj) -> Field:
    element = block["element"]
    chosen = element.get("initial_option")
    value = chosen["text"]["text"] if chosen else element.get("initial_value", "")
    return Field(
        block["label"]["text"],
        str(value),
        tuple(option["text"]["text"] for option in element.get("options", [])),
        block.get("hint", {}).get("text", ""),
        bool(block.get("optional", False)),
    )


def timeline(message: Obj, read: Read) -> list[str]:
    """The entries of a timeline, each without its time."""
    texts = [text for block in message["blocks"] for text in _texts(block)]
    return [read(DATE.sub("", text)) for text in texts[1:]]


def _first_text(message: Obj) -> str:
    return str(message["blocks"][0].get("text", {}).get("text", ""))


def _texts(content: Any) -> list[str]:
    """Every text of a block in reading order, but those on buttons and in menus."""
    if isinstance(content, list):
        return [text for part in content for text in _texts(part)]
    if not isinstance(content, dict) or content.get("action_id"):
        return []
    own = [content["text"]] if isinstance(content.get("text"), str) else []
    return own + [text for part in content.values() for text in _texts(part)]


def _buttons(block: Obj) -> list[str]:
    """What is written on the buttons of a block, and behind its three dots."""
    elements = [*block.get("elements", []), block.get("accessory", {})]
    return [text for element in elements for text in _labels(element)]


def _labels(element: Obj) -> list[str]:
    match element.get("type"):
        case "button":
            return [element["text"]["text"]]
        case "overflow":
            return [option["text"]["text"] for option in element["options"]]
        case _:
            return []
