"""What a service's team does when it breaks."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Self

from pydantic import Field

from bot.model.base import Model, Severity
from bot.model.place import Place


class Phase(StrEnum):
    """Which part of a playbook a step belongs to."""

    IMMEDIATE = "immediate"
    RECOVERY = "recovery"


# The keys of a step that say where it acts.
PLACE_KEYS = ("cluster", "namespace", "database")

# The form of ids: they are in buttons, forms and file names.
ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,39}$"


class SeverityLevel(Model):
    """One row of a playbook's severity table."""

    meaning: str = Field(description="What is broken then.")
    response: timedelta = Field(description="How soon somebody takes command.")
    examples: str = Field(default="", description="Such as: complete outage.")
    customers: bool = Field(default=False, description="Whether customers are told.")


class Step(Model):
    """One line of a scenario: an action, its parameters, and which of them people fill in."""

    id: str = Field(pattern=ID_PATTERN, description="Unique in its scenario.")
    title: str = Field(min_length=1, max_length=75, description="The words beside the button.")
    phase: Phase
    action: str = Field(description="What the button does.")
    params: dict[str, Any] = Field(default={}, description="The action's parameters.")
    ask: tuple[str, ...] = Field(
        default=(), description="Parameters that people fill in or may change before it runs."
    )
    hint: str = Field(default="", description="When to use it.")
    command: str = Field(default="", description="What a person would type instead.")
    cluster: str = Field(default="", description="Another of the service's clusters.")
    namespace: str = Field(default="", description="Another of the service's namespaces.")
    database: str = Field(default="", description="Another of the service's databases.")
    correction: str = Field(
        default="",
        description="Where it differs from the document it was written from, and why.",
    )
    recommended: bool = Field(
        default=False, description="The step to prefer among those that do the same."
    )

    def place(self, service: str) -> Place:
        """Where it acts, as a step of that service's playbook."""
        return Place(
            service=service,
            cluster=self.cluster,
            namespace=self.namespace,
            database=self.database,
        )


class Scenario(Model):
    """One kind of incident a playbook knows: its symptoms and its steps."""

    id: str = Field(pattern=ID_PATTERN, description="Unique for its service.")
    title: str = Field(min_length=1, max_length=75, description="What people choose it by.")
    severity: Severity = Field(description="How bad an incident is that it is offered for.")
    symptoms: tuple[str, ...] = Field(description="How people know it.")
    steps: tuple[Step, ...]

    def step(self, step_id: str) -> Step | None:
        """The step of that id, or None."""
        return next((step for step in self.steps if step.id == step_id), None)

    def prefixed(self, prefix: str) -> Self:
        """The same with ids of steps that begin with `prefix`."""
        steps = (step.model_copy(update={"id": f"{prefix}{step.id}"}) for step in self.steps)
        return self.model_copy(update={"steps": tuple(steps)}) if prefix else self


class Contact(Model):
    """Whom to contact for what."""

    role: str
    contact: str


class OnCall(Model):
    """Who is on call, as the paging service says: by which policy, and until when, if it ends."""

    name: str
    page: str | None
    policy: str
    until: datetime | None


class Link(Model):
    """A page that belongs to the service."""

    title: str
    url: str


class FollowUp(Model):
    """Something to do after the incident; `due` is counted from when it was resolved."""

    title: str = Field(min_length=1, max_length=150)
    due: timedelta | None = None


class Playbook(Model):
    """What one service's team does when it breaks."""

    service: str = Field(description="The service, as the cluster calls it.")
    title: str = Field(description="The service, as people call it.")
    overview: str = Field(default="", description="A sentence or two.")
    severities: dict[Severity, SeverityLevel]
    scenarios: tuple[Scenario, ...]
    internal_alert: str = Field(
        default="", description="Template (Jinja2) of an update to colleagues."
    )
    customer_message: str = Field(
        default="", description="Template (Jinja2) of what customers are told."
    )
    all_clear: str = Field(
        default="", description="Template (Jinja2) of how customers are told that it is over."
    )
    contacts: tuple[Contact, ...] = ()
    links: tuple[Link, ...] = ()
    post_incident: tuple[FollowUp, ...] = ()

    def scenario(self, scenario_id: str | None) -> Scenario | None:
        """The scenario of that id, or None."""
        return next((scenario for scenario in self.scenarios if scenario.id == scenario_id), None)


class ScenarioRef(NamedTuple):
    """One scenario of one playbook."""

    playbook: Playbook
    scenario: Scenario

    @property
    def name(self) -> str:
        """`service/scenario`, as forms and menus say it."""
        return f"{self.playbook.service}/{self.scenario.id}"
