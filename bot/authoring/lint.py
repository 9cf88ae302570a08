"""Find the mistakes in playbook files and in the SQL files that they name."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bot import pages, playbooks, statements
from bot.actions import Action
from bot.authoring import sql
from bot.pages import Mistake, Page


def lint(paths: Sequence[Path], actions: Sequence[type[Action]]) -> list[Mistake]:
    """The mistakes of files, and of all files in folders, in the order of files and lines."""
    files = [file for path in paths for file in playbooks.files(path)]
    mistakes = [_no_playbooks(path) for path in paths if not playbooks.files(path)]
    for source, _ in playbooks.read(files, actions):
        mistakes += [*source.mistakes, *_statement_mistakes(source)]
    return sorted(set(mistakes))


def _no_playbooks(folder: Path) -> Mistake:
    return Mistake(str(folder), *pages.NOWHERE, "expects .yml files, found none")


def _statement_mistakes(source: Page) -> Iterator[Mistake]:
    """The mistakes in the SQL files of query steps; reading the playbook put the text in `sql`."""
    for _, step in playbooks.steps(source.value):
        params = step.get("params")
        if step.get("action") != "query" or not isinstance(params, dict):
            continue
        name, text = params.get("file"), params.get("sql")
        if statements.is_name(name) and text:
            file = str(statements.find(str(name), Path(source.file)))
            for position, message in sql.mistakes(text):
                yield Mistake(file, *position, message)
