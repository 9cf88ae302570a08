"""The card: the first message of an incident's channel, with its state and its buttons."""

from bot import rules
from bot.model import Incident, ReminderKind, Severity, Status
from bot.views import action_ids, blocks, temporary_changes, text
from bot.views.blocks import Element
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot

COLOURS = {
    Severity.SEV1: ":red_circle:",
    Severity.SEV2: ":large_orange_circle:",
    Severity.SEV3: ":large_yellow_circle:",
    Severity.SEV4: ":large_blue_circle:",
}
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
        blocks.fields(*_fields(snapshot).split("\n---\n")),
        *temporary_changes.lines(snapshot),
        blocks.context(*blocks.split_mrkdwn(_small_print(snapshot))),
    ]
    if incident.open:
        parts.append(blocks.actions("card", *_buttons(incident)))
        parts.append(blocks.actions(*_status_and_severity(incident)))
    return Message("card", text.render("card", incident=incident), parts)


def _fields(snapshot: IncidentSnapshot) -> str:
    """Status, commander, times, and the reminder of the update that is due."""
    due = snapshot.incident.next_update_at
    reminders = [
        reminder
        for reminder in snapshot.reminders
        if reminder.kind is ReminderKind.UPDATE
        and reminder.fired_at
        and reminder.due_originally_at == due
    ]
    latest = reminders[-1] if reminders else None
    return text.render(
        "card_fields",
        incident=snapshot.incident,
        reminder=latest,
        will_fire_again=latest is not None and snapshot.will_fire_again(latest),
    )


def _small_print(snapshot: IncidentSnapshot) -> str:
    return text.render(
        "card_context",
        incident=snapshot.incident,
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
    """One click while nobody is in command; after that the button needs a confirmation."""
    label = "Take command"
    if incident.commander is None:
        return blocks.button(label, action_ids.TAKE_COMMAND, incident.id, style="primary")
    mrkdwn = text.render("take_command")
    confirm = blocks.confirm_dialog("Take command?", mrkdwn, label, style="primary")
    return blocks.button(label, action_ids.TAKE_COMMAND, incident.id, confirm=confirm)


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
