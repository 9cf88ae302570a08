"""A draft on disk: the YAML file, and its SQL files beside it."""

from pathlib import Path
from typing import Any

import yaml

from bot.authoring.draft import Draft
from bot.model import UserError
from bot.statements import FOLDER


class _Dumper(yaml.SafeDumper):
    """As people write it: lists indented, texts of several lines as they are."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper.add_representer(str, _text)


def dump(playbook: dict[str, Any]) -> str:
    """The text of a playbook file."""
    return yaml.dump(playbook, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def write(draft: Draft, file: Path) -> None:
    """Write all of it; raises UserError, with nothing written, where a file is in the way."""
    folder = file.parent / FOLDER
    texts = {file: dump(draft.playbook)}
    texts |= {folder / name: text for name, text in draft.files.items()}
    if there := [str(one) for one in texts if one.exists()]:
        raise UserError(
            f"{', '.join(there)}: there already. Nothing was written. "
            "Move it away, or name another file with -o."
        )
    try:
        (folder if draft.files else file.parent).mkdir(parents=True, exist_ok=True)
        for one, text in texts.items():
            one.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror}).") from error
