"""Read a YAML file into plain values, and remember the line and column of each."""

import copy
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

# The keys and list indexes that lead from the top of a file to a value.
KeyPath = tuple[str | int, ...]

# A line and a column, both counted from 1.
Position = tuple[int, int]

# The position of a mistake that belongs to the file as a whole.
WHOLE_FILE: Position = (0, 0)


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One mistake in a file, with its line and column; line 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        position = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.file}{position}: {self.message}"


class SourceFile:
    """A parsed file: its value, the position of each part, and the mistakes found so far."""

    def __init__(self, file: Path) -> None:
        self.path = str(file)
        self.value: Any = None
        self.diagnostics: list[Diagnostic] = []
        # The names of values that are not known, by the positions of the texts that need them.
        self.unchecked: dict[Position, str] = {}
        self._positions: dict[KeyPath, Position] = {(): (1, 1)}
        self._key_positions: dict[KeyPath, Position] = {}

    def copy(self) -> "SourceFile":
        """The same value at the same positions, with a list of its own for further mistakes."""
        copied = copy.copy(self)
        copied.diagnostics = [*self.diagnostics]
        return copied

    def report(self, position: Position, message: str) -> None:
        """Add a mistake at a position."""
        self.diagnostics.append(Diagnostic(self.path, *position, message))

    def has_error_at(self, position: Position) -> bool:
        """Whether a mistake has been reported at this position."""
        return any((mistake.line, mistake.column) == position for mistake in self.diagnostics)

    def closest_existing(self, key_path: KeyPath) -> KeyPath:
        """The path itself, or the longest beginning of it that the file has."""
        while key_path not in self._positions:
            key_path = key_path[:-1]
        return key_path

    def position(self, key_path: KeyPath) -> Position:
        """Where a value starts; a value that the file lacks starts where its parent does."""
        return self._positions[self.closest_existing(key_path)]

    def key_position(self, key_path: KeyPath) -> Position:
        """Where the key of a value starts; an item of a list has no key, so the item itself."""
        return self._key_positions.get(key_path) or self.position(key_path)

    def rename(self, key_path: KeyPath, name: str) -> bool:
        """Give a key another name, and say whether that was free; its position stays the same."""
        parent, renamed = self.value_at(key_path[:-1]), (*key_path[:-1], name)
        if name in parent:
            return False
        parent[name] = parent.pop(key_path[-1])
        for positions in (self._positions, self._key_positions):
            for old in [known for known in positions if known[: len(key_path)] == key_path]:
                positions[renamed + old[len(key_path) :]] = positions.pop(old)
        return True

    def value_at(self, key_path: KeyPath) -> Any:
        """The value at a path that the file has."""
        return functools.reduce(lambda value, key: value[key], key_path, self.value)

    def convert(self, node: yaml.Node, key_path: KeyPath = ()) -> Any:
        """Convert a node to a plain value, and record the positions of it and its parts.

        A scalar that cannot be converted is reported as a mistake and becomes None.
        """
        self._positions[key_path] = _start_of(node.start_mark)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG_PREFIX}map":
            return self._convert_mapping(node, key_path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG_PREFIX}seq":
            return [self.convert(item, (*key_path, index)) for index, item in enumerate(node.value)]
        try:
            return _scalar(node)
        except ValueError as error:
            self.report(self._positions[key_path], str(error))

    def _convert_mapping(self, node: yaml.MappingNode, key_path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            child = (*key_path, str(key.value))
            position = _start_of(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self.report(position, "expects text as a key")
            elif key.value in mapping:
                first_line = self._key_positions[child][0]
                self.report(position, f'duplicate key "{key.value}", first on line {first_line}')
            else:
                self._key_positions[child] = position
                mapping[key.value] = self.convert(value, child)
        return mapping


def read(path: Path) -> SourceFile:
    """Read one file. Raises nothing: a file that is unreadable or not YAML has one mistake."""
    source = SourceFile(path)
    try:
        text = _read_text(path)
        node = _compose(text)
    except OSError as error:
        source.report(WHOLE_FILE, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        source.report((error.object.count(b"\n", 0, error.start) + 1, 1), "expects text in UTF-8")
    except yaml.reader.ReaderError as error:
        source.report(position_at(text, error.position), "is not YAML: unprintable character")
    except yaml.MarkedYAMLError as error:
        source.report(_start_of(error.problem_mark or error.context_mark), _syntax_error(error))
    except ValueError as error:
        source.report(WHOLE_FILE, str(error))
    else:
        source.value = source.convert(node) if node else None
    return source


def _read_text(file: Path) -> str:
    """The text of a file; raises OSError, UnicodeDecodeError, or ValueError if it is too large."""
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"expects at most {MAX_BYTES // 1024} KiB")
    return content.decode("utf-8-sig")


def _compose(text: str) -> yaml.Node | None:
    """Parse YAML; raises yaml.YAMLError.

    The parser in C takes a fifth of the time. A text that it refuses is parsed again in Python,
    because that parser has clearer error messages.
    """
    with suppress(yaml.YAMLError):
        return yaml.compose(text, Loader=_CLoader)
    return yaml.compose(text, Loader=_PythonLoader)


def _syntax_error(error: yaml.MarkedYAMLError) -> str:
    """The parser's message, with a hint for the two commonest mistakes."""
    text = ", ".join(part for part in (error.context, error.problem) if part)
    if "'\\t'" in text:
        return f"is not YAML: {text}; indent with spaces"
    if "mapping values" in text:
        return f"is not YAML: {text}; put text with a colon in quotes"
    return f"is not YAML: {text}"


class _Composer(Composer, Resolver):
    """Composes nodes without most of YAML 1.1's implicit types: No, 1:30 and 010 stay text."""

    depth = 0
    # Methods of the parser that the loaders below inherit from.
    peek_event: Any
    check_event: Any

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node; raises MarkedYAMLError for an alias and below MAX_DEPTH levels."""
        mark = self.peek_event().start_mark
        # A few lines of nested aliases can expand to billions of values.
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=mark)
        if self.depth == MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _CLoader(_Composer, yaml.CSafeLoader):
    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        self.anchors = {}


class _PythonLoader(_Composer, yaml.SafeLoader):
    pass


TAG_PREFIX = "tag:yaml.org,2002:"
_Composer.yaml_implicit_resolvers = {}
for _tag, _pattern, _first_characters in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|True|false|False", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9]\d{0,17})", list("-+0123456789")),
    ("float", r"[-+]?\d+\.\d+", list("-+0123456789")),
):
    _Composer.add_implicit_resolver(
        TAG_PREFIX + _tag, re.compile(rf"^(?:{_pattern})$"), _first_characters
    )

# Postgres stores neither NUL nor lone surrogates; the other control characters have no use here.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]")


def _scalar(node: yaml.Node) -> Any:
    """The value of a scalar; raises ValueError unless it is text, a number, a boolean or null."""
    match node.tag.removeprefix(TAG_PREFIX):
        case "str" if CONTROL_CHARACTERS.search(node.value):
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


def _start_of(mark: yaml.Mark | None) -> Position:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def position_at(text: str, offset: int) -> Position:
    """The line and column of the character at an offset."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
