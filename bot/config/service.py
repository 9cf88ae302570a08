"""What a team decides about one service, and all that the configuration says."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from bot.config.clocks import Cadence, WorkingHours, default_cadences
from bot.config.freezes import freeze_at
from bot.config.night import SignIn
from bot.config.people import Address, Channels, MemberSelector, OnCallSource, Right, UserName
from bot.config.policy import Masking, Policy, Terms
from bot.model import ID_PATTERN, FreezeNotice, Model, Risk, Severity
from bot.playbooks.service_values import ServiceValues, Values

# Names of the configuration's own, such as that of a database; a context of a kubeconfig may have
# any characters.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Context = Annotated[str, Field(min_length=1, max_length=253)]
ServiceId = Annotated[str, Field(pattern=ID_PATTERN)]
# Lists of `policy` to which a team's own items are added, after those of all.
ADDED_LISTS = ("rules", "freezes")


class DatabaseSource(Model):
    """Where the addresses of a database stand: the names of variables, or the paths of files.

    `read` is for queries, `admin` for ending sessions; empty for none.
    """

    read: str = ""
    admin: str = ""


class ServiceSettings(Model):
    """What can be said of one service, or as a default of all.

    The first of `databases` is used by steps that name none. `cluster` is a context of the
    kubeconfig: empty for its current one, or for the cluster that the bot runs in. `clusters` and
    `namespaces` are others that steps may name. `stripe` is the name of a variable. `people` are
    Slack users by the e-mail address that they have elsewhere, where Slack has another one.
    """

    cluster: str = ""
    clusters: tuple[Context, ...] = ()
    namespace: Namespace | None = None
    namespaces: tuple[Namespace, ...] = ()
    databases: dict[Name, DatabaseSource] = Field(default_factory=dict)
    stripe: str = ""
    channels: Channels = Channels()
    responders: MemberSelector = MemberSelector()
    approvers: MemberSelector = MemberSelector()
    people: dict[Address, UserName] = Field(default_factory=dict)
    clocks: dict[Severity, Cadence] = Field(default_factory=default_cadences)
    hours: WorkingHours = WorkingHours()
    policy: Policy = Policy()
    masking: Masking = Masking()
    pagerduty: OnCallSource = OnCallSource()
    runbooks: str = ""  # the base URL of relative links in playbooks
    values: Values = Field(default_factory=dict)

    @property
    def team(self) -> MemberSelector:
        """The responders and the approvers."""
        return MemberSelector.union((self.responders, self.approvers))

    def lets_anyone(self, right: Right) -> bool:
        """Whether every full member may do it: so it is where nobody is named as a responder."""
        return self.responders.is_empty or right in self.policy.anyone_may

    def cadence(self, severity: Severity) -> Cadence:
        """The cadence of a severity: from the file, else the default."""
        return self.clocks.get(severity) or default_cadences()[severity]


class ServiceConfig(ServiceSettings):
    """The settings of one service, with the defaults filled in.

    `channel` is the team's own: an incident that is declared there is most likely of this service.
    """

    id: str = ""
    title: str = ""
    channel: str = ""

    def terms(self, severity: Severity, action: str, risk: Risk) -> Terms:
        """What its policy asks for before a change, whatever that takes away."""
        terms = Terms(
            approvals=self.policy.approvals.of(risk),
            approvers=self.approvers,
            expires_after=self.cadence(severity).approval,
            undo_window=self.policy.undo_window,
        )
        for place, rule in self.policy.rules_for(self.id):
            if rule.matches(severity, action, risk):
                terms = terms.with_rule(place, rule)
        return terms

    def freeze_at(self, now: datetime) -> FreezeNotice | None:
        """The freeze that is on at a time; one without a time zone has that of `hours`."""
        return freeze_at(self.policy.freezes, now, self.hours.timezone)

    @property
    def all_approvers(self) -> tuple[MemberSelector, ...]:
        """Its approvers, and those of its rules."""
        rules = (rule.approvers for _, rule in self.policy.rules_for(self.id))
        return (self.approvers, *(approvers for approvers in rules if approvers is not None))

    @property
    def selectors(self) -> tuple[MemberSelector, ...]:
        """Everybody whom its settings name."""
        glass = self.policy.break_glass
        announced = () if glass is None else (glass.announce,)
        return (self.responders, *self.all_approvers, *announced)

    @property
    def all_namespaces(self) -> tuple[str, ...]:
        """Its own namespace, and then the others that steps may name."""
        own = () if self.namespace is None else (self.namespace,)
        return tuple(dict.fromkeys((*own, *self.namespaces)))

    @property
    def all_clusters(self) -> tuple[str, ...]:
        """Its own cluster, and then the others that steps may name."""
        return tuple(dict.fromkeys((self.cluster, *self.clusters)))

    @property
    def for_playbooks(self) -> ServiceValues:
        """What its playbooks may use: the title and values, and the places that steps may name."""
        return ServiceValues(
            title=self.title,
            values=self.values,
            clusters=frozenset(self.all_clusters) - {""},
            namespaces=None if self.namespace is None else frozenset(self.all_namespaces),
            databases=frozenset(self.databases),
        )


class ServiceEntry(ServiceSettings):
    """The settings of one service, as its team wrote them."""

    title: str = ""
    channel: str = ""


class ConfigFile(ServiceSettings):
    """A file, or the files of a folder: what stands beside `services` is the default of all."""

    playbooks: Path | None = None
    sign_in: SignIn | None = None
    defaults: ServiceSettings = ServiceSettings()
    services: dict[ServiceId, ServiceEntry] = Field(default_factory=dict)


class Config(Model):
    """The whole configuration: each service with its effective settings.

    Without `services`, every service of a playbook has the defaults.
    """

    defaults: ServiceConfig
    services: Mapping[str, ServiceConfig] = Field(default_factory=dict)
    playbooks: Path | None = None
    sign_in: SignIn | None = None

    def of(self, service: str) -> ServiceConfig:
        """The settings of a service; the defaults for one that is not listed (any more)."""
        return self.services.get(service, self.defaults)

    def lists(self, service: str) -> bool:
        """Whether the bot serves it: it is listed, or no service is."""
        return not self.services or service in self.services

    @property
    def for_playbooks(self) -> dict[str, ServiceValues]:
        """What the playbooks of each service that is listed may use."""
        return {name: service.for_playbooks for name, service in self.services.items()}

    @property
    def all(self) -> tuple[ServiceConfig, ...]:
        """The settings of all services that are listed, or else the defaults."""
        return tuple(self.services.values()) or (self.defaults,)


def merged(default: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Raw settings, where each that a team wrote replaces the default.

    Of the sections that have one line each, only those lines; people and databases as a whole:
    whoever names its own approvers means no others. Its rules and freezes come after those of all.
    """
    return {**default, **own} | {
        section: _merged_section(default[section], own[section])
        for section in ("channels", "clocks", "hours", "masking", "people", "policy", "values")
        if isinstance(default.get(section), Mapping) and isinstance(own.get(section), Mapping)
    }


def _merged_section(default: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged_section(default[key], own[key])
        for key in default.keys() & own.keys()
        if isinstance(default[key], Mapping) and isinstance(own[key], Mapping)
    }
    # A team adds to the rules and freezes of all, and cannot lose them by writing its own.
    joined = {
        key: [*default[key], *own[key]]
        for key in ADDED_LISTS
        if isinstance(default.get(key), list) and isinstance(own.get(key), list)
    }
    return {**default, **own} | both | joined
