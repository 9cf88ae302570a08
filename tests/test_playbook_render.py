"""`runbolt playbook render`: the document that the shipped playbook was written from, again."""

from difflib import SequenceMatcher
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode as Node

from bot.actions.registry import ACTIONS
from bot.authoring import cli, render
from bot.playbooks import loader
from tests.conftest import SHIPPED

SOURCE = Path(__file__).parent / "source" / "order-service-playbook.md"
# The one command of the source that is no more in the playbook: PostgreSQL refuses it.
CORRECTED = [
    ("code", "WHERE duration > interval '30 seconds' AND state = 'active';"),
]

Atom = tuple[str, str]


def atoms(text: str) -> list[Atom]:
    """What a document says, in order and without its looks: emphasis, indents, colons."""
    found: list[Atom] = []
    for node in Node(MarkdownIt("commonmark").enable("table").parse(text)).walk():
        match node.type:
            case "heading":
                found.append(("heading", words(node)))
            case "fence":
                lines = (" ".join(line.split()) for line in node.content.splitlines())
                found += [("code", line) for line in lines if line]
            case "tr":
                found.append(("row", " | ".join(words(cell) for cell in node.children)))
            case "paragraph" if node.parent and node.parent.type == "blockquote":
                found.append(("note", words(node)))
            case "paragraph":
                found.append(("words", words(node).removesuffix(":")))
    return found


def words(node: Node) -> str:
    shown = [
        child for child in node.walk() if child.type in ("text", "code_inline", "softbreak", "link")
    ]
    parts = [
        f"<{node_shown.attrs['href']}>" if node_shown.type == "link" else node_shown.content or " "
        for node_shown in shown
    ]
    return " ".join("".join(parts).split())


@pytest.fixture
def rendered(capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.run(["playbook", "render", str(SHIPPED)]) == 0
    return capsys.readouterr().out


def test_everything_in_its_order(rendered: str) -> None:
    source, ours = atoms(SOURCE.read_text(encoding="utf-8")), atoms(rendered)

    changes = SequenceMatcher(None, source, ours, autojunk=False).get_opcodes()
    lost = [atom for kind, i, j, _, _ in changes if kind != "equal" for atom in source[i:j]]

    assert len(source) > 120
    assert lost == CORRECTED


def test_what_the_source_omits(rendered: str) -> None:
    source, ours = atoms(SOURCE.read_text(encoding="utf-8")), atoms(rendered)

    changes = SequenceMatcher(None, source, ours, autojunk=False).get_opcodes()
    added = [at for kind, _, _, i, j in changes if kind != "equal" for at in range(i, j)]

    assert [ours[at] for at in added if not is_marked(ours, at)] == []
    assert {ours[at][0] for at in added} == {"note", "code", "words"}


def is_marked(ours: list[Atom], at: int) -> bool:
    """A note says why; an address alone stands for the words that it is about."""
    kind, said = ours[at]
    if kind == "note" or said.startswith("<https://"):
        return True
    after = ours[at + 1 :]
    notes = (said for kind, said in after[: end_of_item(after)] if kind == "note")
    return any(said.startswith("Correction:") for said in notes)


def end_of_item(after: list[Atom]) -> int:
    ends = (at for at, (kind, _) in enumerate(after) if kind in ("heading", "words"))
    return next(ends, len(after))


def test_every_correction_is_told(rendered: str) -> None:
    [book] = loader.load(SHIPPED, ACTIONS)
    told = [
        step.correction for scenario in book.scenarios for step in scenario.steps if step.correction
    ]

    notes = [said for kind, said in atoms(rendered) if kind == "note"]
    assert len(told) > 3
    assert [line for line in notes if line.startswith("Correction:")] == [
        "Correction: " + " ".join(line.replace("`", "").split()) for line in told
    ]


def test_messages_have_their_gaps(rendered: str) -> None:
    assert rendered.count("[What's happening]") == 1
    assert "{{" not in rendered
    assert "### Customer Communication (SEV-1/SEV-2)" in rendered


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("# of pods", r"\# of pods"),
        ("1. Look", r"1\. Look"),
        ("- Look", r"\- Look"),
        ("Look *here* [now] <b>", r"Look \*here\* \[now\] \<b>"),
        ("Two\nlines", "Two lines"),
    ],
)
def test_words_are_no_markup(said: str, shown: str) -> None:
    [book] = loader.load(SHIPPED, ACTIONS)

    assert f"## Overview\n{shown}\n" in render.render(book.model_copy(update={"overview": said}))


def test_files_with_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.yml"
    file.write_text("service: shop\n")

    assert cli.run(["playbook", "render", str(file)]) == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert f'{file}:1:1: missing key "title"' in told.err
