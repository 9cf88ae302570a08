"""All rules together."""

from bot.masking import commands, encoded, keys, pairs, personal, tokens, urls
from bot.masking.spans import Spans, Text, merged, without


def _find(text: Text) -> Spans:
    yield from keys.spans(text)
    yield from tokens.spans(text)
    yield from pairs.spans(text)
    yield from urls.spans(text)
    yield from commands.spans(text)
    yield from personal.spans(text)


def mask(text: str) -> str:
    """The text with `[masked]` instead of each secret and each piece of personal data."""
    subject = Text(text)
    spans = merged(span for find in (_find, _find_encoded) for span in find(subject))
    return without(text, spans) if spans else text


def _find_encoded(text: Text) -> Spans:
    return encoded.spans(text, _find)
