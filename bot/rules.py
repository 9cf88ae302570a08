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
LINKED = 5  # open incidents, where somebody looks for one
# What is worth telling everybody, in this order; what was merely asked or refused is not.
FACTS = (
    EntryKind.SUCCEEDED,
    EntryKind.FAILED,
    EntryKind.READ,
    EntryKind.NOTED,
    EntryKind.PINNED,
)
LONGEST_FACT, MOST_FACTS = 200, 10  # together less than what the form takes
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
# When people are reminded of a task that is due, counted from then.
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
    """What there is room for, without half a word unless that word is most of it."""
    if len(name) <= room:
        return name
    whole = name[: room + 1].rpartition("-")[0]
    return whole if len(whole) > room // 2 else name[:room].rstrip("-")


def matching(playbooks: Sequence[Playbook], severity: Severity) -> tuple[Play, ...]:
    """The plays for a severity; where none is, every play, so that people can choose."""
    every = plays(playbooks)
    return tuple(play for play in every if play.scenario.severity is severity) or every


def plays(playbooks: Sequence[Playbook]) -> tuple[Play, ...]:
    """Every play, the worst first, else in the order of the files."""
    every = (Play(book, scenario) for book in playbooks for scenario in book.scenarios)
    return tuple(sorted(every, key=lambda play: play.scenario.severity))


def at_worst(incident: Incident, entries: Iterable[Entry]) -> Severity:
    """How bad it was at its worst, as its timeline tells."""
    details = [entry.detail for entry in entries]
    labels = [detail.severity for detail in details if isinstance(detail, Declared)]
    for detail in details:
        if isinstance(detail, SeverityChanged):
            labels += [detail.old, detail.new]
    known = [level for level in map(severity, labels) if level is not None]
    return min([incident.severity, *known])


def elsewhere(incidents: Sequence[Incident]) -> str:
    """What to do where no incident is: its own channel, of those that are open."""
    channels = [
        f"{incident.name} in <#{incident.channel_id}>"
        for incident in incidents
        if incident.channel_id
    ]
    more = f" and {len(channels) - LINKED} more" if len(channels) > LINKED else ""
    are = f" (open: {', '.join(channels[:LINKED])}{more})" if channels else ""
    return (
        "This is not an incident's channel, so nothing was done. Say it in the incident's own "
        f"channel{are}, or declare one with /incident declare."
    )


def check_open(incident: Incident) -> None:
    """Refuse to do anything in what is over; raises UserError."""
    if not incident.open:
        raise UserError(
            f"{incident.name} is resolved, so nothing was done. If it is back, declare a new one "
            "with /incident declare."
        )


def attached(incident: Incident) -> str | None:
    """The name of the play whose steps are an incident's, or None while none is chosen."""
    if incident.scenario is None:
        return None
    return Play(incident.playbook, incident.scenario).name


def misfit(playbooks: Sequence[Playbook], incident: Incident) -> Scenario | None:
    """The scenario that is attached, where it is for another severity and others are for this."""
    chosen, severity = incident.scenario, incident.severity
    if chosen is None or chosen.severity is severity:
        return None
    fits = any(play.scenario.severity is severity for play in plays(playbooks))
    return chosen if fits else None


def likely(playbooks: Sequence[Playbook], ticked: Mapping[str, Sequence[str]]) -> tuple[Play, ...]:
    """The plays of which most symptoms are ticked (by the play's name), the worst first."""
    every = plays(playbooks)
    most = max((len(ticked.get(play.name, ())) for play in every), default=0)
    found = [play for play in every if most and len(ticked.get(play.name, ())) == most]
    return tuple(sorted(found, key=lambda play: play.scenario.severity))


def worst(playbooks: Sequence[Playbook], ticked: Mapping[str, Sequence[str]]) -> Severity | None:
    """The severity of the worst play of which anything is ticked: one such symptom is enough."""
    return next((p.scenario.severity for p in plays(playbooks) if ticked.get(p.name)), None)


def proposed(likely: Sequence[Play]) -> Play | None:
    """The likely play, unless another is as likely and as bad: then people choose."""
    worst = [play for play in likely if play.scenario.severity is likely[0].scenario.severity]
    return worst[0] if len(worst) == 1 else None


def newest(facts: Sequence[Entry]) -> tuple[Entry, ...]:
    """What is true by now: of what was looked at or done twice, the last; the changes first."""
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
    """How often an update is due; None when none is."""
    clock: Clock = config.clock(severity)
    if status is Status.RESOLVED:
        return None
    return clock.monitoring if status is Status.MONITORING else clock.update


def next_update_at(
    config: Config, severity: Severity, status: Status, since: datetime, now: datetime
) -> datetime | None:
    """When the next update is due, counted from the last one; what is late is due now."""
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
    """When the next update is due after a change; `promise` is what the last one announced.

    People wait for what was promised: a status alone leaves it, a severity only brings it forward.
    """
    if promise is not None and severity is was.severity:
        return was.next_update_at
    since = was.last_update_at or was.declared_at
    due = next_update_at(config, severity, status, since, now)
    if promise is not None:
        return promise if due is None else min(promise, due)
    if due is None or was.next_update_at is None:
        return due
    # What is late by either clock has been late since then, not since the change.
    late = was.next_update_at <= now and due <= now
    return was.next_update_at if late else due


def at_work(config: Config, severity: Severity, due: datetime) -> datetime:
    """The time itself, or the next working hour where the severity can wait for one."""
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
    """When the author promises the next update: at most twice the cadence away."""
    every = cadence(config, incident.severity, incident.status)
    if every is None:
        return None
    asked = every if minutes is None else timedelta(minutes=minutes)
    return at_work(config, incident.severity, now + min(asked, 2 * every))


def is_due_soon(incident: Incident, now: datetime) -> bool:
    """Whether its next update is shortly ahead: not posted meanwhile, not late, nothing over."""
    due = incident.next_update_at
    return due is not None and now < due <= now + HEADS_UP


def first_response_at(config: Config, incident: Incident) -> datetime | None:
    """When somebody must have taken command, by the playbook's own severity table."""
    level = incident.playbook.severities.get(incident.severity)
    if level is None:
        return None
    return at_work(config, incident.severity, incident.declared_at + level.response)


def told_at(playbook: Playbook) -> tuple[Severity, ...]:
    """The severities at which customers are told, as the playbook has it."""
    return tuple(
        severity
        for severity in Severity
        if severity in playbook.severities and playbook.severities[severity].customers
    )


def are_told(incident: Incident) -> bool:
    """Whether customers are told of it, as bad as it is now."""
    return incident.severity in told_at(incident.playbook)


def check_are_told(incident: Incident) -> None:
    """Refuse to tell customers of what is over or mild; raises UserError."""
    check_open(incident)
    if not are_told(incident):
        told = [severity.label for severity in told_at(incident.playbook)]
        raise UserError(
            f"Customers are told of {' and '.join(told) or 'nothing in this playbook'}, and "
            f"{incident.name} is {incident.severity.label}, so nothing was done. If it is worse, "
            "say so first with /incident severity."
        )


def approvals_needed(config: Config, risk: Risk) -> int:
    """How many other people must approve; a change nobody wrote a policy for needs one."""
    if risk in (Risk.READ, Risk.MANUAL):
        return 0
    return config.policy.approvals.get(risk, 1)


def check_may_act(person: Person) -> None:
    """Refuse guests, bots, deactivated people and strangers; raises UserError."""
    if person.deactivated:
        raise UserError("This account is deactivated, so nothing was done.")
    if person.bot:
        raise UserError("Bots may not do this, so nothing was done. A person has to.")
    if person.stranger:
        raise UserError(
            "You belong to another workspace, so nothing was done. Ask a responder of this one."
        )
    if person.guest:
        raise UserError("Guests may not do this, so nothing was done. Ask a full member.")


def check_may_approve(
    run: Execution, person: Person, approvers: Set[UserId], now: datetime
) -> None:
    """The one gate in front of production; raises UserError, and then nothing was approved."""
    if run.state is not State.PROPOSED:
        raise UserError(f"{_past(run)} Nothing more was approved.")
    if run.expires_at is not None and run.expires_at <= now:
        raise UserError("This request has expired, so nothing was approved. Ask for it again.")
    if person.id == run.requested_by:
        raise UserError(
            "You asked for this yourself, so you cannot approve it. A second person from the "
            "approvers has to."
        )
    check_may_act(person)
    if person.id not in approvers:
        raise UserError(
            "You are not in the approver group, so nothing was approved. Ask one of the approvers."
        )
    if any(approval.by == person.id for approval in run.approvals):
        raise UserError("You have already approved this. It waits for another person.")


def check_may_deny(run: Execution, person: Person, approvers: Set[UserId]) -> None:
    """Approvers deny, and whoever asked takes it back; raises UserError."""
    if run.state not in (State.PROPOSED, State.APPROVED):
        raise UserError(f"{_past(run)} Nothing was denied.")
    check_may_act(person)
    if person.id != run.requested_by and person.id not in approvers:
        raise UserError(
            "You are not in the approver group, so nothing was denied. Ask one of the approvers."
        )


def is_taken_back(run: Execution) -> bool:
    """Whether the one who asked has said no."""
    return run.decided_by is not None and run.decided_by == run.requested_by


def unchecked(runs: Sequence[Execution]) -> tuple[Execution, ...]:
    """Of these, the changes whose check failed, and those of unknown outcome; not the undone."""
    undone = {run.undo_of for run in runs if run.state is State.SUCCEEDED}
    unknown = [run for run in runs if run.state is State.INTERRUPTED]
    failed = [run for run in runs if run.checked is False and run.id not in undone]
    return (*failed, *unknown)


def can_undo(run: Execution, undo: Execution | None) -> bool:
    """Something was changed, its inverse is known, and nobody has undone it."""
    changed = run.checked is not None
    undoable = run.plan is not None and run.plan.undo is not None and run.undo_of is None
    taken = undo is not None and (undo.checked is not None or undo.state in LIVE)
    return changed and undoable and not taken


def undoable(runs: Sequence[Execution], holds: Sequence[Hold]) -> tuple[Execution, ...]:
    """Of these, what can be undone while the incident is open; what is held, afterwards too."""
    undos = {run.undo_of: run for run in runs}
    held = {hold.execution_id for hold in holds}
    return tuple(run for run in runs if run.id not in held and can_undo(run, undos.get(run.id)))


def undo_is_approved(done: Execution, inverse: Plan, now: datetime, *, held: bool) -> bool:
    """An undo was approved with its run: as long as nobody touched the target.

    And for a while only, unless its run is held: then the undo was a part of its plan.
    """
    within = done.undo_until is not None and now < done.undo_until
    return (held or within) and done.undo_digest == inverse.digest


def moved(approved: Plan, now: Plan) -> tuple[str, ...]:
    """What differs of two plans: in their fingerprints, or else which other parts of them."""
    was, new = approved.fingerprint, now.fingerprint
    keys = [key for key in sorted({*was, *new}) if was.get(key) != new.get(key)]
    if not keys:
        keys = [name for name in sorted(now.bound) if approved.bound[name] != now.bound[name]]
    return tuple(key.replace("_", " ") for key in keys)


def next_look(hold: Hold, now: datetime) -> datetime:
    """When the clock has something to do about a hold: say that it ends soon, or end it."""
    soon = hold.until - NUDGE
    return soon if hold.nudged_at is None and now < soon else hold.until


def check_may_extend(
    hold: Hold | None, run: Execution, person: Person, approvers: Set[UserId], now: datetime
) -> None:
    """Who may approve a change may have it last longer; raises UserError, nothing was extended."""
    if hold is None or not hold.in_force:
        raise UserError("This is over already, so nothing was extended.")
    if hold.until <= now:
        raise UserError(
            f"The time of “{hold.state}” is over, so nothing was extended. Ask for it again."
        )
    if person.id == run.requested_by:
        raise UserError(
            "You asked for this yourself, so you cannot extend it. A second person from the "
            "approvers has to."
        )
    check_may_act(person)
    if person.id not in approvers:
        raise UserError(
            "You are not in the approver group, so nothing was extended. Ask one of the approvers."
        )
    if hold.until + EXTENSION > hold.since + LONGEST_HOLD:
        raise UserError(
            f"“{hold.state}” would last longer than {durations.words(LONGEST_HOLD)}, so nothing "
            "was extended. Ask for it again once it has ended."
        )


def state_after(run: Execution, approvals: tuple[Approval, ...]) -> State:
    """Approved once enough people said yes."""
    return State.APPROVED if len(approvals) >= run.approvals_needed else State.PROPOSED


def next_task_reminder(tasks: Iterable[Task], now: datetime) -> datetime | None:
    """When people are reminded next of a task that is due and not done."""
    due = [task.due_at for task in tasks if task.open and task.due_at]
    times = [at + span for at in due for span in TASK_REMINDERS]
    return min((time for time in times if time > now), default=None)


def reminded_of(tasks: Iterable[Task], at: datetime) -> tuple[Task, ...]:
    """The tasks that a reminder of that time is about."""
    return tuple(task for task in tasks if task.due_at and at - task.due_at in TASK_REMINDERS)


def too_late(task: Task) -> UserError:
    """Somebody was faster with a task: who, when, and what is left to do."""
    if task.state is not TaskState.OPEN and task.decided_at:
        done = task.state is TaskState.DONE
        word = "handled" if done and task.kind is TaskKind.FINDING else task.state.value
        return UserError(
            f"“{task.title}” was marked {word} by <@{task.decided_by}> at "
            f"{task.decided_at:%H:%M:%S} UTC already, so nothing was changed."
        )
    if task.owner is not None and task.owned_at:
        return UserError(
            f"<@{task.owner}> took “{task.title}” at {task.owned_at:%H:%M:%S} UTC, so nothing was "
            "changed. Press again to take it over."
        )
    return UserError(f"“{task.title}” is open already, so nothing was changed.")


def _past(run: Execution) -> str:
    """What became of a request that no longer waits."""
    if (
        run.state in (State.APPROVED, State.RUNNING, State.SUCCEEDED, State.FAILED)
        and run.approvals
    ):
        last = run.approvals[-1]
        return f"Already approved by <@{last.by}> at {last.at:%Y-%m-%d %H:%M:%S} UTC."
    if run.state is State.DENIED:
        how = "taken back" if is_taken_back(run) else "denied"
        return f"Already {how} by <@{run.decided_by}>."
    if run.state is State.EXPIRED:
        return "This request has expired."
    if run.state is State.VOIDED:
        return "This request is void, because the incident was resolved."
    return f"This request is already {run.state.value}."
