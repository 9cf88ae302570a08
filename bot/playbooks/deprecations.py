"""Keys that got another name: the old one works for a while, and a warning names the new one."""

import logging
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from bot.model import Model
from bot.playbooks.yaml_source import Diagnostic, KeyPath, Position, SourceFile

log = logging.getLogger(__name__)


def replace(source: SourceFile, model: type[Model], key_path: KeyPath = ()) -> None:
    """Give the old keys of a model, and of those inside of it, their new names; warns of each.

    Where a file has both, the old one stays, to be refused as unknown.
    """
    for old, name in list(_found(source.value_at(key_path), model, key_path)):
        position = source.key_position(old)
        if source.rename(old, name):
            _warn(source, position, old[-1], name)


def replace_words(source: SourceFile, model: type[Model], key_path: KeyPath) -> None:
    """The same in a list that names keys of a model."""
    names: list[Any] = source.value_at(key_path)
    for index, name in enumerate(names):
        if isinstance(name, str) and name in model.old_keys:
            names[index] = model.old_keys[name]
            _warn(source, source.position((*key_path, index)), name, names[index])


def _warn(source: SourceFile, position: Position, old: object, name: str) -> None:
    message = f'key "{old}" is called "{name}" now; the old name will stop working'
    log.warning("%s", Diagnostic(source.path, *position, message))


def _found(value: Any, kind: Any, key_path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Where old keys are, the innermost first, and their new names; `kind` is the value's type."""
    if get_origin(kind) in (Annotated, Union, types.UnionType):
        for inner in get_args(kind):
            yield from _found(value, inner, key_path)
    elif isinstance(kind, type) and issubclass(kind, Model):
        yield from _found_in_model(value, kind, key_path)
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            for inner in get_args(kind):
                yield from _found(item, inner, (*key_path, key))


def _found_in_model(
    value: Any, model: type[Model], key_path: KeyPath
) -> Iterator[tuple[KeyPath, str]]:
    for key in value if isinstance(value, dict) else ():
        name = model.old_keys.get(key, key)
        if name in model.model_fields:
            yield from _found(value[key], model.model_fields[name].annotation, (*key_path, key))
        if name != key:
            yield (*key_path, key), name
