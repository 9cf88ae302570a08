"""An incident, and the updates about it."""

from datetime import datetime
from typing import NamedTuple

from bot.model.base import ChannelId, IncidentId, Model, Severity, Status, UpdateId, UserId
from bot.model.place import Place
from bot.model.playbook import Playbook, Scenario, ScenarioRef, Step


class FurtherPlaybook(Model):
    """A copy of the playbook of a service that an incident took in, and the chosen scenario."""

    playbook: Playbook
    scenario_id: str | None


class AttachedPlaybook(NamedTuple):
    """One playbook of an incident, and the scenario that people chose, or None.

    `prefix` begins the ids of its steps in the incident. That of the first playbook is empty, and
    that of a service taken in is such as `payment-service/`: so no two steps have one id.
    """

    playbook: Playbook
    scenario_id: str | None
    prefix: str = ""

    @property
    def service(self) -> str:
        """The service that it is for."""
        return self.playbook.service

    @property
    def scenario(self) -> Scenario | None:
        """The chosen scenario, its steps with their ids in the incident."""
        scenario = self.playbook.scenario(self.scenario_id)
        return None if scenario is None else scenario.prefixed(self.prefix)

    @property
    def name(self) -> str | None:
        """The name of the chosen scenario, `service/id`."""
        scenario = self.scenario
        return None if scenario is None else ScenarioRef(self.playbook, scenario).name


class FoundStep(NamedTuple):
    """A step of an incident's playbooks, and where it acts."""

    step: Step
    place: Place


class NewIncident(Model):
    """What is known of an incident when it is declared."""

    title: str
    severity: Severity
    status: Status = Status.INVESTIGATING
    playbook: Playbook
    scenario_id: str | None
    declared_by: UserId
    declared_at: datetime
    source_link: str | None
    next_update_at: datetime | None


class Incident(NewIncident):
    """Something is wrong, and people are on it."""

    id: IncidentId
    channel_id: ChannelId | None
    channel_name: str | None
    commander: UserId | None
    commanded_at: datetime | None
    last_update_at: datetime | None
    resolved_by: UserId | None
    resolved_at: datetime | None
    resolution: str | None
    further_playbooks: tuple[FurtherPlaybook, ...] = ()

    @property
    def service(self) -> str:
        """The service that it was declared for: that of its first playbook."""
        return self.playbook.service

    @property
    def services(self) -> tuple[str, ...]:
        """All services that it is of, the first one before those that were taken in.

        The first one is empty while nobody has said which it is.
        """
        return tuple(attached.service for attached in self.playbooks)

    @property
    def has_several_services(self) -> bool:
        """Whether it took in another service than its own."""
        return bool(self.further_playbooks)

    @property
    def playbooks(self) -> tuple[AttachedPlaybook, ...]:
        """Its own playbook, then those of the services that it took in."""
        own = AttachedPlaybook(self.playbook, self.scenario_id)
        further = (
            AttachedPlaybook(each.playbook, each.scenario_id, f"{each.playbook.service}/")
            for each in self.further_playbooks
        )
        return (own, *further)

    def further_playbook_of(self, service: str) -> AttachedPlaybook | None:
        """The playbook of a service that it took in; None for another service."""
        return next((each for each in self.playbooks[1:] if each.service == service), None)

    def playbook_of_step(self, step_id: str) -> AttachedPlaybook:
        """The playbook that a step belongs to, by the step's id; the first one for an unknown."""
        own, *further = self.playbooks
        return next((each for each in further if step_id.startswith(each.prefix)), own)

    @property
    def steps(self) -> tuple[FoundStep, ...]:
        """The steps of all chosen scenarios."""
        return tuple(
            FoundStep(step, step.place(attached.service))
            for attached in self.playbooks
            if attached.scenario is not None
            for step in attached.scenario.steps
        )

    def step(self, step_id: str) -> FoundStep | None:
        """The step of that id in one of the chosen scenarios, or None."""
        return next((found for found in self.steps if found.step.id == step_id), None)

    @property
    def name(self) -> str:
        """As people write it: INC-7."""
        return f"INC-{self.id}"

    @property
    def open(self) -> bool:
        """Whether anybody still works on it."""
        return self.status is not Status.RESOLVED

    @property
    def scenario(self) -> Scenario | None:
        """The scenario people chose of its own playbook, or None while they have not."""
        return self.playbook.scenario(self.scenario_id)


class OpenIncidents(Model):
    """The worst open incidents, how many are open, and what Slack refuses to show of them.

    `unreadable` are those of the worst that this version cannot read, such as “incident 7”.
    """

    incidents: tuple[Incident, ...]
    unreadable: tuple[str, ...] = ()
    total: int
    publish_errors: dict[IncidentId, str]


class NewUpdate(Model):
    """What is known of an update before it is stored; one `source` stores one update."""

    incident_id: IncidentId
    at: datetime
    by: UserId
    status: Status
    impact: str
    current: str
    next_update_at: datetime | None
    source: str


class Update(Model):
    """An update by the commander; `posted_text` is the internal alert as it was posted."""

    id: UpdateId
    incident_id: IncidentId
    at: datetime
    by: UserId
    status: Status
    impact: str
    current: str
    next_update_at: datetime | None
    posted_text: str | None = None


class UpdateDraft(Model):
    """What an update form is filled in with; `minutes` to the next update, if one is due."""

    impact: str
    facts: tuple[str, ...]
    minutes: int | None
