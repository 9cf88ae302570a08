"""The decisions: plain values in, plain values out; no IO, no clock."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from bot import durations
from bot.config import Clock, Config, Hours
from bot.model import (
    LIVE,
    Approval,
    Entry,
    EntryKind,
    Execution,
    Hold,
    Incident,
    Noun,
    Plan,
    Playbook,
    Risk,
    Scenario,
    Severity,
    State,
    Status,
    Task,
    TaskKind,
    TaskState,
    UserError,
    UserId,
)
from bot.model.entries import Declared, ExecutionDetail, ReadDone, SeverityChanged

TITLE_LENGTH = 120
LINKED = 5  # open incidents that a message lists
# The entries that an update is drafted from, in this order.
FACTS = (
    EntryKind.SUCCEEDED,
    EntryKind.FAILED,
    EntryKind.READ,
    EntryKind.NOTED,
    EntryKind.PINNED,
)
LONGEST_FACT, MOST_FACTS = 200, 10  # together shorter than the form's field
CHANNEL_NAME_LENGTH = 80
SATURDAY = 5
SNOOZES_IN_A_ROW = 2
NAGS = 3
NAG_AGAIN = timedelta(minutes=5)
HEADS_UP = timedelta(minutes=3)
CUSTOMER_MESSAGE = "customer-message"  # the action that tells customers
FORM_OPEN = timedelta(minutes=2)
NUDGE = timedelta(minutes=5)
EXTENSION = timedelta(minutes=30)
LONGEST_HOLD = timedelta(hours=4)
# When people are reminded of a task, counted from when it is due.
TASK_REMINDERS = (timedelta(hours=-24), timedelta(hours=-4), timedelta(0), timedelta(days=1))


UNDER_WAY = (State.APPROVED, State.RUNNING, State.INTERRUPTED)


class Person(Noun):
    """Who somebody is, as Slack says now."""

    id: UserId
    name: str
    bot: bool = False
    guest: bool = False
    deactivated: bool = False
    stranger: bool = False


class Play(NamedTuple):
    """One scenario of one playbook."""

    playbook: Playbook
    scenario: Scenario

    @property
    def name(self) -> str:
        """`service/scenario`, as forms and menus say it."""
        return f"{self.playbook.service}/{self.scenario.id}"


def severity(text: str) -> Severity | None:
    """`sev1`, `SEV-1`, `sev 1` or `1`; None when it is none of these."""
    match = re.fullmatch(r"(?:sev[\s_-]?)?([1-4])", text.strip().lower())
    return Severity(f"sev{match[1]}") if match else None


def title(text: str, severity: Severity, scenario: Scenario | None) -> str:
    """The first line of what people wrote, short enough for a header; never empty."""
    words = " ".join((text.strip().splitlines() or [""])[0].split())
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


def matching(playbooks: Sequence[Playbook], severity: Severity) -> tuple[Play, ...]:
    """The scenarios of a severity; all of them where it has none, so that people can choose."""
    every = plays(playbooks)
    return tuple(play for play in every if play.scenario.severity is severity) or every


def plays(playbooks: Sequence[Playbook]) -> tuple[Play, ...]:
    """Every scenario, by severity, the worst first, then in the order of the files."""
    every = (Play(book, scenario) for book in playbooks for scenario in book.scenarios)
    return tuple(sorted(every, key=lambda play: play.scenario.severity))


def at_worst(incident: Incident, entries: Iterable[Entry]) -> Severity:
    """The worst severity that the incident had, by its timeline."""
    details = [entry.detail for entry in entries]
    labels = [detail.severity for detail in details if isinstance(detail, Declared)]
    for detail in details:
        if isinstance(detail, SeverityChanged):
            labels += [detail.old, detail.new]
    known = [level for level in map(severity, labels) if level is not None]
    return min([incident.severity, *known])


def elsewhere(incidents: Sequence[Incident]) -> str:
    """What to tell a person who is in no incident's channel, with the open incidents."""
    channels = [
        f"{incident.name} in <#{incident.channel_id}>"
        for incident in incidents
        if incident.channel_id
    ]
    more = f" and {len(channels) - LINKED} more" if len(channels) > LINKED else ""
    are = f" (open: {', '.join(channels[:LINKED])}{more})" if channels else ""
    return (
        "This is not an incident's channel. Nothing was done. Use the incident's own channel"
        f"{are}, or declare one with `/incident declare`."
    )


def check_open(incident: Incident) -> None:
    """Raise UserError for a resolved incident."""
    if not incident.open:
        raise UserError(
            f"{incident.name} is resolved. Nothing was done. If the problem is back, declare a new "
            "incident with `/incident declare`."
        )


def attached(incident: Incident) -> str | None:
    """The name of the chosen scenario, `service/id`, or None while none is chosen."""
    if incident.scenario is None:
        return None
    return Play(incident.playbook, incident.scenario).name


def misfit(playbooks: Sequence[Playbook], incident: Incident) -> Scenario | None:
    """The chosen scenario if it is meant for another severity and others fit this one."""
    chosen, severity = incident.scenario, incident.severity
    if chosen is None or chosen.severity is severity:
        return None
    fits = any(play.scenario.severity is severity for play in plays(playbooks))
    return chosen if fits else None


def likely(playbooks: Sequence[Playbook], ticked: Mapping[str, Sequence[str]]) -> tuple[Play, ...]:
    """The scenarios with most ticked symptoms (by the scenario's name), the worst first."""
    every = plays(playbooks)
    most = max((len(ticked.get(play.name, ())) for play in every), default=0)
    found = [play for play in every if most and len(ticked.get(play.name, ())) == most]
    return tuple(sorted(found, key=lambda play: play.scenario.severity))


def worst(playbooks: Sequence[Playbook], ticked: Mapping[str, Sequence[str]]) -> Severity | None:
    """The worst severity of the scenarios with a ticked symptom: one symptom is enough."""
    return next((p.scenario.severity for p in plays(playbooks) if ticked.get(p.name)), None)


def proposed(likely: Sequence[Play]) -> Play | None:
    """The best match, or None where another one is as severe: then people choose."""
    worst = [play for play in likely if play.scenario.severity is likely[0].scenario.severity]
    return worst[0] if len(worst) == 1 else None


def newest(facts: Sequence[Entry]) -> tuple[Entry, ...]:
    """The latest entry about each step or plan, changes first, at most ten."""
    latest = {_subject(entry): entry for entry in facts}
    newest = sorted(latest.values(), key=attrgetter("id"))[-MOST_FACTS:]
    return tuple(sorted(newest, key=lambda entry: FACTS.index(entry.kind)))


def _subject(entry: Entry) -> str:
    """What an entry is about: a step, a plan, or only itself."""
    match entry.detail:
        case ReadDone(step=step):
            return step
        case ExecutionDetail(plan_digest=str(digest)):
            return digest
    return str(entry.id)


def cadence(config: Config, severity: Severity, status: Status) -> timedelta | None:
    """How often an update is due; None when the incident is resolved."""
    clock: Clock = config.clock(severity)
    if status is Status.RESOLVED:
        return None
    return clock.monitoring if status is Status.MONITORING else clock.update


def next_update_at(
    config: Config, severity: Severity, status: Status, since: datetime, now: datetime
) -> datetime | None:
    """When the next update is due, counted from the last one, and not before `now`."""
    every = cadence(config, severity, status)
    return None if every is None else at_work(config, severity, max(since + every, now))


def due_after(
    config: Config,
    was: Incident,
    severity: Severity,
    status: Status,
    promise: datetime | None,
    now: datetime,
) -> datetime | None:
    """When the next update is due after a change of severity or status.

    `promise` is the time that the last update announced. Readers wait for it: a new status leaves
    it as it is, a new severity may only bring it forward.
    """
    if promise is not None and severity is was.severity:
        return was.next_update_at
    since = was.last_update_at or was.declared_at
    due = next_update_at(config, severity, status, since, now)
    if promise is not None:
        return promise if due is None else min(promise, due)
    if due is None or was.next_update_at is None:
        return due
    # An update that is overdue before and after the change was due at its former time.
    late = was.next_update_at <= now and due <= now
    return was.next_update_at if late else due


def at_work(config: Config, severity: Severity, due: datetime) -> datetime:
    """`due`, or the start of the next working hours if this severity waits for them."""
    hours = config.hours
    local = due.astimezone(hours.timezone)
    if severity not in hours.severities or _works(hours, local):
        return due
    day = local.date() if local.time() < hours.begin else local.date() + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return datetime.combine(day, hours.begin, hours.timezone).astimezone(due.tzinfo)


def _works(hours: Hours, local: datetime) -> bool:
    return local.weekday() < SATURDAY and hours.begin <= local.time() < hours.end


def promised(
    config: Config, incident: Incident, minutes: int | None, now: datetime
) -> datetime | None:
    """When the author promises the next update: at most twice the cadence from now."""
    every = cadence(config, incident.severity, incident.status)
    if every is None:
        return None
    asked = every if minutes is None else timedelta(minutes=minutes)
    return at_work(config, incident.severity, now + min(asked, 2 * every))


def is_due_soon(incident: Incident, now: datetime) -> bool:
    """Whether the next update is due within the next minutes, and not overdue."""
    due = incident.next_update_at
    return due is not None and now < due <= now + HEADS_UP


def first_response_at(config: Config, incident: Incident) -> datetime | None:
    """When somebody must be in command, by the playbook's severity table."""
    level = incident.playbook.severities.get(incident.severity)
    if level is None:
        return None
    return at_work(config, incident.severity, incident.declared_at + level.response)


def told_at(playbook: Playbook) -> tuple[Severity, ...]:
    """The severities at which the playbook informs customers."""
    return tuple(
        severity
        for severity in Severity
        if severity in playbook.severities and playbook.severities[severity].customers
    )


def are_told(incident: Incident) -> bool:
    """Whether customers are informed at the incident's severity."""
    return incident.severity in told_at(incident.playbook)


def check_are_told(incident: Incident) -> None:
    """Raise UserError for an incident that is resolved or not severe enough for customers."""
    check_open(incident)
    if not are_told(incident):
        told = [severity.label for severity in told_at(incident.playbook)]
        raise UserError(
            f"This playbook informs customers of {' and '.join(told) or 'nothing'}, and "
            f"{incident.name} is {incident.severity.label}. Nothing was done. If it is worse, "
            "raise it first with `/incident severity`."
        )


def approvals_needed(config: Config, risk: Risk) -> int:
    """How many other people must approve; one where the policy says nothing."""
    if risk in (Risk.READ, Risk.MANUAL):
        return 0
    return config.policy.approvals.get(risk, 1)


def check_may_act(person: Person) -> None:
    """Raise UserError for guests, bots, deactivated accounts and people of other workspaces."""
    if person.deactivated:
        raise UserError("This account is deactivated. Nothing was done.")
    if person.bot:
        raise UserError("Bots may not do this. Nothing was done; ask a person to do it.")
    if person.stranger:
        raise UserError(
            "You belong to another workspace. Nothing was done; ask a responder of this one."
        )
    if person.guest:
        raise UserError("Guests may not do this. Nothing was done; ask a full member.")


def check_may_approve(
    run: Execution, person: Person, approvers: Set[UserId], now: datetime
) -> None:
    """Raise UserError unless this person may approve this execution now: the gate to production."""
    if run.state is not State.PROPOSED:
        raise UserError(f"{_past(run)} Nothing more was approved.")
    if run.expires_at is not None and run.expires_at <= now:
        raise UserError("This request has expired. Nothing was approved; request it again.")
    if person.id == run.requested_by:
        raise UserError(
            "You requested this yourself, so you cannot approve it. Another approver has to."
        )
    check_may_act(person)
    if person.id not in approvers:
        raise UserError("You are not an approver. Nothing was approved; ask one of the approvers.")
    if any(approval.by == person.id for approval in run.approvals):
        raise UserError("You have already approved this. It needs another person's approval.")


def check_may_deny(run: Execution, person: Person, approvers: Set[UserId]) -> None:
    """Raise UserError unless this person is an approver, or withdraws their own request."""
    if run.state not in (State.PROPOSED, State.APPROVED):
        raise UserError(f"{_past(run)} Nothing was denied.")
    check_may_act(person)
    if person.id != run.requested_by and person.id not in approvers:
        raise UserError("You are not an approver. Nothing was denied; ask one of the approvers.")


def is_taken_back(run: Execution) -> bool:
    """Whether the requester denied it."""
    return run.decided_by is not None and run.decided_by == run.requested_by


def unchecked(runs: Sequence[Execution]) -> tuple[Execution, ...]:
    """The changes whose check failed or whose outcome is unknown, without those undone since."""
    undone = {run.undo_of for run in runs if run.state is State.SUCCEEDED}
    unknown = [run for run in runs if run.state is State.INTERRUPTED]
    failed = [run for run in runs if run.checked is False and run.id not in undone]
    return (*failed, *unknown)


def can_undo(run: Execution, undo: Execution | None) -> bool:
    """Whether it changed something, its undo is known, and no undo is pending or done."""
    changed = run.checked is not None
    undoable = run.plan is not None and run.plan.undo is not None and run.undo_of is None
    taken = undo is not None and (undo.checked is not None or undo.state in LIVE)
    return changed and undoable and not taken


def undoable(runs: Sequence[Execution], holds: Sequence[Hold]) -> tuple[Execution, ...]:
    """The changes that can be undone only while the incident is open."""
    undos = {run.undo_of: run for run in runs}
    held = {hold.execution_id for hold in holds}
    return tuple(run for run in runs if run.id not in held and can_undo(run, undos.get(run.id)))


def undo_is_approved(done: Execution, inverse: Plan, now: datetime, *, held: bool) -> bool:
    """Whether the undo was approved with its change: nobody has changed the target since.

    It holds until `undo_until`; for a temporary change (`held`), as long as it is in force.
    """
    within = done.undo_until is not None and now < done.undo_until
    return (held or within) and done.undo_digest == inverse.digest


def moved(approved: Plan, now: Plan) -> tuple[str, ...]:
    """The fields that differ between two plans: of the fingerprints, else of the plans."""
    was, new = approved.fingerprint, now.fingerprint
    keys = [key for key in sorted({*was, *new}) if was.get(key) != new.get(key)]
    if not keys:
        keys = [name for name in sorted(now.bound) if approved.bound[name] != now.bound[name]]
    return tuple(key.replace("_", " ") for key in keys)


def next_look(hold: Hold, now: datetime) -> datetime:
    """When to process a temporary change next: to announce its end, or to undo it."""
    soon = hold.until - NUDGE
    return soon if hold.nudged_at is None and now < soon else hold.until


def check_may_extend(
    hold: Hold | None, run: Execution, person: Person, approvers: Set[UserId], now: datetime
) -> None:
    """Raise UserError unless this person may extend a temporary change: an approver may."""
    if hold is None or not hold.in_force:
        raise UserError("This has already ended. Nothing was extended.")
    if hold.until <= now:
        raise UserError(
            f"The time of “{hold.state}” is over. Nothing was extended; request it again."
        )
    if person.id == run.requested_by:
        raise UserError(
            "You requested this yourself, so you cannot extend it. Another approver has to."
        )
    check_may_act(person)
    if person.id not in approvers:
        raise UserError("You are not an approver. Nothing was extended; ask one of the approvers.")
    if hold.until + EXTENSION > hold.since + LONGEST_HOLD:
        raise UserError(
            f"“{hold.state}” would last longer than {durations.words(LONGEST_HOLD)}. Nothing was "
            "extended; request it again once it has ended."
        )


def state_after(run: Execution, approvals: tuple[Approval, ...]) -> State:
    """Approved once enough people approved, else still proposed."""
    return State.APPROVED if len(approvals) >= run.approvals_needed else State.PROPOSED


def next_task_reminder(tasks: Iterable[Task], now: datetime) -> datetime | None:
    """When the next reminder of an open task with a due time fires."""
    due = [task.due_at for task in tasks if task.open and task.due_at]
    times = [at + span for at in due for span in TASK_REMINDERS]
    return min((time for time in times if time > now), default=None)


def reminded_of(tasks: Iterable[Task], at: datetime) -> tuple[Task, ...]:
    """The tasks that a reminder at that time is about."""
    return tuple(task for task in tasks if task.due_at and at - task.due_at in TASK_REMINDERS)


def too_late(task: Task) -> UserError:
    """The error for a person who was too late with a task: who was faster, and when."""
    if task.state is not TaskState.OPEN and task.decided_at:
        done = task.state is TaskState.DONE
        word = "handled" if done and task.kind is TaskKind.FINDING else task.state.value
        return UserError(
            f"<@{task.decided_by}> already marked “{task.title}” as {word} at "
            f"{task.decided_at:%H:%M:%S} UTC. Nothing was changed."
        )
    if task.owner is not None and task.owned_at:
        return UserError(
            f"<@{task.owner}> took “{task.title}” at {task.owned_at:%H:%M:%S} UTC. Nothing was "
            "changed; press again to take it over."
        )
    return UserError(f"“{task.title}” is already open. Nothing was changed.")


def _past(run: Execution) -> str:
    """What became of a request that waits no longer."""
    if (
        run.state in (State.APPROVED, State.RUNNING, State.SUCCEEDED, State.FAILED)
        and run.approvals
    ):
        last = run.approvals[-1]
        return f"Already approved by <@{last.by}> at {last.at:%Y-%m-%d %H:%M:%S} UTC."
    if run.state is State.DENIED:
        how = "withdrawn" if is_taken_back(run) else "denied"
        return f"Already {how} by <@{run.decided_by}>."
    if run.state is State.EXPIRED:
        return "This request has expired."
    if run.state is State.VOIDED:
        return "This request is void, because the incident was resolved."
    return f"This request is already {run.state.value}."
