"""Which playbook the words of a declaration decide on; where they do not, people choose."""

from collections.abc import Sequence
from datetime import timedelta

from bot.model import (
    Incident,
    Playbook,
    Scenario,
    ScenarioRef,
    ServiceName,
    Severity,
    SeverityLevel,
)
from bot.rules import words
from bot.rules.incidents import all_scenarios, scenarios_for

# Nobody said yet which service it is; its id is the one of the defaults in the configuration.
NO_SERVICE = ServiceName("", "")
# Where there is no playbook; the times are those of the shipped ones.
SEVERITIES = {
    Severity.SEV1: SeverityLevel(meaning="Critical", response=timedelta(minutes=15)),
    Severity.SEV2: SeverityLevel(meaning="High", response=timedelta(minutes=30)),
    Severity.SEV3: SeverityLevel(meaning="Medium", response=timedelta(hours=2)),
    Severity.SEV4: SeverityLevel(meaning="Low", response=timedelta(hours=24)),
}


def choose(
    playbooks: Sequence[Playbook], service: ServiceName, severity: Severity, said: str
) -> tuple[Playbook, Scenario | None]:
    """The playbook of an incident of this service, and the scenario where the words decide on it.

    `said` is what was said besides the service. An incident that is of no service yet, or of one
    without a playbook, gets one that has only the severity levels: it is nobody else's.
    """
    own = of_service(playbooks, service.id)
    ref = decided(all_scenarios(own), severity, said)
    if ref is not None:
        return ref
    fitting = scenarios_for(own, severity)
    if fitting:
        return fitting[0].playbook, None
    return (own[0] if own else without_scenarios(service)), None


def of_service(playbooks: Sequence[Playbook], service: str) -> tuple[Playbook, ...]:
    """The playbooks of one service."""
    return tuple(playbook for playbook in playbooks if playbook.service == service)


def to_choose(
    playbooks: Sequence[Playbook], incident: Incident
) -> dict[str, tuple[ScenarioRef, ...]]:
    """The scenarios that fit its severity, for each of its services.

    Under its own those of all services, while nobody has said which it is.
    """
    books = {each: of_service(playbooks, each) if each else playbooks for each in incident.services}
    return {each: scenarios_for(own, incident.severity) for each, own in books.items()}


def others(playbooks: Sequence[Playbook], incident: Incident) -> tuple[ScenarioRef, ...]:
    """All scenarios but the chosen ones: its service's first, of these those of its severity."""
    chosen = {attached.name for attached in incident.playbooks}
    refs = [ref for ref in all_scenarios(playbooks) if ref.name not in chosen]
    return tuple(
        sorted(
            refs,
            key=lambda ref: (
                ref.playbook.service != incident.service,
                ref.scenario.severity is not incident.severity,
            ),
        )
    )


def search(typed: str, playbooks: Sequence[Playbook]) -> tuple[ScenarioRef, ...]:
    """The scenarios that have words which begin so: of title, service and severity."""
    said = words.plain(typed)
    return tuple(
        ref
        for ref in all_scenarios(playbooks)
        if all(any(word.startswith(part) for word in _searched(ref)) for part in said)
    )


def _searched(ref: ScenarioRef) -> tuple[str, ...]:
    playbook, scenario = ref
    label = f"{scenario.title} {playbook.title} {playbook.service} {scenario.severity}"
    return words.plain(label)


def without_scenarios(service: ServiceName) -> Playbook:
    """What an incident has that has no playbook."""
    return Playbook(service=service.id, title=service.title, severities=SEVERITIES, scenarios=())


def decided(refs: Sequence[ScenarioRef], severity: Severity, said: str) -> ScenarioRef | None:
    """The scenario of one service that may be taken without asking; None where people choose.

    It must be the only one of its severity, and what was said besides the service must fit it: it
    says nothing more than that something is wrong, or it shares a significant word with the
    scenario, and with no other scenario of the service more of them.
    """
    exact = [ref for ref in refs if ref.scenario.severity is severity]
    if len(exact) != 1:
        return None
    significant = words.significant(said)
    if not significant:
        return exact[0]
    own = _shared_words(exact[0].scenario, significant)
    most = max(_shared_words(ref.scenario, significant) for ref in refs)
    return exact[0] if own and own == most else None


def _shared_words(scenario: Scenario, said: frozenset[str]) -> int:
    """How many significant words the title and the symptoms of a scenario have of these."""
    own = words.significant("\n".join((scenario.title, *scenario.symptoms)))
    return len(own & said)
