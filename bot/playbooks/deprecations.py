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
        spot = source.key_position(old)
        if source.rename(old, name):
            _warn(source, spot, old[-1], name)


def replace_words(source: SourceFile, model: type[Model], key_path: KeyPath) -> None:
    """The same in a list that names keys of a model."""
    words: list[Any] = source.value_at(key_path)
    for at, word in enumerate(words):
        if isinstance(word, str) and word in model.old_keys:
            words[at] = model.old_keys[word]
            _warn(source, source.position((*key_path, at)), word, words[at])


def _warn(page: SourceFile, spot: Position, old: object, name: str) -> None:
    words = f'key "{old}" is called "{name}" now; the old name will stop working'
    log.warning("%s", Diagnostic(page.path, *spot, words))


def _found(value: Any, kind: Any, place: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Where old keys are, the innermost first, and their new names; `kind` is the value's type."""
    if get_origin(kind) in (Annotated, Union, types.UnionType):
        for inner in get_args(kind):
            yield from _found(value, inner, place)
    elif isinstance(kind, type) and issubclass(kind, Model):
        yield from _found_in_model(value, kind, place)
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            for inner in get_args(kind):
                yield from _found(item, inner, (*place, key))


def _found_in_model(
    value: Any, model: type[Model], place: KeyPath
) -> Iterator[tuple[KeyPath, str]]:
    for key in value if isinstance(value, dict) else ():
        name = model.old_keys.get(key, key)
        if name in model.model_fields:
            yield from _found(value[key], model.model_fields[name].annotation, (*place, key))
        if name != key:
            yield (*place, key), name
