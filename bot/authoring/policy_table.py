"""`runbolt policy`: what each change of each service needs, as tables of plain ASCII."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from bot.config import CHANGING, Budget, Config, Freeze, MemberSelector, ServiceConfig, Terms
from bot.config.freezes import DAYS
from bot.durations import describe
from bot.model import Risk, Severity, UserError
from bot.playbooks.validation import suggestion

HEADINGS = ("change", "severity", "approvals", "from", "expires after", "undo within", "rule")
GAP = "  "


class Row(NamedTuple):
    """One kind of change at one severity, with what is asked for before it."""

    change: str
    severity: Severity
    terms: Terms


def render(
    config: Config, risks: Mapping[str, Risk], at: datetime, *, service: str | None = None
) -> str:
    """The policy of a service, or of all, as it is at a time; raises UserError for an unknown one.

    `risks` are those of the actions.
    """
    services = config.all if service is None else (_find(config, service),)
    return _ascii("\n\n".join("\n".join(_service(each, risks, at)) for each in services))


def _find(config: Config, name: str) -> ServiceConfig:
    if not config.lists(name):
        raise UserError(
            f'RUNBOLT_CONFIG lists no service "{name}"{suggestion(name, config.services)}'
        )
    return config.of(name)


def _service(service: ServiceConfig, risks: Mapping[str, Risk], at: datetime) -> Iterator[str]:
    freeze = service.freeze_at(at)
    yield f"{service.id or 'every service'}, at {at:%Y-%m-%d %H:%M} UTC"
    if freeze is not None:
        reason = f' "{freeze.reason}"' if freeze.reason else ""
        yield f"FREEZE{reason} until {freeze.until:%Y-%m-%d %H:%M} UTC: one more approval"
    rows = [_cells(service, rows, bool(freeze)) for rows in _merged(service, risks)]
    yield from _table([HEADINGS, *rows])
    yield from _others(service)


def _merged(service: ServiceConfig, risks: Mapping[str, Risk]) -> Iterator[list[Row]]:
    """The rows of each risk, and of the actions that rules name; severities alike are together."""
    named = dict.fromkeys(
        action
        for _, rule in service.policy.rules_for(service.id)
        for action in rule.action or ()
        if action in risks
    )
    kinds = [(risk.value, "", risk) for risk in CHANGING]
    kinds += [(action, action, risks[action]) for action in named]
    for change, action, risk in kinds:
        rows = [Row(change, each, service.terms(each, action, risk)) for each in Severity]
        for _, alike in groupby(rows, key=lambda row: row.terms):
            yield list(alike)


def _cells(service: ServiceConfig, rows: Sequence[Row], has_freeze: bool) -> tuple[str, ...]:
    first, last = rows[0], rows[-1]
    terms = first.terms
    severity = first.severity.label
    if first is not last:
        severity = f"{severity} to {last.severity.value[-1]}"
    count = terms.approvals + has_freeze
    return (
        first.change,
        severity,
        f"{count} ({terms.approvals} + freeze)" if has_freeze else str(count or "0: AT ONCE"),
        _people(terms.approvers),
        describe(terms.expires_after),
        describe(terms.undo_window),
        ", ".join(str(place) for place in terms.places) or "-",
    )


def _people(selector: MemberSelector) -> str:
    groups = [f"@{group.removeprefix('@')}" for group in selector.groups]
    duties = [f"on call: {duty.name}" for duty in selector.on_call]
    return ", ".join([*groups, *selector.users, *duties]) or "nobody"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield GAP.join(cells).rstrip()
        if number == 0:
            yield GAP.join("-" * width for width in widths)


def _ascii(text: str) -> str:
    """The text for any terminal: other characters as `?`."""
    return text.encode("ascii", "replace").decode()


def _others(service: ServiceConfig) -> Iterator[str]:
    """What else adds to the approvals, or stands in for them."""
    policy = service.policy
    yield f"budget of a change: {_budget(policy.budget)}"
    yield f"budget of an incident: {_budget(policy.incident_budget)}"
    for freeze in policy.freezes:
        yield f"freeze: {_freeze(freeze, str(service.hours.timezone))}"
    if not policy.freezes:
        yield "freezes: none"
    glass = policy.break_glass
    if glass is None:
        yield "break-glass: off"
        return
    severities = ", ".join(severity.label for severity in glass.severities)
    own = "own requests too" if glass.own_requests else "not for own requests"
    yield (
        f"break-glass: the commander, {severities}, {describe(glass.after)} without an answer, "
        f"{own}; tells {_people(glass.announce)}"
    )


def _budget(budget: Budget) -> str:
    limits = {"pods": budget.pods, "% of the capacity": budget.capacity}
    limits["sessions"] = budget.sessions
    known = [f"{limit} {unit}" for unit, limit in limits.items() if limit is not None]
    return f"{', '.join(known)}; one more approval above" if known else "none"


def _freeze(freeze: Freeze, zone: str) -> str:
    if freeze.weekly is not None:
        begin, end = (_week_time(each.total_seconds()) for each in freeze.weekly)
        when = f"every week from {begin} to {end}"
    else:
        when = f"{freeze.begin:%Y-%m-%d %H:%M} to {freeze.until:%Y-%m-%d %H:%M}"
    reason = f' "{freeze.reason}"' if freeze.reason else ""
    return f"{when} {freeze.timezone or zone}{reason}; one more approval"


def _week_time(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86_400)
    return f"{DAYS[days]} {rest // 3600:02}:{rest % 3600 // 60:02}"
