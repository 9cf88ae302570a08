"""The bot's configuration in the sandbox: a folder with a file for each team, and the playbooks."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TEAMS = HERE / "config"
SHIPPED, OWN = HERE.parent / "templates" / "playbooks", HERE / "playbooks"


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write what stands twice as often as it stands."""
        return True


def write_configuration(folder: Path, playbooks: Path | None = None) -> Path:
    """Write what RUNBOLT_CONFIG names into a folder; returns that folder.

    Its playbooks are those that the bot ships and those of the sandbox, or the ones given.
    """
    target = folder / "config"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(TEAMS, target)
    books = playbooks.absolute() if playbooks else _all_playbooks(folder)
    settings = {"playbooks": str(books), "services": _unlisted(books)}
    # The services share settings, and the bot takes no aliases of YAML.
    text = yaml.dump(settings, Dumper=_WithoutAliases)
    (target / "playbooks.yml").write_text(text)
    return target


def _all_playbooks(folder: Path) -> Path:
    """A folder with the playbooks that the bot ships, and those of the sandbox."""
    target = folder / "playbooks"
    shutil.rmtree(target, ignore_errors=True)
    for source in (SHIPPED, OWN):
        shutil.copytree(source, target, dirs_exist_ok=True)
    return target


def _unlisted(books: Path) -> dict[str, Any]:
    """The services of these playbooks that no team has, with the settings of order-service."""
    listed: dict[str, Any] = {}
    for file in TEAMS.glob("*.yml"):
        listed |= yaml.safe_load(file.read_text(encoding="utf-8")).get("services", {})
    settings = {
        name: value
        for name, value in listed["order-service"].items()
        if name not in ("title", "channel")
    }
    return dict.fromkeys(sorted(set(_services(books)) - set(listed)), settings)


def _services(books: Path) -> Iterator[str]:
    """The services that the files name; what is wrong with a file, the bot says."""
    for file in (*books.glob("*.yml"), *books.glob("*.yaml")):
        try:
            book = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            continue
        if isinstance(book, dict):
            several = book.get("services")
            names = several if isinstance(several, list) else [book.get("service")]
            yield from (name for name in names if isinstance(name, str))
