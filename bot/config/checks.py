"""What one setting demands of another, and of what the bot finds where it runs."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from bot.config.night import SignIn
from bot.config.policy_checks import most_without_rules
from bot.config.service import ServiceConfig
from bot.model import AloneChoice, Risk
from bot.playbooks.validation import suggestion


class Surroundings(NamedTuple):
    """What the bot finds where it runs.

    The `namespace` of services that name none; the `contexts` of the kubeconfig, or None where they
    are not known; and the value of an environment variable, or None where it is not set.
    """

    namespace: str
    contexts: Collection[str] | None
    variable: Callable[[str], str | None]


class Section(Protocol):
    """Where a setting stands."""

    def report(self, message: str, *inside: str | int) -> None:
        """Add a mistake there, or at a key inside of it."""


class Layout(Protocol):
    """Where the settings of services stand."""

    def section(self, service: ServiceConfig, name: str) -> Section:
        """Where a setting of a service stands, or else where the service does."""

    def is_written(self, service: ServiceConfig, name: str) -> bool:
        """Whether people wrote it, for this service or as a default."""


def check(service: ServiceConfig, layout: Layout, surroundings: Surroundings | None) -> None:
    """Report what a service demands and does not have."""
    _check_enough_approvers(service, layout)
    _check_when_alone(service, layout)
    if surroundings is not None:
        if surroundings.contexts is not None:
            _check_clusters(service, layout, surroundings.contexts)
        _check_variables(service, layout, surroundings.variable)
        if not surroundings.variable("PAGERDUTY_TOKEN"):
            _report_on_call(service, layout)


def _check_enough_approvers(service: ServiceConfig, layout: Layout) -> None:
    """Report a number of approvals that the approvers cannot give; groups may have any size."""
    if not layout.is_written(service, "approvers"):
        of = f" of {service.id}" if service.id else ""
        layout.section(service, "approvers").report(f"approvers{of}: missing")
    elif not (service.approvers.groups or service.approvers.on_call):
        _check_people(service, layout)


def _check_when_alone(service: ServiceConfig, layout: Layout) -> None:
    """Report what cannot happen: no next level is named, or no glass may be broken."""
    has_policy = any(duty.escalation_policy for duty in service.approvers.on_call)
    may_break = service.policy.break_glass is not None
    for risk in (Risk.CHANGE, Risk.DESTRUCTIVE):
        choice = service.policy.when_alone.of(risk)
        if choice is AloneChoice.NEXT_LEVEL and not has_policy:
            lacking = "approvers.on_call names no escalation_policy, so there is no next level"
        elif choice is AloneChoice.BREAK_GLASS and not may_break:
            lacking = "policy.break_glass is off"
        else:
            continue
        layout.section(service, "policy").report(
            f"policy.when_alone.{risk.value}: {choice.value}, but {lacking}",
            "when_alone",
            risk.value,
        )


def check_second_step(service: ServiceConfig, sign_in: SignIn | None, layout: Layout) -> None:
    """Report a second step that nobody could take, or that no approval would need."""
    for risk in (Risk.CHANGE, Risk.DESTRUCTIVE):
        if service.policy.second_step.of(risk) is None:
            continue
        if not service.policy.approvals.of(risk):
            problem = "there is no approval to confirm: policy.approvals asks for none"
        elif sign_in is None:
            problem = "a link needs the firm's own sign-in: add sign_in"
        else:
            continue
        message = f"policy.second_step.{risk.value}: {problem}"
        layout.section(service, "policy").report(message, "second_step", risk.value)


def check_sign_in(
    sign_in: SignIn | None, layout: Layout, surroundings: Surroundings | None
) -> None:
    """Report a secret that is not there."""
    if sign_in is not None and surroundings is not None:
        problem = _problem(sign_in.secret, surroundings.variable)
        if problem:
            section = layout.section(ServiceConfig(), "sign_in")
            section.report(f"sign_in.secret: {problem}", "secret")


def _report_on_call(service: ServiceConfig, layout: Layout) -> None:
    """Report that nobody can be asked who is on call."""
    for name in ("approvers", "responders"):
        if getattr(service, name).on_call:
            message = (
                f"{name}.on_call: PAGERDUTY_TOKEN is not set, so nobody can be asked who is on "
                "call; set it to a read-only API key of PagerDuty"
            )
            layout.section(service, name).report(message, "on_call")


def _check_people(service: ServiceConfig, layout: Layout) -> None:
    people = len(set(service.approvers.users))
    for risk in (Risk.CHANGE, Risk.DESTRUCTIVE):
        needed = most_without_rules(service, risk)
        if needed > people:
            _report_few(service, layout, risk, needed, people)


def _report_few(
    service: ServiceConfig, layout: Layout, risk: Risk, needed: int, people: int
) -> None:
    section = layout.section(service, "approvers")
    written = service.policy.approvals.model_fields_set
    if risk.value in written:
        section = layout.section(service, "policy")
    of = f" of {service.id}" if service.id else ""
    section.report(
        f"policy.approvals.{risk.value}: up to {needed} people must approve, and approvers{of} "
        f"names only {people}, so such a change could not run; name more people or a group "
        "under approvers, or ask for fewer",
        *(("approvals", risk.value) if risk.value in written else ()),
    )


def _check_clusters(service: ServiceConfig, layout: Layout, contexts: Collection[str]) -> None:
    if service.cluster and service.cluster not in contexts:
        message = f"cluster: {_unknown_context(service.cluster, contexts)}"
        layout.section(service, "cluster").report(message)
    for index, context in enumerate(service.clusters):
        if context not in contexts:
            message = f"clusters: {_unknown_context(context, contexts)}"
            layout.section(service, "clusters").report(message, index)


def _unknown_context(name: str, contexts: Collection[str]) -> str:
    return f'the kubeconfig has no context "{name}"{suggestion(name, contexts)}'


def _check_variables(
    service: ServiceConfig, layout: Layout, variable: Callable[[str], str | None]
) -> None:
    for section, inside, name in _named_sources(service):
        if not layout.is_written(service, section):
            continue
        problem = _problem(name, variable)
        if problem:
            message = f"{'.'.join((section, *inside))}: {problem}"
            layout.section(service, section).report(message, *inside)


def _named_sources(service: ServiceConfig) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """The variables and files that have secrets, and where they are named."""
    for name, database in service.databases.items():
        for kind in ("read", "admin"):
            if source := getattr(database, kind):
                yield "databases", (name, kind), source
    if service.stripe:
        yield "stripe", (), service.stripe


def _problem(source: str, variable: Callable[[str], str | None]) -> str:
    """Why a secret cannot be read: it is in a variable, or in a file; empty where it can."""
    if "://" in source:
        return "expects the name of a variable or the path of a file, not the address itself"
    if "/" in source:
        is_file = Path(source).is_file()
        return "" if is_file else f"there is no file {source}: make it, or correct the path"
    if not source.isidentifier():
        return "expects the name of a variable, such as CHECKOUT_DATABASE_URL"
    return "" if variable(source) else f"{source} is not set: set it, or correct the name"
