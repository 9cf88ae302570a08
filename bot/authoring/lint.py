"""Find the mistakes in playbook files and in the SQL files that they name."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.actions.base import Action
from bot.authoring import sql
from bot.playbooks import loader, sql_files, yaml_source
from bot.playbooks.yaml_source import Diagnostic, SourceFile


def lint(paths: Sequence[Path], actions: Sequence[type[Action]]) -> list[Diagnostic]:
    """The mistakes of files, and of all files in folders, in the order of files and lines."""
    files = [file for path in paths for file in loader.playbook_files(path)]
    mistakes = [_no_playbooks(path) for path in paths if not loader.playbook_files(path)]
    for source, _ in loader.read(files, actions):
        mistakes += [*source.diagnostics, *_statement_mistakes(source)]
    return sorted(set(mistakes))


def _no_playbooks(folder: Path) -> Diagnostic:
    return Diagnostic(str(folder), *yaml_source.WHOLE_FILE, "expects .yml files, found none")


def _statement_mistakes(source: SourceFile) -> Iterator[Diagnostic]:
    """The mistakes in the SQL files of query steps; the loader put the text in `sql`."""
    for _, step in loader.iter_steps(source.value):
        params = step.get("params")
        if step.get("action") != "query" or not isinstance(params, dict):
            continue
        name, text = params.get("file"), params.get("sql")
        if sql_files.is_valid_name(name) and text:
            file = str(sql_files.find(str(name), Path(source.path)))
            for position, message in sql.read_only_violations(text):
                yield Diagnostic(file, *position, message)
