"""An incident, and the updates about it."""

from datetime import datetime

from bot.model.base import ChannelId, IncidentId, Model, Severity, Status, UpdateId, UserId
from bot.model.playbook import Playbook, Scenario


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

    @property
    def service(self) -> str:
        """The service that its playbook is for."""
        return self.playbook.service

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
        """The scenario people chose, or None while they have not."""
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
