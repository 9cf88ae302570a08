"""What a policy demands of the actions, services and people that there are."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, Protocol

from bot.config.policy import CHANGING, Rule, Terms
from bot.config.service import ServiceConfig
from bot.durations import describe
from bot.model import Risk, Severity
from bot.playbooks.validation import suggestion


class Report(Protocol):
    """Where a setting of a policy stands."""

    def __call__(self, message: str, *inside: str | int) -> None:
        """Add a mistake at a key of the service's policy."""


class Known(NamedTuple):
    """The risk of each action, and the ids of the services.

    Without actions it is not checked which there are.
    """

    actions: Mapping[str, Risk]
    services: Collection[str]


class Kind(NamedTuple):
    """A kind of change; the action is empty for one that no rule names."""

    severity: Severity
    action: str
    risk: Risk

    def __str__(self) -> str:
        return f"{self.action or self.risk.value} in {self.severity.label}"


def kinds(actions: Mapping[str, Risk]) -> Iterator[Kind]:
    """Every kind of change that there can be, and for each risk one of an action without a name."""
    named = [(action, risk) for action, risk in actions.items() if risk in CHANGING]
    for action, risk in [*named, *(("", risk) for risk in CHANGING)]:
        yield from (Kind(severity, action, risk) for severity in Severity)


def check(service: ServiceConfig, known: Known, report: Report) -> None:
    """Report what a service's policy names and is not there, and what could not work."""
    for place, rule in service.policy.rules_for(service.id):
        _check_names(place, rule, known, report)
        _check_lowers(service, place, known, report)
    _check_people(service, known, report)
    _check_glass(service, known, report)


def check_services(service: ServiceConfig, known: Known, report: Report) -> None:
    """Report the services that rules name and that are not there."""
    for place, rule in enumerate(service.policy.rules):
        for index, name in enumerate(rule.service or ()):
            if name not in known.services:
                message = f'there is no service "{name}"{suggestion(name, known.services)}'
                report(message, "rules", place, "service", index)


def _check_names(place: int, rule: Rule, known: Known, report: Report) -> None:
    problems = {
        index: problem
        for index, name in enumerate(rule.action or ())
        if (problem := _problem_of(name, known.actions))
    }
    for index, problem in problems.items():
        report(problem, "rules", place, "action", index)
    if known.actions and not problems and not _is_about_something(rule, known):
        report("no action is of this risk, so it is about nothing", "rules", place)


def _is_about_something(rule: Rule, known: Known) -> bool:
    return any(rule.matches(*kind) for kind in kinds(known.actions))


def _problem_of(action: str, actions: Mapping[str, Risk]) -> str:
    """Why a rule cannot be about an action; empty where it can, or nobody knows."""
    if not actions or actions.get(action) in CHANGING:
        return ""
    if action in actions:
        return f"{action} changes nothing, so it needs no approval"
    changing = [name for name, risk in actions.items() if risk in CHANGING]
    return f'there is no action "{action}"{suggestion(action, changing)}'


def _check_lowers(service: ServiceConfig, place: int, known: Known, report: Report) -> None:
    """Report a rule that asks for fewer than is asked for without it, and does not say so."""
    rule = service.policy.rules[place]
    if rule.approvals is None or rule.lowers:
        return
    for kind in kinds(known.actions):
        before = _terms_before(service, place, kind).approvals
        if rule.matches(*kind) and rule.approvals < before:
            report(
                f"{before} must approve {kind} without this rule, and a "
                f"rule only raises the number; write “lowers: true” if you mean {rule.approvals}",
                *("rules", place, "approvals"),
            )
            return


def _terms_before(service: ServiceConfig, place: int, kind: Kind) -> Terms:
    """What is asked for by what stands before a rule."""
    policy = service.policy.model_copy(update={"rules": service.policy.rules[:place]})
    return service.model_copy(update={"policy": policy}).terms(*kind)


def most_without_rules(service: ServiceConfig, risk: Risk) -> int:
    """How many may have to approve a change of a risk that no rule is about; 0 if rules are."""
    numbers = [
        most_approvals(service, kind)
        for kind in kinds({})
        if kind.risk is risk and deciding_rule(service, kind) is None
    ]
    return max(numbers, default=0)


def most_approvals(service: ServiceConfig, kind: Kind) -> int:
    """How many may have to approve a kind of change, with everything that adds to it."""
    policy = service.policy
    needed = service.terms(*kind).approvals
    needed += policy.has_budget
    if policy.incident_budget.is_set:
        needed = max(needed, 2)
    return needed + bool(policy.freezes)


def _check_people(service: ServiceConfig, known: Known, report: Report) -> None:
    """Report rules that ask for more than the people named can give; groups may have any size."""
    reported = set[tuple[int, str]]()
    for kind in kinds(known.actions) if service.policy.rules else ():
        found, approvers = deciding_rule(service, kind), service.terms(*kind).approvers
        people, needed = len(set(approvers.users)), most_approvals(service, kind)
        if approvers.is_open_ended or needed <= people or found is None or found in reported:
            continue
        reported.add(found)
        report(
            f"up to {needed} people must approve {kind}, and its "
            f"approvers are only {people}, so such a change could not run; name more people or a "
            "group, or ask for fewer",
            *("rules", *found),
        )


def deciding_rule(service: ServiceConfig, kind: Kind) -> tuple[int, str] | None:
    """The rule, and its key, that says last who approves a kind of change, or how many."""
    for place in reversed(service.terms(*kind).places):
        for key in ("approvals", "approvers"):
            if getattr(service.policy.rules[place], key) is not None:
                return place, key
    return None


def _check_glass(service: ServiceConfig, known: Known, report: Report) -> None:
    """Report a time to wait after which every request would have expired."""
    glass = service.policy.break_glass
    if glass is None:
        return
    for kind in kinds(known.actions):
        terms = service.terms(*kind)
        if kind.severity in glass.severities and terms.expires_after <= glass.after:
            report(
                f"a request of {kind} expires after "
                f"{describe(terms.expires_after)}, so nobody could break the glass after "
                f"{describe(glass.after)}; let it wait for a shorter time, or let requests wait "
                f"longer (clocks.{kind.severity.value}.approval)",
                *("break_glass", "after"),
            )
            return
