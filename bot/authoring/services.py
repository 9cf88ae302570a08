"""`runbolt services`: what the configuration says of each service, with the defaults filled in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from bot import config, durations
from bot.config import Cadence, Config, DutySelector, MemberSelector, ServiceConfig, Surroundings
from bot.model import OpenEnum, Risk, Severity, UserError
from bot.systems.kubernetes import Clusters

COLUMNS = ("SERVICE", "CLUSTER", "NAMESPACES", "DATABASES", "RESPONDERS", "APPROVERS", "CHANNELS")
DEFAULTS = "(every service)"
NONE = "-"


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of a file or folder, else of RUNBOLT_CONFIG; raises UserError.

    Where KUBECONFIG is not set, it is not checked whether the clusters are in it.
    """
    given = environ.get("RUNBOLT_CONFIG", "").strip()
    if path is None and not given:
        raise UserError("RUNBOLT_CONFIG is missing: set it, or name the file or folder.")
    found = path or Path(given)
    if not found.exists():
        raise UserError(f"{found} does not exist: name the YAML file, or the folder that has them.")
    kubeconfig = environ.get("KUBECONFIG", "").strip()
    contexts = Clusters(Path(kubeconfig)).contexts() if kubeconfig else None
    namespace = environ.get("KUBERNETES_NAMESPACE", "").strip() or "default"
    return config.load(found, Surroundings(namespace, contexts, environ.get))


def table(given: Config) -> list[str]:
    """A line for each service, in columns; without secrets, which the configuration only names."""
    rows = [COLUMNS, *(_row(service) for service in given.all)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _row(service: ServiceConfig) -> tuple[str, ...]:
    return (
        service.id or DEFAULTS,
        _list(name or "(current)" for name in service.all_clusters),
        _list(service.all_namespaces),
        _list(service.databases),
        _people(service.responders),
        _people(service.approvers),
        _list(filter(None, (service.channels.incidents, service.channels.customers))),
    )


def details(service: ServiceConfig) -> list[str]:
    """Everything about one service, a line for each setting."""
    policy, hours = service.policy, service.hours
    settings = {
        "title": service.title or NONE,
        "clusters": _list(name or "(current)" for name in service.all_clusters),
        "namespaces": _list(service.all_namespaces),
        "databases": _list(
            f"{name} (read: {source.read or NONE}, admin: {source.admin or NONE})"
            for name, source in service.databases.items()
        ),
        "stripe": service.stripe or NONE,
        "responders": _people(service.responders),
        "approvers": _people(service.approvers),
        "on call": service.pagerduty.schedule or service.pagerduty.escalation_policy or NONE,
        "team channel": service.channel or NONE,
        "incidents": service.channels.incidents,
        "customers": service.channels.customers or NONE,
        "runbooks": service.runbooks or NONE,
        "approvals": _list(
            f"{risk.value} {policy.approvals.of(risk)}" for risk in (Risk.CHANGE, Risk.DESTRUCTIVE)
        ),
        "alone on call": _by_risk(policy.when_alone.of),
        "second step": _by_risk(policy.second_step.of),
        "undo window": durations.describe(policy.undo_window),
        "time limit": durations.describe(policy.execution_timeout),
        **{severity.value: _cadence(service.cadence(severity)) for severity in Severity},
        "hours": f"{hours.begin:%H:%M} to {hours.end:%H:%M} {hours.timezone} for "
        + _list(severity.value for severity in hours.severities),
        "values": _list(f"{name}={value}" for name, value in service.values.items()),
    }
    width = max(map(len, settings))
    return [f"{name.ljust(width)}  {value}" for name, value in settings.items()]


def _cadence(cadence: Cadence) -> str:
    return (
        f"update {durations.describe(cadence.update)}, approval "
        f"{durations.describe(cadence.approval)}"
    )


def _by_risk(setting: Callable[[Risk], OpenEnum | None]) -> str:
    return _list(
        f"{risk.value} {(setting(risk) or 'none').replace('_', ' ')}"
        for risk in (Risk.CHANGE, Risk.DESTRUCTIVE)
    )


def _people(people: MemberSelector) -> str:
    groups = (f"@{name.removeprefix('@')}" for name in people.groups)
    return _list((*groups, *people.users, *(f"on call: {_duty(each)}" for each in people.on_call)))


def _duty(duty: DutySelector) -> str:
    """A schedule, or an escalation policy and how many of its levels."""
    return duty.schedule or f"{duty.escalation_policy} to level {duty.levels}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or NONE


def lines(given: Config, names: Sequence[str]) -> list[str]:
    """The table, or all about the services that are named; raises UserError for an unknown one."""
    if not names:
        return table(given)
    printed: list[str] = []
    for name in names:
        if not given.lists(name):
            known = ", ".join(given.services)
            raise UserError(f"The configuration lists no service {name}. It lists: {known}.")
        printed += [*([""] if printed else []), name, *details(given.of(name))]
    return printed
