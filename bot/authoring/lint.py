"""List the mistakes in playbook files and in the SQL files that they name, as the loader does."""

from collections.abc import Sequence
from pathlib import Path

from bot.actions.base import Action
from bot.playbooks import loader, yaml_source
from bot.playbooks.yaml_source import Diagnostic


def lint(paths: Sequence[Path], actions: Sequence[type[Action]]) -> list[Diagnostic]:
    """The mistakes of files, and of all files in folders, in the order of files and lines."""
    files = [file for path in paths for file in loader.playbook_files(path)]
    mistakes = [_no_playbooks(path) for path in paths if not loader.playbook_files(path)]
    for source, _ in loader.read(files, actions):
        mistakes += source.diagnostics
    return sorted(set(mistakes))


def _no_playbooks(folder: Path) -> Diagnostic:
    return Diagnostic(str(folder), *yaml_source.WHOLE_FILE, "expects .yml files, found none")
