"""What the rules share: a text made comparable, and the parts of it that are secret."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

LINE = re.compile(r"[^\n]+")
# Where a secret begins and ends in its text.
Span = tuple[int, int]
Spans = Iterator[Span]

MASK = "[masked]"
# So that the time stays linear where a text is one line with many names of secrets.
MAX_LINE = 20_000
ALIKE = {
    **dict.fromkeys("“”„‟«»", '"'),
    **dict.fromkeys("‘’‚‛", "'"),
    **dict.fromkeys("‐‑‒–—−", "-"),
    **dict.fromkeys("\u2028\u2029", "\n"),
}


class _Plain(dict[int, str]):
    """For `str.translate`: what looks like an ASCII character as that character."""

    def __missing__(self, codepoint: int) -> str:
        character = chr(codepoint)
        compatible = unicodedata.normalize("NFKC", character)
        digit = unicodedata.digit(character, None)
        alike = str(digit) if digit is not None and character.isdecimal() else compatible
        plain = ALIKE.get(character) or (alike if len(alike) == 1 else character)
        self[codepoint] = plain
        return plain


_plain = _Plain()


@dataclass(frozen=True)
class Text:
    """A text in which full-width letters, typographic quotes and odd spaces are plain ones.

    `plain` and `lower` are as long as the original, so a position is the same in all of them.
    """

    original: str

    @cached_property
    def plain(self) -> str:
        """With plain characters."""
        return self.original if self.original.isascii() else self.original.translate(_plain)

    @cached_property
    def lower(self) -> str:
        """The same in lower case."""
        lower = self.plain.lower()
        if len(lower) == len(self.plain):
            return lower
        return "".join(
            character.lower() if len(character.lower()) == 1 else character
            for character in self.plain
        )

    @cached_property
    def longest_word(self) -> int:
        """The length of the longest part without a space."""
        return max(map(len, self.plain.split()), default=0)

    def line_start(self, position: int) -> int:
        """Where the line of a position begins, or MAX_LINE before it in a longer one."""
        earliest = max(0, position - MAX_LINE)
        return max(earliest, self.plain.rfind("\n", earliest, position) + 1)

    def line_end(self, position: int) -> int:
        """Where the line of a position ends, or MAX_LINE after it in a longer one."""
        latest = min(len(self.plain), position + MAX_LINE)
        end = self.plain.find("\n", position, latest)
        return latest if end < 0 else end


def merged(spans: Spans) -> list[Span]:
    """In order, those that overlap as one."""
    result: list[Span] = []
    for begin, end in sorted(spans):
        if result and begin < result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        elif begin < end:
            result.append((begin, end))
    return result


def by_line(text: str, spans: list[Span]) -> list[Span]:
    """The spans cut at each newline, so that the lines stay as many."""
    return [
        (begin + part.start(), begin + part.end())
        for begin, end in spans
        for part in LINE.finditer(text[begin:end])
    ]


def without(text: str, spans: list[Span]) -> str:
    """The text with `[masked]` instead of each span."""
    parts, rest = [], 0
    for begin, end in spans:
        parts += [text[rest:begin], MASK]
        rest = end
    return "".join([*parts, text[rest:]])
