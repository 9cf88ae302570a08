"""The rooms: imports point down, and each outside thing has one door."""

from pathlib import Path

from importlinter import cli

ROOT = Path(__file__).parent.parent


def test_the_contracts_between_the_rooms_hold() -> None:
    assert cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0
