"""All rules together."""

from collections.abc import Callable, Sequence
from itertools import chain

from bot.masking import columns, commands, encoded, keys, pairs, personal, tokens, urls, values
from bot.masking.names import Kind, kind
from bot.masking.spans import Spans, Text, by_line, merged, without

# Soft hyphen, zero-width space and joiners, marks of direction, byte order mark.
INVISIBLE = dict.fromkeys(
    (0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
)
# A mask may join what stands around it to a secret; more than two rounds are rare.
MAX_ROUNDS = 5


def _secrets(text: Text) -> Spans:
    yield from keys.spans(text)
    yield from tokens.spans(text)
    yield from pairs.spans(text)
    yield from urls.spans(text)
    yield from commands.spans(text)
    yield from columns.spans(text)


def _all(text: Text) -> Spans:
    yield from _secrets(text)
    yield from personal.spans(text)


def mask(text: str) -> str:
    """The text with `[masked]` instead of each secret and each piece of personal data."""
    return _stable(text, _all)


def mask_lines(lines: Sequence[str]) -> list[str]:
    """Lines of one text, each masked; this is faster than one by one, and finds more."""
    text = Text("\n".join(line.replace("\n", " ") for line in lines))
    spans = merged(chain(_all(text), encoded.spans(text, _all)))
    return without(text.original, by_line(text.original, spans)).split("\n")


def mask_secrets(text: str) -> str:
    """The same with personal data left in."""
    return _stable(text, _secrets)


def _stable(text: str, find: Callable[[Text], Spans]) -> str:
    """Masked until nothing more is found: what is masked twice is as if it were masked once."""
    for _ in range(MAX_ROUNDS):
        masked = _without(Text(text), find)
        if masked == text:
            break
        text = masked
    return text


def _without(text: Text, find: Callable[[Text], Spans]) -> str:
    spans = merged(chain(find(text), encoded.spans(text, find)))
    if spans:
        return without(text.original, spans)
    visible = text.original.translate(INVISIBLE)
    return text.original if visible == text.original else _visible(text.original, visible, find)


def _visible(original: str, visible: str, find: Callable[[Text], Spans]) -> str:
    """A text whose invisible characters hid a secret, without both."""
    masked = _without(Text(visible), find)
    return original if masked == visible else masked


def is_secret(name: str, value: str) -> bool:
    """Whether a name says that its value is a secret, and the value is one."""
    found = kind(name)
    if found is None or not value.strip():
        return False
    return not values.is_innocent(value.lower(), Kind.TOKEN if found is Kind.HEADER else found)
