"""A YAML file as plain values that know their line and column."""

import functools
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20

# The keys and positions that lead from the top of a file to a value; and its line and column.
Place = tuple[str | int, ...]
Spot = tuple[int, int]

# The file itself, when no line of it is to blame.
NOWHERE: Spot = (0, 0)


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing wrong with a file, and where; line 0 is the file itself."""

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.file}{place}: {self.text}"


class Page:
    """One file while it is read: its value, where each part of it is, and what is wrong."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self.value: Any = None
        self.mistakes: list[Mistake] = []
        self._spots: dict[Place, Spot] = {(): (1, 1)}
        self._keys: dict[Place, Spot] = {}

    def wrong(self, spot: Spot, text: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(self.file, *spot, text))

    def is_wrong(self, spot: Spot) -> bool:
        """Whether a mistake is noted there already."""
        return any((mistake.line, mistake.column) == spot for mistake in self.mistakes)

    def nearest(self, place: Place) -> Place:
        """The place itself, or the nearest one around it that the file has."""
        while place not in self._spots:
            place = place[:-1]
        return place

    def spot(self, place: Place) -> Spot:
        """Where a value is, or the nearest one around it."""
        return self._spots[self.nearest(place)]

    def key_spot(self, place: Place) -> Spot:
        """Where the key of a value is, or the value itself when it stands in a list."""
        return self._keys.get(place) or self.spot(place)

    def rename(self, place: Place, name: str) -> bool:
        """Give a key another name, and say whether that was free; its spot stays the same."""
        around, renamed = self.value_at(place[:-1]), (*place[:-1], name)
        if name in around:
            return False
        around[name] = around.pop(place[-1])
        for spots in (self._spots, self._keys):
            for old in [known for known in spots if known[: len(place)] == place]:
                spots[renamed + old[len(place) :]] = spots.pop(old)
        return True

    def value_at(self, place: Place) -> Any:
        """The value at a place that the file has."""
        return functools.reduce(lambda value, key: value[key], place, self.value)

    def keep(self, node: yaml.Node, place: Place = ()) -> Any:
        """The plain value of a node; remembers where it and its parts are."""
        self._spots[place] = _spot(node.start_mark)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG}map":
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG}seq":
            return [self.keep(item, (*place, at)) for at, item in enumerate(node.value)]
        try:
            return _scalar(node)
        except ValueError as error:
            self.wrong(self._spots[place], str(error))

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in node.value:
            inside = (*place, str(key.value))
            spot = _spot(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self.wrong(spot, "expects a word as key")
            elif key.value in kept:
                first = self._keys[inside][0]
                self.wrong(spot, f'key "{key.value}" is here twice, first on line {first}')
            else:
                self._keys[inside] = spot
                kept[key.value] = self.keep(value, inside)
        return kept


def read(file: Path) -> Page:
    """Read one file; what cannot be read or is not YAML is the page's only mistake."""
    page = Page(file)
    try:
        text = _text(file)
        node = _composed(text)
    except OSError as error:
        page.wrong(NOWHERE, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        page.wrong((error.object.count(b"\n", 0, error.start) + 1, 1), "expects text in UTF-8")
    except yaml.reader.ReaderError as error:
        page.wrong(spot_at(text, error.position), "is not YAML: a character is not printable")
    except yaml.MarkedYAMLError as error:
        page.wrong(_spot(error.problem_mark or error.context_mark), _not_yaml(error))
    except ValueError as error:
        page.wrong(NOWHERE, str(error))
    else:
        page.value = page.keep(node) if node else None
    return page


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        found = opened.read(MAX_BYTES + 1)
    if len(found) > MAX_BYTES:
        raise ValueError(f"expects at most {MAX_BYTES // 1024} KiB")
    return found.decode("utf-8-sig")


def _composed(text: str) -> yaml.Node | None:
    """Parsed in C, a fifth of the time; what it refuses is read again for clearer words."""
    with suppress(yaml.YAMLError):
        return yaml.compose(text, Loader=_Quick)
    return yaml.compose(text, Loader=_Clear)


def _not_yaml(error: yaml.MarkedYAMLError) -> str:
    text = ", ".join(part for part in (error.context, error.problem) if part)
    if "'\\t'" in text:
        return f"is not YAML: {text}; indent with spaces"
    if "mapping values" in text:
        return f"is not YAML: {text}; put text with a colon in quotes"
    return f"is not YAML: {text}"


class _Composer(Composer, Resolver):
    """Words stay words: of YAML 1.1's guesses (No, 1:30, 010) only the plain ones are kept."""

    depth = 0
    peek_event: Any  # of the parser that it stands before
    check_event: Any

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        mark = self.peek_event().start_mark
        # A few lines of aliases can stand for billions of values.
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=mark)
        if self.depth == MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Quick(_Composer, yaml.CSafeLoader):
    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        self.anchors = {}


class _Clear(_Composer, yaml.SafeLoader):
    pass


TAG = "tag:yaml.org,2002:"
_Composer.yaml_implicit_resolvers = {}
for _tag, _form, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|True|false|False", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9]\d{0,17})", list("-+0123456789")),
    ("float", r"[-+]?\d+\.\d+", list("-+0123456789")),
):
    _Composer.add_implicit_resolver(TAG + _tag, re.compile(rf"^(?:{_form})$"), _first)

# Neither Postgres nor JSON can hold these.
UNUSABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]")


def _scalar(node: yaml.Node) -> Any:
    """Raises ValueError for anything but text, a number, true, false or nothing."""
    match node.tag.removeprefix(TAG):
        case "str" if UNUSABLE.search(node.value):
            raise ValueError("expects text without control characters")
        case "str":
            return node.value
        case "null":
            return None
        case "bool" if node.value.lower() in ("true", "false"):
            return node.value.lower() == "true"
        case "int":
            return int(node.value)
        case "float":
            return float(node.value)
    raise ValueError(f"expects plain YAML, not the tag {node.tag}")


def _spot(mark: yaml.Mark | None) -> Spot:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def spot_at(text: str, position: int) -> Spot:
    """The line and column of a character."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
