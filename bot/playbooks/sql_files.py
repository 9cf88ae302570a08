"""The SQL files that steps of a playbook name: beside the playbook, or shipped with the bot."""

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from bot.playbooks.statements import MAX_BYTES

SHIPPED_FOLDER = files("templates") / "playbooks" / "sql"
FOLDER = "sql"
NAME_PATTERN = r"^[a-z0-9-]+\.sql$"


def is_valid_name(value: object) -> bool:
    """Whether a value is a valid name of an SQL file; such a name cannot lead to another folder."""
    return isinstance(value, str) and re.fullmatch(NAME_PATTERN, value) is not None


def find(name: str, playbook_path: Path | None = None) -> Traversable:
    """Find the file `sql/NAME` beside a playbook, else the shipped file of that name.

    Raises ValueError, which lists the files that exist, when there is no such file.
    """
    folders = list(_folders(playbook_path))
    for folder in folders:
        if is_valid_name(name) and (folder / name).is_file():
            return folder / name
    known = {file.name for folder in folders if folder.is_dir() for file in folder.iterdir()}
    raise ValueError(f"expects one of: {', '.join(sorted(known))}")


def read(name: str, playbook_path: Path | None = None) -> str:
    """Read the statement of a file.

    Raises ValueError when the file is missing, unreadable, too large, empty or not UTF-8.
    """
    file = find(name, playbook_path)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError("expects a file in UTF-8") from error
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"expects a file of at most {MAX_BYTES // 1024} KiB")
    if "\0" in text or not text.strip():
        raise ValueError("expects a file with a SELECT")
    return text


def _folders(playbook_path: Path | None) -> Iterator[Traversable]:
    if playbook_path is not None:
        yield playbook_path.parent / FOLDER
    yield SHIPPED_FOLDER
