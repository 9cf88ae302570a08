"""Decisions about the services of an incident: which one a name means, and what it brings along."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from bot.model import FurtherPlaybook, Incident, Playbook, ScenarioRef, Severity, UserError
from bot.rules.incidents import scenarios_for

MAX_NAMED = 20  # services that a sentence lists
QUOTED_LENGTH = 40  # characters of what people typed that a sentence repeats


class ServiceName(NamedTuple):
    """A service as people call it: by its id, or by its title."""

    id: str
    title: str

    @property
    def words(self) -> tuple[str, str]:
        """Both, without what people write differently."""
        return _plain(self.id), _plain(self.title)


def _plain(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.strip().casefold()))


def find(typed: str, services: Sequence[ServiceName]) -> ServiceName:
    """The service of exactly this id or title.

    Raises UserError for every other name, with those that may be meant: none is guessed.
    """
    plain = _plain(typed)
    found = [service for service in services if plain in service.words]
    if len(found) == 1:
        return found[0]
    quoted = f"“{typed.strip()[:QUOTED_LENGTH]}”"
    if found:
        names = join([f"`{service.id}`" for service in found], "or")
        raise UserError(f"{quoted} may be {names}. Nothing was added; use one of these names.")
    meant = _may_be_meant(plain, services)
    if meant:
        names = join([f"`{service.id}`" for service in meant], "or")
        raise UserError(f"There is no service {quoted}. Did you mean {names}? Nothing was added.")
    known = ", ".join(service.id for service in services[:MAX_NAMED])
    more = f" and {len(services) - MAX_NAMED} more" if len(services) > MAX_NAMED else ""
    raise UserError(f"There is no service {quoted}. Nothing was added. Services: {known}{more}.")


def _may_be_meant(plain: str, services: Sequence[ServiceName]) -> list[ServiceName]:
    """The services whose name has these words, or else those with a similar name."""
    named = [each for each in services if plain and any(plain in words for words in each.words)]
    if named:
        return named[:MAX_NAMED]
    by_words = {words: service for service in services for words in service.words}
    similar = get_close_matches(plain, by_words, n=3)
    return list(dict.fromkeys(by_words[words] for words in similar))


def join(names: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, or `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last


def choices(
    playbooks: Sequence[Playbook], incident: Incident
) -> dict[str, tuple[ScenarioRef, ...]]:
    """The scenarios to choose from for each of its services: those that fit its severity.

    In place of its own, the incident may have one of a service that it did not take in.
    """
    own, *further = incident.services
    books = {
        service: [each for each in playbooks if each.service == service] for service in further
    }
    books[own] = [each for each in playbooks if each.service not in further]
    return {service: scenarios_for(each, incident.severity) for service, each in books.items()}


def further_playbook(
    playbooks: Sequence[Playbook], service: str, severity: Severity
) -> FurtherPlaybook:
    """What an incident of this severity takes in of a service, which has a playbook.

    One scenario that fits alone is chosen at once, and of several people choose.
    """
    own = [playbook for playbook in playbooks if playbook.service == service]
    refs = scenarios_for(own, severity)
    fitting = [ref for ref in refs if ref.scenario.severity is severity]
    if len(fitting) == 1:
        return FurtherPlaybook(playbook=fitting[0].playbook, scenario_id=fitting[0].scenario.id)
    return FurtherPlaybook(playbook=refs[0].playbook if refs else own[0], scenario_id=None)
