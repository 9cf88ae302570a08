"""How a file is read: plain values, where each of them stands, and what is refused."""

import os
from pathlib import Path
from typing import Any

import pytest

from bot import durations
from bot.playbooks import yaml_source
from bot.playbooks.yaml_source import SourceFile


def read(folder: Path, content: str | bytes) -> SourceFile:
    file = folder / "page.yml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return yaml_source.read(file)


def told(page: SourceFile) -> list[str]:
    """The mistakes, each without the name of its file."""
    return [str(mistake).removeprefix(page.path) for mistake in page.diagnostics]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment", None),
        ("---", None),
        ("a: 1", {"a": 1}),
        ("a: -7", {"a": -7}),
        ("a: +7", {"a": 7}),
        ("a: 1.5", {"a": 1.5}),
        ("a: true", {"a": True}),
        ("a: False", {"a": False}),
        ("a: null", {"a": None}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        # What YAML 1.1 takes for something else stays text.
        ("a: No", {"a": "No"}),
        ("a: yes", {"a": "yes"}),
        ("a: on", {"a": "on"}),
        ("a: NULL", {"a": "NULL"}),
        ("a: TRUE", {"a": "TRUE"}),
        ("a: 010", {"a": "010"}),
        ("a: 0x1f", {"a": "0x1f"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 1e3", {"a": "1e3"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 2026-11-24", {"a": "2026-11-24"}),
        ("a: 1234567890123456789", {"a": "1234567890123456789"}),
        ('a: "1"', {"a": "1"}),
        ("a: '#x'", {"a": "#x"}),
        ("1: a", {"1": "a"}),
        ("true: a", {"true": "a"}),
        ("a: !!str 1", {"a": "1"}),
        ("a: !!int '1'", {"a": 1}),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("a: >\n  x\n  y\n", {"a": "x y\n"}),
        ("- a\n- [b, {c: 1}]", ["a", ["b", {"c": 1}]]),
        ("a: b\ta", {"a": "b\ta"}),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_plain_values(tmp_path: Path, text: str, value: Any) -> None:
    page = read(tmp_path, text)
    assert (page.value, told(page)) == (value, [])


@pytest.mark.parametrize(
    ("content", "mistakes"),
    [
        ("a: 1\na: 2", [':2:1: duplicate key "a", first on line 1']),
        ("a: {b: 1, c: 2, b: 3}", [':1:17: duplicate key "b", first on line 1']),
        ("[a]: 1", [":1:1: expects text as a key"]),
        ("? {a: 1}\n: b", [":1:3: expects text as a key"]),
        ("a: &x 1\nb: *x", [":2:4: is not YAML: aliases are not allowed"]),
        (
            "a: !!python/name:os.system ''",
            [":1:4: expects plain YAML, not the tag tag:yaml.org,2002:python/name:os.system"],
        ),
        ("a: !secret x", [":1:4: expects plain YAML, not the tag !secret"]),
        ("a: !!binary aGk=", [":1:4: expects plain YAML, not the tag tag:yaml.org,2002:binary"]),
        ("a: !!set {b}", [":1:4: expects plain YAML, not the tag tag:yaml.org,2002:set"]),
        ("a: !!bool yes", [":1:4: expects plain YAML, not the tag tag:yaml.org,2002:bool"]),
        ('a: "\\0"', [":1:4: expects text without control characters"]),
        ('a: "\\e[1m"', [":1:4: expects text without control characters"]),
        (
            "a: 1\n---\nb: 2",
            [
                ":2:1: is not YAML: expected a single document in the stream, "
                "but found another document"
            ],
        ),
        (b"a: \xff", [":1:1: expects text in UTF-8"]),
        (b"a: 1\nb: \xe4\n", [":2:1: expects text in UTF-8"]),
        ("a: \x07", [":1:4: is not YAML: unprintable character"]),
        ("x: " + "y" * 262_142, [": expects at most 256 KiB"]),
        ("[" * 21 + "]" * 21, [":1:21: is not YAML: nested too deeply"]),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str | bytes, mistakes: list[str]) -> None:
    assert told(read(tmp_path, content)) == mistakes


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: 1", "indent with spaces"),
        ("a: b: c", "put text with a colon in quotes"),
    ],
)
def test_common_slips_have_hints(tmp_path: Path, text: str, hint: str) -> None:
    [mistake] = told(read(tmp_path, text))
    assert mistake.rpartition("; ")[2] == hint


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    page = read(tmp_path, "x: " + "y" * 262_141)
    assert told(page) == []
    assert len(page.value["x"]) == 262_141


def test_twenty_levels_are_read(tmp_path: Path) -> None:
    assert told(read(tmp_path, "[" * 20 + "]" * 20)) == []


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert told(yaml_source.read(tmp_path / "none.yml")) == [f": cannot be read: {os.strerror(2)}"]
    assert told(yaml_source.read(tmp_path)) == [f": cannot be read: {os.strerror(21)}"]


PAGE = """\
title: Shop
steps:
  - id: a
    params: {tail: 5}
  - id: b
"""


@pytest.mark.parametrize(
    ("path", "value_at", "key_at"),
    [
        ((), (1, 1), (1, 1)),
        (("title",), (1, 8), (1, 1)),
        (("steps",), (3, 3), (2, 1)),
        (("steps", 0), (3, 5), (3, 5)),
        (("steps", 0, "params"), (4, 13), (4, 5)),
        (("steps", 0, "params", "tail"), (4, 20), (4, 14)),
        (("steps", 1, "id"), (5, 9), (5, 5)),
        # What the file lacks is where the part around it begins.
        (("steps", 1, "params"), (5, 5), (5, 5)),
        (("steps", 1, "params", "tail"), (5, 5), (5, 5)),
        (("steps", 9), (3, 3), (3, 3)),
        (("nothing",), (1, 1), (1, 1)),
    ],
)
def test_where_a_value_is(
    tmp_path: Path, path: yaml_source.KeyPath, value_at: Any, key_at: Any
) -> None:
    page = read(tmp_path, PAGE)
    assert (page.position(path), page.key_position(path)) == (value_at, key_at)


def test_a_renamed_key_stays_in_place(tmp_path: Path) -> None:
    page = read(tmp_path, PAGE)

    assert page.rename(("steps", 0, "params"), "options")
    assert page.value["steps"][0] == {"id": "a", "options": {"tail": 5}}
    assert page.key_position(("steps", 0, "options")) == (4, 5)
    assert page.position(("steps", 0, "options", "tail")) == (4, 20)


def test_no_key_is_overwritten(tmp_path: Path) -> None:
    page = read(tmp_path, PAGE)

    assert not page.rename(("title",), "steps")
    assert page.value["title"] == "Shop"


def test_mistakes_are_in_order() -> None:
    page = SourceFile(Path("a.yml"))
    page.report((2, 5), "second")
    page.report((2, 1), "first")
    page.report(yaml_source.WHOLE_FILE, "all of it")

    assert [str(mistake) for mistake in sorted(page.diagnostics)] == [
        "a.yml: all of it",
        "a.yml:2:1: first",
        "a.yml:2:5: second",
    ]
    assert page.has_error_at((2, 5))
    assert not page.has_error_at((2, 2))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1 sec", 1),
        ("2 SECONDS", 2),
        ("15 min", 900),
        ("15m", 900),
        (" 1 minute ", 60),
        ("2 hours", 7200),
        ("24 h", 86_400),
        ("3 days", 259_200),
        ("0 s", 0),
    ],
)
def test_durations_as_written(text: str, seconds: int) -> None:
    assert durations.parse(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "15", 15, "min", "-5 min", "1.5 h", "1h 30m", "2 weeks", "5 mins ago", "1 month"]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="expects a duration"):
        durations.parse(text)


@pytest.mark.parametrize("value", ["PT15M", "P1D", None, ["15 min"]])
def test_other_values_pass_through(value: object) -> None:
    assert durations.parse(value) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 s", "0 s"),
        ("59 s", "59 s"),
        ("60 s", "1 min"),
        ("90 s", "90 s"),
        ("599 s", "599 s"),
        ("601 s", "10 min"),
        ("60 min", "1 h"),
        ("90 min", "90 min"),
        ("599 min", "599 min"),
        ("601 min", "10 h"),
        ("24 h", "24 h"),
        ("25 h", "25 h"),
        ("36 h", "36 h"),
        ("48 h", "2 d"),
        ("241 h", "10 d"),
    ],
)
def test_durations_in_words(text: str, words: str) -> None:
    assert durations.describe(durations.parse(text)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [("119 s", "119 s"), ("323 s", "5 min"), ("600 s", "10 min"), ("3661 s", "61 min")],
)
def test_elapsed_has_no_seconds(text: str, words: str) -> None:
    assert durations.describe_elapsed(durations.parse(text)) == words
