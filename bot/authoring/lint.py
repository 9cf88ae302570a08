"""List the mistakes in playbook files and in the SQL files that they name, as the loader does."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bot.actions.base import Action
from bot.playbooks import loader, yaml_source
from bot.playbooks.serving import Services
from bot.playbooks.yaml_source import Diagnostic, SourceFile


class Result(NamedTuple):
    """The mistakes, and what could not be checked without a configuration."""

    mistakes: list[Diagnostic]
    unchecked: list[str]


def lint(
    paths: Sequence[Path], actions: Sequence[type[Action]], services: Services = None
) -> Result:
    """Check files, and all files in folders, in the order of files and lines.

    `services` are those that are configured; None where nobody knows.
    """
    files = [file for path in paths for file in loader.playbook_files(path)]
    mistakes = [_no_playbooks(path) for path in paths if not loader.playbook_files(path)]
    sources = [source for source, _ in loader.read(files, actions, services)]
    for source in sources:
        mistakes += source.diagnostics
    unchecked = [_unchecked(source) for source in sources if source.unchecked]
    return Result(sorted(set(mistakes)), unchecked)


def _no_playbooks(folder: Path) -> Diagnostic:
    return Diagnostic(str(folder), *yaml_source.WHOLE_FILE, "expects .yml files, found none")


def _unchecked(source: SourceFile) -> str:
    """A sentence that names the values of a file that are not known."""
    names = dict.fromkeys(f"service.{name}" for name in source.unchecked.values())
    return f"{source.path}: what {', '.join(names)} are for each service was not checked"
