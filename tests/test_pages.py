"""What is read from a YAML file, and where everything stands in it."""

from pathlib import Path

import pytest

from bot.playbooks import yaml_source

# A text, and the line that tells its mistake.
MISTAKES = {
    "a key twice": (
        "a: 1\nb: 2\na: 3",
        '3:1: duplicate key "a", first on line 1',
    ),
    "a key that is no word": (
        "[a]: b",
        "1:1: expects text as a key",
    ),
    "a tag that would run something": (
        "a: !!python/object/apply:os.system [ls]",
        "1:4: expects plain YAML, not the tag tag:yaml.org,2002:python/object/apply:os.system",
    ),
    "a tag that its value does not fit": (
        "a: !!bool maybe",
        "1:4: expects plain YAML, not the tag tag:yaml.org,2002:bool",
    ),
    "an alias": (
        "a: &x 1\nb: *x",
        "2:4: is not YAML: aliases are not allowed",
    ),
    "more brackets than anybody needs": (
        "[" * 5000,
        "1:21: is not YAML: nested too deeply",
    ),
    "text that no database holds": (
        'a: "\\0"',
        "1:4: expects text without control characters",
    ),
    "text with a colon": (
        "a: b: c",
        "1:5: is not YAML: mapping values are not allowed here; put text with a colon in quotes",
    ),
    "a tab": (
        "a: b\n\tc: d",
        "2:1: is not YAML: while scanning for the next token, "
        "found character '\\t' that cannot start any token; indent with spaces",
    ),
    "a character that is not printable": (
        "a: b\nc: d\x07",
        "2:5: is not YAML: unprintable character",
    ),
    "a second document": (
        "a: b\n---\na: b",
        "2:1: is not YAML: expected a single document in the stream, but found another document",
    ),
    "brackets that stay open": (
        "[",
        "1:2: is not YAML: while parsing a flow node, "
        "expected the node content, but found '<stream end>'",
    ),
}


def written(folder: Path, text: str) -> Path:
    file = folder / "page.yml"
    file.write_text(text, encoding="utf-8")
    return file


def told(file: Path) -> list[str]:
    return [str(mistake) for mistake in yaml_source.read(file).diagnostics]


@pytest.mark.parametrize("kind", MISTAKES)
def test_every_mistake_names_its_place(tmp_path: Path, kind: str) -> None:
    text, mistake = MISTAKES[kind]
    file = written(tmp_path, text)

    assert told(file) == [f"{file}:{mistake}"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    large = written(tmp_path, "#" * (256 * 1024 + 1))
    latin = tmp_path / "latin.yml"
    latin.write_bytes(b"a: b\nc: Caf\xe9\n")
    missing = tmp_path / "missing.yml"

    assert told(large) == [f"{large}: expects at most 256 KiB"]
    assert told(latin) == [f"{latin}:2:1: expects text in UTF-8"]
    assert told(missing) == [f"{missing}: cannot be read: No such file or directory"]


def test_words_stay_words(tmp_path: Path) -> None:
    words = ["No", "on", "1:30", "010", "0x10", "2026-01-31", "1e3", "1_000", "=", "<<", "9" * 5000]

    page = yaml_source.read(written(tmp_path, "\n".join(f"- {word}" for word in words)))

    assert page.value == words


def test_numbers_become_plain_values(tmp_path: Path) -> None:
    page = yaml_source.read(written(tmp_path, "[-1, 0, 1.5, true, False, null, ~, '', !!int 7]"))

    assert page.value == [-1, 0, 1.5, True, False, None, None, "", 7]


def test_every_value_knows_its_place(tmp_path: Path) -> None:
    page = yaml_source.read(written(tmp_path, "\ufeffa: b\nc:\n  - d\n  - e: f\n"))

    assert page.value == {"a": "b", "c": ["d", {"e": "f"}]}
    assert page.position(("a",)) == (1, 4)
    assert page.position(("c", 1, "e")) == (4, 8)
    assert page.key_position(("c", 1, "e")) == (4, 5)
    assert page.position(("c", 0, "deeper", "still")) == (3, 5)
    assert page.position(("nowhere",)) == (1, 1)
