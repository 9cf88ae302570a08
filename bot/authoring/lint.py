"""List the mistakes in playbook files and in the SQL files that they name, as the loader does."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bot.actions.base import Action
from bot.config import Config
from bot.playbooks import loader, yaml_source
from bot.playbooks.yaml_source import Diagnostic, SourceFile


class Result(NamedTuple):
    """The mistakes, and what could not be checked without a configuration."""

    mistakes: list[Diagnostic]
    unchecked: list[str]


def lint(
    paths: Sequence[Path], actions: Sequence[type[Action]], config: Config | None = None
) -> Result:
    """Check files, and all files in folders, in the order of files and lines.

    Without a configuration, nothing is said about the values of services and their places.
    """
    files = [file for path in paths for file in loader.playbook_files(path)]
    mistakes = [_no_playbooks(path) for path in paths if not loader.playbook_files(path)]
    services = config.for_playbooks if config else None
    defaults = config.defaults.for_playbooks if config else loader.NO_VALUES
    sources = [source for source, _ in loader.read(files, actions, services, defaults)]
    mistakes += [mistake for source in sources for mistake in source.diagnostics]
    unchecked = [_unchecked(source) for source in sources if source.unchecked]
    return Result(sorted(set(mistakes)), unchecked)


def _no_playbooks(folder: Path) -> Diagnostic:
    return Diagnostic(str(folder), *yaml_source.WHOLE_FILE, "expects .yml files, found none")


def _unchecked(source: SourceFile) -> str:
    """A sentence that names the values of a file that are not known."""
    names = sorted({f"service.{name}" for name in source.unchecked.values()})
    return f"{source.path}: the values {', '.join(names)} were not checked"
