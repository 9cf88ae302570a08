"""Write a draft to disk: the YAML file, and its SQL files in a folder beside it."""

from pathlib import Path
from typing import Any

import yaml

from bot.authoring.draft import Draft
from bot.model import UserError
from bot.playbooks.sql_files import FOLDER


class _Dumper(yaml.SafeDumper):
    """Writes YAML as people do: indented lists, and text of several lines as a block."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper.add_representer(str, _represent_text)


def dump(playbook: dict[str, Any]) -> str:
    """The text of a playbook file."""
    return yaml.dump(playbook, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def write(draft: Draft, file: Path) -> None:
    """Write all files; raises UserError if one exists already, or cannot be written."""
    folder = file.parent / FOLDER
    texts = {file: dump(draft.playbook)}
    texts |= {folder / name: text for name, text in draft.files.items()}
    if existing := [str(path) for path in texts if path.exists()]:
        raise UserError(
            f"{', '.join(existing)}: exists already. Nothing was written. "
            "Move it away, or name another file with -o."
        )
    try:
        (folder if draft.files else file.parent).mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror}).") from error
