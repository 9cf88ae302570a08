"""The card: the first message of an incident's channel, with its state and its buttons."""

from operator import attrgetter

from bot import rules
from bot.model import (
    Entry,
    Execution,
    ExecutionState,
    Incident,
    Reminder,
    ReminderKind,
    Severity,
    Status,
)
from bot.model.entries import StatusChanged
from bot.views import (
    action_ids,
    blocks,
    broken_glass,
    choosing,
    customers,
    temporary_changes,
    text,
)
from bot.views.blocks import Block, Element
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot

COLOURS = {
    Severity.SEV1: ":red_circle:",
    Severity.SEV2: ":large_orange_circle:",
    Severity.SEV3: ":large_yellow_circle:",
    Severity.SEV4: ":large_blue_circle:",
}
MAX_WAITING = 3  # requests that the card names
RESOLVED = ":white_check_mark:"


def heading(incident: Incident) -> str:
    """One line that stands alone: colour, severity, number and title."""
    colour = COLOURS[incident.severity] if incident.open else RESOLVED
    return f"{colour} {incident.severity.label} · {incident.name} · {incident.title}"


def message(snapshot: IncidentSnapshot) -> Message:
    """The card, with buttons while the incident is open."""
    incident = snapshot.incident
    parts = [
        blocks.header(heading(incident)),
        *broken_glass.lines(snapshot),
        *_impact(snapshot),
        *choosing.proposed_service(snapshot),
        *temporary_changes.lines(snapshot),
        blocks.fields(*_fields(snapshot).split("\n---\n")),
        *_latest(snapshot),
        *customers.told(snapshot),
        blocks.context(*blocks.split_mrkdwn(_small_print(snapshot))),
    ]
    if incident.open:
        parts += _next_status(snapshot)
        parts.append(blocks.actions("card", *_buttons(incident)))
        parts.append(blocks.actions(*_status_and_severity(incident)))
    return Message("card", text.render("card", incident=incident), parts)


def _impact(snapshot: IncidentSnapshot) -> list[Block]:
    """What users notice, in a line; of a resolved incident what fixed it, and how long it took."""
    incident, update = snapshot.incident, snapshot.latest_update
    if not incident.open:
        return blocks.sections(text.render("card_outcome", incident=incident, update=update))
    changed = _last_change(snapshot)
    ended_at = None if changed is None else changed.finished_at
    is_older = update is not None and ended_at is not None and update.at < ended_at
    return [blocks.section(text.render("card_impact", update=update, is_older=is_older))]


def _last_change(snapshot: IncidentSnapshot) -> Execution | None:
    """The change of production that was started last."""
    changes = rules.next_status.changes_of_production(snapshot.executions)
    started = [change for change in changes if change.started_at is not None]
    return max(started, key=attrgetter("started_at", "id"), default=None)


def _latest(snapshot: IncidentSnapshot) -> list[Block]:
    """The last update and whose, the last change and how it went, and what waits for approval."""
    changes = rules.next_status.changes_of_production(snapshot.executions)
    waiting = [
        request
        for request in snapshot.awaiting_approval
        # Once it is resolved, the line about customers tells what waits.
        if snapshot.incident.open or not rules.customers.is_all_clear(request)
    ]
    mrkdwn = text.render(
        "card_latest",
        incident=snapshot.incident,
        update=snapshot.latest_update if snapshot.incident.open else None,
        changed=_last_change(snapshot),
        made=rules.next_status.last_made(snapshot.executions),
        since=snapshot.changed_since[-1:] if snapshot.incident.open else (),
        waiting=waiting[:MAX_WAITING],
        approved=[each for each in changes if each.state is ExecutionState.APPROVED],
        more_waiting=len(waiting[MAX_WAITING:]),
    )
    return blocks.sections(mrkdwn) if mrkdwn else []


def _next_status(snapshot: IncidentSnapshot) -> list[Block]:
    """After the check of a change: the status that follows as a button, and one that declines."""
    incident = snapshot.incident
    proposed = rules.next_status.proposal(
        incident, snapshot.executions, snapshot.entries, snapshot.changed_since
    )
    if proposed is None:
        return []
    is_back = proposed.status is Status.INVESTIGATING
    mrkdwn = text.render("card_next_status", **proposed._asdict(), is_back=is_back)
    label, value = proposed.status.value.capitalize(), f"{incident.id}:{proposed.execution.id}"
    take = f"Set back to {label}" if is_back else f"Set to {label}"
    keep = f"Keep {incident.status.value.capitalize()}" if is_back else "Not yet"
    return [
        blocks.section(mrkdwn),
        blocks.actions(
            f"next:{proposed.execution.id}",
            blocks.button(take, action_ids.TAKE_STATUS, value, style="primary"),
            blocks.button(keep, action_ids.KEEP_STATUS, value),
        ),
    ]


def overdue_update(snapshot: IncidentSnapshot) -> Reminder | None:
    """The latest reminder of the update that is overdue, if one was sent."""
    due = snapshot.incident.next_update_at
    fired = _fired(snapshot, ReminderKind.UPDATE)
    late = [reminder for reminder in fired if reminder.due_originally_at == due]
    return late[-1] if late else None


def _fired(snapshot: IncidentSnapshot, kind: ReminderKind) -> list[Reminder]:
    return [each for each in snapshot.reminders if each.kind is kind and each.fired_at]


def _fields(snapshot: IncidentSnapshot) -> str:
    """Status, commander, times, and the reminder of the update that is due."""
    latest = overdue_update(snapshot)
    return text.render(
        "card_fields",
        incident=snapshot.incident,
        chosen=_chosen_here(snapshot),
        reminder=latest,
        will_fire_again=latest is not None and snapshot.will_fire_again(latest),
    )


def _chosen_here(snapshot: IncidentSnapshot) -> Entry | None:
    """The change to the present status, where it was pressed on the card and told nowhere else."""
    changes = [each for each in snapshot.entries if isinstance(each.detail, StatusChanged)]
    latest = changes[-1] if changes else None
    is_here = latest and isinstance(latest.detail, StatusChanged) and latest.detail.proposed
    return latest if is_here else None


def _small_print(snapshot: IncidentSnapshot) -> str:
    late = _fired(snapshot, ReminderKind.FIRST_RESPONSE)
    return text.render(
        "card_context",
        incident=snapshot.incident,
        late=late[-1] if late else None,
        error=snapshot.publish_error,
        bad_rows=(*snapshot.unreadable, *snapshot.set_aside),
    )


def _buttons(incident: Incident) -> list[Element]:
    return [
        _take_command(incident),
        blocks.button("Post update", action_ids.POST_UPDATE, incident.id),
        *([_tell_customers(incident)] if rules.permissions.informs_customers(incident) else []),
        blocks.button("Resolve", action_ids.RESOLVE, incident.id),
    ]


def _take_command(incident: Incident) -> Element:
    """One click while nobody is in command; after that a form asks first, and names who is."""
    if incident.commander is None:
        return blocks.button("Take command", action_ids.TAKE_COMMAND, incident.id, style="primary")
    return blocks.button("Take over command…", action_ids.TAKE_OVER, incident.id)


def _tell_customers(incident: Incident) -> Element:
    return blocks.button("Tell customers…", action_ids.TELL_CUSTOMERS, incident.id)


def _status_and_severity(incident: Incident) -> tuple[str, Element, Element]:
    """The block id and the two menus.

    The id changes with the values: otherwise Slack keeps showing what somebody chose last.
    """
    severities = [blocks.option(severity.label, severity.value) for severity in Severity]
    return (
        f"course:{incident.status}:{incident.severity}",
        status_menu(action_ids.CHANGE_STATUS, incident.status),
        blocks.select(action_ids.CHANGE_SEVERITY, "Severity", severities, incident.severity.value),
    )


def status_menu(action_id: str, current: Status) -> Element:
    """The statuses of an open incident, to choose from."""
    options = [
        blocks.option(status.value.capitalize(), status.value)
        for status in Status
        if status is not Status.RESOLVED
    ]
    return blocks.select(action_id, "Status", options, current.value)
