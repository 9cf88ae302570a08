"""All rules together."""

from collections.abc import Callable
from itertools import chain

from bot.masking import commands, encoded, keys, pairs, personal, tokens, urls, values
from bot.masking.names import Kind, kind
from bot.masking.spans import Spans, Text, merged, without


def _secrets(text: Text) -> Spans:
    yield from keys.spans(text)
    yield from tokens.spans(text)
    yield from pairs.spans(text)
    yield from urls.spans(text)
    yield from commands.spans(text)


def _all(text: Text) -> Spans:
    yield from _secrets(text)
    yield from personal.spans(text)


def mask(text: str) -> str:
    """The text with `[masked]` instead of each secret and each piece of personal data."""
    return _without(Text(text), _all)


def mask_secrets(text: str) -> str:
    """The same with personal data left in."""
    return _without(Text(text), _secrets)


def _without(text: Text, find: Callable[[Text], Spans]) -> str:
    spans = merged(chain(find(text), encoded.spans(text, find)))
    return without(text.original, spans) if spans else text.original


def is_secret(name: str, value: str) -> bool:
    """Whether a name says that its value is a secret, and the value is one."""
    found = kind(name)
    if found is None or not value.strip():
        return False
    return not values.is_innocent(value.lower(), Kind.TOKEN if found is Kind.HEADER else found)
