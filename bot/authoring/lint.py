"""Every mistake in playbook files and in the SQL files that they name."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bot import pages, playbooks, statements
from bot.actions import Action
from bot.authoring import sql
from bot.pages import Mistake, Page


def lint(where: Sequence[Path], actions: Sequence[type[Action]]) -> list[Mistake]:
    """The mistakes of files, and of all files of folders, in the order of their places."""
    files = [file for one in where for file in playbooks.files(one)]
    found = [_empty(one) for one in where if not playbooks.files(one)]
    for page, _ in playbooks.read(files, actions):
        found += [*page.mistakes, *_of_statements(page)]
    return sorted(set(found))


def _empty(folder: Path) -> Mistake:
    return Mistake(str(folder), *pages.NOWHERE, "expects .yml files, found none")


def _of_statements(page: Page) -> Iterator[Mistake]:
    """What reading the playbook took in of each query's file, if there is one."""
    for _, step in playbooks.steps(page.value):
        params = step.get("params")
        if step.get("action") != "query" or not isinstance(params, dict):
            continue
        name, text = params.get("file"), params.get("sql")
        if statements.is_name(name) and text:
            file = str(statements.find(str(name), Path(page.file)))
            for spot, words in sql.mistakes(text):
                yield Mistake(file, *spot, words)
