"""Which service the words of a declaration name: one for sure, or some that they could mean."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from bot.config import Config
from bot.model import Playbook, ServiceName, UserError
from bot.model.text import truncate
from bot.rules import words

# Behind the words that may be a name. A clock (03:15), an address and an emoji's code have none.
COLON = re.compile(r"(?<=[^\s:\d]):(?!//)|(?<=\d):(?!\d)|\s:(?=\s|$)")
# They stand in sentences too: what is before them must be a whole name.
OTHER_SEPARATOR = re.compile(r"\s[-–—]+\s|,\s")
LONGEST_NAME = 8  # words before a colon
SHORTEST_TYPO = 4  # characters of a word that may be a mistyped name
TYPO_LIKENESS = 0.8  # of difflib: two wrong letters of ten
MAX_CANDIDATES = 5
QUOTED = 40  # characters of what was typed that an error repeats

Words = tuple[str, ...]


class NameReading(NamedTuple):
    """What the words say: the `service` for sure, or else what they could mean, best first.

    `rest` is what they say besides the name.
    """

    service: str = ""
    candidates: tuple[str, ...] = ()
    rest: str = ""


def served(config: Config, playbooks: Iterable[Playbook]) -> tuple[ServiceName, ...]:
    """All services by their titles: those of the configuration, or else those of playbooks."""
    titles: dict[str, str] = {service: listed.title for service, listed in config.services.items()}
    for playbook in playbooks:
        if config.lists(playbook.service) and not titles.get(playbook.service):
            titles[playbook.service] = playbook.title
    names = [ServiceName(service, title or service) for service, title in titles.items()]
    return tuple(sorted(names, key=lambda name: name.title.casefold()))


def of_channel(config: Config, *channel: str | None) -> tuple[str, ...]:
    """The services whose team's own channel has this id or name."""
    return tuple(
        service
        for service, listed in config.services.items()
        if listed.channel and listed.channel.removeprefix("#") in channel
    )


def read(text: str, services: Sequence[ServiceName]) -> NameReading:
    """Find the service that a text begins with; docs/declaring.md has the rules and the cases."""
    colon = COLON.search(text)
    if colon is not None:
        rest = text[colon.end() :].strip()
        found = _before_colon(words.plain(text[: colon.start()]), rest, services)
        if found is not None:
            return found
    separator = OTHER_SEPARATOR.search(text)
    if separator is not None:
        named = _named(words.plain(text[: separator.start()]), services)
        if len(named) == 1:
            return NameReading(named[0], rest=text[separator.end() :].strip())
    return _without_colon(text, services)


def one(typed: str, services: Sequence[ServiceName]) -> ServiceName:
    """The service that somebody asks about; raises UserError that says what it could mean."""
    found = _as_name(words.plain(typed), "", services) or NameReading()
    for service in services:
        if service.id == found.service:
            return service
    likely = ", ".join(f"`{service}`" for service in found.candidates)
    suggestion = f" Did you mean {likely}?" if likely else ""
    raise UserError(f"“{truncate(typed, QUOTED)}” is no service.{suggestion} Nothing was done.")


def search(typed: str, services: Sequence[ServiceName]) -> tuple[ServiceName, ...]:
    """The services that somebody who types this may look for; those that begin with it first.

    Where none has the words, those with a name like it.
    """
    said = words.plain(typed)
    found = [service for service in services if _has_beginnings(_searched(service), said)]
    found.sort(key=lambda service: not any(_starts(name, said) for name in _names(service)))
    if not found:
        likely = _similar(said, services)
        found = [service for service in services if service.id in likely]
    return tuple(found)


def _searched(service: ServiceName) -> Words:
    return tuple(word for name in _names(service) for word in name)


def _has_beginnings(own: Words, said: Words) -> bool:
    return all(any(word.startswith(typed) for word in own) for typed in said)


def _starts(name: Words, said: Words) -> bool:
    return " ".join(name).startswith(" ".join(said))


def is_name(text: str, services: Sequence[ServiceName]) -> bool:
    """Whether a text was written as a name, and nothing more: a mistyped one, too."""
    return _as_name(words.plain(text), "", services) is not None


def _before_colon(head: Words, rest: str, services: Sequence[ServiceName]) -> NameReading | None:
    """What was written as a name, or else the names that stand in it."""
    found = _as_name(head, rest, services)
    if found is not None or len(head) > LONGEST_NAME:
        return found
    candidates = _mentioned(head, services)
    return NameReading(candidates=candidates[:MAX_CANDIDATES], rest=rest) if candidates else None


def _as_name(head: Words, rest: str, services: Sequence[ServiceName]) -> NameReading | None:
    """A whole name, the beginning of one, or one with a mistake; None where it is none."""
    if not head or len(head) > LONGEST_NAME:
        return None
    named = _named(head, services) or _beginning_with(head, services)
    if len(named) == 1:
        return NameReading(named[0], rest=rest)
    candidates = named or _similar(head, services)
    return NameReading(candidates=candidates[:MAX_CANDIDATES], rest=rest) if candidates else None


def _without_colon(text: str, services: Sequence[ServiceName]) -> NameReading:
    """The first words are a name where they are a whole one, and could be no other's beginning."""
    said, first = words.plain(text), (text.split() or [""])[0].strip(".,:;!?`'\"()").casefold()
    if "-" in first and first in {service.id for service in services}:
        return NameReading(first, rest=_after_words(text, len(words.plain(first))))
    whole, most = _whole_at_start(said, services)
    others = _begun(said, services, at_least=most + 1 if whole else 1)
    if len(whole) == 1 and not others:
        return NameReading(whole[0], rest=_after_words(text, most))
    found = dict.fromkeys((*whole, *others))
    candidates = tuple(found) or _similar(said[:1], services) or _mentioned(said, services)
    return NameReading(candidates=candidates[:MAX_CANDIDATES], rest=text)


def _whole_at_start(said: Words, services: Sequence[ServiceName]) -> tuple[tuple[str, ...], int]:
    """The services of which a whole name stands at the start, and the words of the longest."""
    lengths: dict[str, int] = {}
    for service, name in _all_names(services):
        if said[: len(name)] == name and not _is_grammar(name):
            lengths[service] = max(lengths.get(service, 0), len(name))
    return tuple(lengths), max(lengths.values(), default=0)


def _begun(said: Words, services: Sequence[ServiceName], *, at_least: int) -> tuple[str, ...]:
    """The services of which so many words, but not the whole name, stand at the start."""
    if len(said) < at_least or _is_grammar(said[:at_least]):
        return ()
    return tuple(
        dict.fromkeys(
            service
            for service, name in _all_names(services)
            if len(name) > at_least and name[:at_least] == said[:at_least]
        )
    )


def _named(head: Words, services: Sequence[ServiceName]) -> tuple[str, ...]:
    """The services of this name; spaces and hyphens make no difference."""
    squashed = "".join(head)
    return tuple(
        dict.fromkeys(
            service for service, name in _all_names(services) if "".join(name) == squashed
        )
    )


def _beginning_with(head: Words, services: Sequence[ServiceName]) -> tuple[str, ...]:
    """The services whose name begins with these words."""
    return tuple(
        dict.fromkeys(
            service for service, name in _all_names(services) if name[: len(head)] == head
        )
    )


def _similar(head: Words, services: Sequence[ServiceName]) -> tuple[str, ...]:
    """The services whose name, or the beginning of it, looks like these words; likest first."""
    typed = "".join(head)
    if len(typed) < SHORTEST_TYPO or _is_grammar(head):
        return ()
    matcher = SequenceMatcher(None, b=typed, autojunk=False)
    likeness = {
        service.id: max(_likeness(matcher, typed, *name) for name in _beginnings(service))
        for service in services
    }
    likest = sorted(likeness, key=lambda service: -likeness[service])
    return tuple(service for service in likest if likeness[service] >= TYPO_LIKENESS)


def _likeness(
    matcher: "SequenceMatcher[str]", typed: str, name: str, letters: frozenset[str]
) -> float:
    """From 0 to 1; 0 for what is certainly too little: there may be hundreds of names."""
    common = min(len(typed) - len(set(typed) - letters), len(name) - len(letters.difference(typed)))
    if 2 * common < TYPO_LIKENESS * (len(typed) + len(name)):
        return 0.0
    matcher.set_seq1(name)
    return matcher.ratio()


@lru_cache(maxsize=10_000)
def _beginnings(service: ServiceName) -> tuple[tuple[str, frozenset[str]], ...]:
    """The names and what they begin with, without spaces, each with its letters."""
    names = {"".join(name[:count]) for name in _names(service) for count in range(1, len(name) + 1)}
    return tuple((name, frozenset(name)) for name in names)


def _mentioned(said: Words, services: Sequence[ServiceName]) -> tuple[str, ...]:
    """The services of which a whole name stands anywhere, in the order of the words."""
    places: dict[str, int] = {}
    for service, name in _all_names(services):
        for place in range(len(said) - len(name) + 1):
            if said[place : place + len(name)] == name and not _is_grammar(name):
                places[service] = min(place, places.get(service, place))
    return tuple(sorted(places, key=lambda service: places[service]))


def _is_grammar(name: Words) -> bool:
    """Whether a name, such as “it”, is a word of any sentence."""
    return len(name) == 1 and name[0] in words.GRAMMAR_WORDS


def _after_words(text: str, count: int) -> str:
    """What follows the first words of a text."""
    ends = [word.end() for word in words.WORD.finditer(words.POSSESSIVE.sub("", text))]
    return words.POSSESSIVE.sub("", text)[ends[count - 1] :].lstrip(" \t:,;`'\"-–—").strip()


def _all_names(services: Sequence[ServiceName]) -> Iterator[tuple[str, Words]]:
    for service in services:
        for name in _names(service):
            yield service.id, name


@lru_cache(maxsize=10_000)
def _names(service: ServiceName) -> tuple[Words, ...]:
    """The words of the id and of the title."""
    names = dict.fromkeys((words.plain(service.id), words.plain(service.title)))
    return tuple(name for name in names if name)
