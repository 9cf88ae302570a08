"""The .sql files that a playbook's steps name: beside the playbook, or else those shipped."""

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

SHIPPED = files("templates") / "playbooks" / "sql"
FOLDER = "sql"
FORM = r"^[a-z0-9-]+\.sql$"
MAX_BYTES = 64 * 1024


def is_name(found: object) -> bool:
    """Whether it is a name that a file may have here: no path leads anywhere else."""
    return isinstance(found, str) and re.fullmatch(FORM, found) is not None


def find(name: str, playbook: Path | None = None) -> Traversable:
    """The file `sql/NAME` beside a playbook, or the shipped one of that name.

    Raises ValueError naming those that there are.
    """
    places = list(_places(playbook))
    for place in places:
        if is_name(name) and (place / name).is_file():
            return place / name
    known = {file.name for place in places if place.is_dir() for file in place.iterdir()}
    raise ValueError(f"expects one of: {', '.join(sorted(known))}")


def read(name: str, playbook: Path | None = None) -> str:
    """The statement in a file; raises ValueError when there is none that could be kept."""
    file = find(name, playbook)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError("expects a file in UTF-8") from error
    if len(text) > MAX_BYTES:
        raise ValueError(f"expects a file of at most {MAX_BYTES // 1024} KiB")
    if "\0" in text or not text.strip():
        raise ValueError("expects a file with a SELECT")
    return text


def _places(playbook: Path | None) -> Iterator[Traversable]:
    if playbook is not None:
        yield playbook.parent / FOLDER
    yield SHIPPED
