"""Decisions about incidents: title, channel name, scenario, and which of them fits."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from bot.model import (
    Entry,
    Incident,
    Playbook,
    Scenario,
    ScenarioRef,
    Severity,
    Status,
    UserError,
)
from bot.model.entries import Declared, Resolved, SeverityChanged

TITLE_LENGTH = 120
MAX_LISTED = 20  # open incidents that the help and the Home list
MAX_LINKED = 5  # open incidents that a message lists
CHANNEL_NAME_LENGTH = 80


def parse_severity(text: str) -> Severity | None:
    """`sev1`, `SEV-1`, `sev 1` or `1`; None when it is none of these."""
    match = re.fullmatch(r"(?:sev[\s_-]?)?([1-4])", text.strip().lower())
    return Severity(f"sev{match[1]}") if match else None


def incident_title(
    text: str, severity: Severity, scenario: Scenario | None, *, is_name: bool = False
) -> str:
    """The first line of what people wrote, short enough for a header; never empty.

    Where it is only the service's name (`is_name`), the scenario says what is wrong.
    """
    words = " ".join((text.strip().splitlines() or [""])[0].split())
    if scenario and words and is_name:
        words = f"{words.rstrip(':')}: {scenario.title}"
    if not words:
        return scenario.title if scenario else f"{severity.label} incident"
    return words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1].rstrip() + "…"


def channel_name(incident: Incident, attempt: int = 0) -> str:
    """`inc-7-orders-are-failing`: lower case ASCII, at most 80 characters, suffixed when taken."""
    plain = unicodedata.normalize("NFKD", incident.title).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or incident.severity.value
    suffix = f"-{attempt + 1}" if attempt else ""
    name = f"inc-{incident.id}-{words}"
    return _at_a_dash(name, CHANNEL_NAME_LENGTH - len(suffix)) + suffix


def _at_a_dash(name: str, room: int) -> str:
    """The name cut to `room` characters, after a whole word if that keeps half of it."""
    if len(name) <= room:
        return name
    whole = name[: room + 1].rpartition("-")[0]
    return whole if len(whole) > room // 2 else name[:room].rstrip("-")


def scenarios_for(playbooks: Sequence[Playbook], severity: Severity) -> tuple[ScenarioRef, ...]:
    """The scenarios of a severity; all of them where it has none, so that people can choose."""
    scenarios = all_scenarios(playbooks)
    return tuple(ref for ref in scenarios if ref.scenario.severity is severity) or scenarios


def all_scenarios(playbooks: Sequence[Playbook]) -> tuple[ScenarioRef, ...]:
    """Every scenario, by severity, the worst first, then in the order of the files."""
    scenarios = (ScenarioRef(book, scenario) for book in playbooks for scenario in book.scenarios)
    return tuple(sorted(scenarios, key=lambda ref: ref.scenario.severity))


def peak_severity(incident: Incident, entries: Iterable[Entry]) -> Severity:
    """The worst severity that the incident had, by its timeline."""
    details = [entry.detail for entry in entries]
    labels = [detail.severity for detail in details if isinstance(detail, Declared)]
    for detail in details:
        if isinstance(detail, SeverityChanged):
            labels += [detail.old, detail.new]
    known = [level for level in map(parse_severity, labels) if level is not None]
    return min([incident.severity, *known])


def override_reason(entries: Iterable[Entry]) -> str:
    """Why it was resolved although a check failed or is missing; empty where none did."""
    details = [entry.detail for entry in entries]
    return next((each.despite for each in reversed(details) if isinstance(each, Resolved)), "")


def wrong_channel_message(incidents: Sequence[Incident], others: int = 0) -> str:
    """The text for a person who is in no incident's channel, with the open incidents.

    `others` is how many more are open.
    """
    channels = [
        f"{incident.name} in <#{incident.channel_id}>"
        for incident in incidents
        if incident.channel_id
    ]
    left = max(len(channels) - MAX_LINKED, 0) + others
    more = f" and {left} more" if left else ""
    are = f" (open: {', '.join(channels[:MAX_LINKED])}{more})" if channels else ""
    return (
        "This is not an incident's channel. Nothing was done. Use the incident's own channel"
        f"{are}, or declare one with `/incident declare`."
    )


def check_known(status: Status) -> None:
    """Raise UserError for a status that only a newer version of the bot knows."""
    if not status.known:
        raise UserError(
            f"This version of the bot does not know the status “{status.value}”. Nothing was "
            "changed; choose another one."
        )


def check_open(incident: Incident) -> None:
    """Raise UserError for a resolved incident."""
    if not incident.open:
        raise UserError(
            f"{incident.name} is resolved. Nothing was done. If the problem is back, declare a new "
            "incident with `/incident declare`."
        )


def check_has_not(incident: Incident, service: str) -> None:
    """Raise UserError for a service that the incident has."""
    if service in incident.services:
        raise UserError(f"{incident.name} already has {service}. Nothing was changed.")


def mismatched_scenario(playbooks: Sequence[Playbook], incident: Incident) -> Scenario | None:
    """The chosen scenario if it is meant for another severity and others of its service fit."""
    chosen, severity = incident.scenario, incident.severity
    if chosen is None or chosen.severity is severity:
        return None
    own = [playbook for playbook in playbooks if playbook.service == incident.service]
    fits = any(ref.scenario.severity is severity for ref in all_scenarios(own))
    return chosen if fits else None


def best_matches(
    playbooks: Sequence[Playbook], ticked: Mapping[str, Sequence[str]]
) -> tuple[ScenarioRef, ...]:
    """The scenarios with most ticked symptoms (by the scenario's name), the worst first."""
    scenarios = all_scenarios(playbooks)
    most = max((len(ticked.get(ref.name, ())) for ref in scenarios), default=0)
    found = [ref for ref in scenarios if most and len(ticked.get(ref.name, ())) == most]
    return tuple(sorted(found, key=lambda ref: ref.scenario.severity))


def worst_severity(
    playbooks: Sequence[Playbook], ticked: Mapping[str, Sequence[str]]
) -> Severity | None:
    """The worst severity of the scenarios with a ticked symptom: one symptom is enough."""
    return next(
        (ref.scenario.severity for ref in all_scenarios(playbooks) if ticked.get(ref.name)), None
    )


def unambiguous(matches: Sequence[ScenarioRef]) -> ScenarioRef | None:
    """The best match, or None where another one is as severe: then people choose."""
    worst = [ref for ref in matches if ref.scenario.severity is matches[0].scenario.severity]
    return worst[0] if len(worst) == 1 else None
