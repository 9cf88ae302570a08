"""What Slack shows of an incident: its channel, and its message among the announcements."""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from operator import attrgetter, itemgetter

from bot import rules
from bot.model import (
    AttachedPlaybook,
    Entry,
    EntryKind,
    Execution,
    ExecutionState,
    Incident,
    Risk,
    Scenario,
    Step,
    TaskKind,
)
from bot.model.entries import CommandTaken, Escalated, SeverityChanged, StatusChanged
from bot.views import (
    action_ids,
    blocks,
    broken_glass,
    card,
    choosing,
    contacts,
    customers,
    execution,
    reminders,
    slack_items,
    tasks,
    temporary_changes,
    text,
    timeline,
)
from bot.views.blocks import Block
from bot.views.slack_items import Bookmark, File, Invitation, Message, Pin, SlackItem, Topic
from bot.views.snapshot import IncidentSnapshot

TOPIC_LENGTH = 250
RESPONDERS_KEY, APPROVERS_KEY = "responders", "approvers"

# These entries are messages of the channel; the others only change a message that is there.
POSTED = (
    EntryKind.SERVICE_CHOSEN,
    EntryKind.SCENARIO_CHOSEN,
    EntryKind.SERVICE_ADDED,
    EntryKind.COMMAND_TAKEN,
    EntryKind.SEVERITY_CHANGED,
    EntryKind.STATUS_CHANGED,
    EntryKind.NOTED,
    EntryKind.ESCALATED,
    EntryKind.SNOOZED,
    EntryKind.EXTENDED,
    EntryKind.ENDED,
    EntryKind.FROZEN,
    EntryKind.GLASS_BROKEN,
)


def render_channel(snapshot: IncidentSnapshot) -> Iterator[SlackItem]:
    """Everything but the invitations, in the order in which Slack gets it the first time.

    Each item is rendered when its turn comes: of notes there may be thousands.
    """
    yield card.message(snapshot)
    for attached in snapshot.incident.playbooks:
        yield _playbook(snapshot, attached)
    yield Topic(_topic(snapshot.incident))
    yield _announcement(snapshot)
    yield from broken_glass.announcements(snapshot, card.heading(snapshot.incident))
    yield from _bookmarks(snapshot)
    yield Pin("pin:card", of="card")
    messages = heapq.merge(_posted_entries(snapshot), _dated_messages(snapshot), key=itemgetter(0))
    for _, message in messages:
        yield message
    yield from _invite_called(snapshot)
    if not snapshot.incident.open:
        yield from _closing_items(snapshot)


def _posted_entries(snapshot: IncidentSnapshot) -> Iterator[tuple[datetime, Message]]:
    """The entries that are messages of the channel, the oldest first."""
    entries = snapshot.entries
    posted = [entry for entry in entries if entry.kind in POSTED and not _is_told(snapshot, entry)]
    for entry in sorted(posted, key=attrgetter("at")):
        yield entry.at, _entry(snapshot, entry)


def _dated_messages(snapshot: IncidentSnapshot) -> list[tuple[datetime, Message]]:
    """The other messages that come one after another, each with its time; the oldest first."""
    notices = [entry for entry in snapshot.entries if entry.kind is EntryKind.END_ANNOUNCED]
    messages = [(entry.at, temporary_changes.end_notice(snapshot, entry)) for entry in notices]
    messages += temporary_changes.overdue_notices(snapshot)
    for change in _changes(snapshot):
        messages.append((change.requested_at, execution.message(snapshot, change)))
        messages += [
            (change.requested_at, message)
            for message in execution.outcome_notification(snapshot, change)
        ]
        messages += execution.approver_notices(snapshot, change)
    for update in snapshot.updates:
        messages.append((update.at, timeline.update(snapshot.incident, update)))
    messages += tasks.checklists(snapshot)
    messages += reminders.messages(snapshot)
    return sorted(messages, key=itemgetter(0))


def invite_declarer(incident: Incident) -> Invitation:
    """Invite the person who declared the incident; they come first."""
    return Invitation("declarer", (incident.declared_by,))


def invite_responders(
    incident: Incident, responders: Mapping[str, Collection[str]]
) -> list[SlackItem]:
    """Invite the responders of each service to the channel of an open incident, each once."""
    items, known = list[SlackItem](), {str(incident.declared_by)}
    for service in incident.services if incident.open else ():
        others = set(responders.get(service, ())) - known
        known |= others
        if others:
            key = _key_of_service(RESPONDERS_KEY, incident, service)
            items.append(Invitation(key, tuple(sorted(others))))
    return items


def approvers_key(incident: Incident, service: str) -> str:
    """The key of the invitation of a service's approvers."""
    return _key_of_service(APPROVERS_KEY, incident, service)


def _key_of_service(key: str, incident: Incident, service: str) -> str:
    return key if service == incident.service else f"{key} of {service}"


def invite_approvers(key: str, users: Iterable[str]) -> list[SlackItem]:
    """Invite the approvers to the channel with the request."""
    return [Invitation(key, tuple(sorted(users)))] if users else []


def _invite_called(snapshot: IncidentSnapshot) -> Iterator[Invitation]:
    """Invite the people of the next level, who were called because nobody else is on call."""
    for waiting in snapshot.awaiting_approval:
        called = waiting.available.called if waiting.available else ()
        if called:
            yield Invitation(f"called:{waiting.id}", tuple(sorted(each.user for each in called)))


def _changes(snapshot: IncidentSnapshot) -> list[Execution]:
    changing = (Risk.CHANGE, Risk.DESTRUCTIVE)
    return [change for change in snapshot.executions if change.risk in changing]


def _topic(incident: Incident) -> str:
    # A topic shows no date in the reader's time zone, and a mention in it would notify people.
    status = incident.status.value.capitalize()
    return blocks.truncate_mrkdwn(text.escape(f"{card.heading(incident)} · {status}"), TOPIC_LENGTH)


def _bookmarks(snapshot: IncidentSnapshot) -> list[Bookmark]:
    incident = snapshot.incident
    own, *further = incident.playbooks
    links = _links(snapshot, own)
    if incident.source_link:
        links.append(("Where it began", incident.source_link))
    bookmarks = [(f"bookmark:{number}", *link) for number, link in enumerate(links)]
    for attached in further:
        bookmarks += [
            (f"bookmark:{attached.prefix}{number}", *link)
            for number, link in enumerate(_links(snapshot, attached))
        ]
    return [
        Bookmark(key, title, address)
        for key, title, address in bookmarks
        if text.HTTP_URL.fullmatch(address)
    ]


def _links(snapshot: IncidentSnapshot, attached: AttachedPlaybook) -> list[tuple[str, str]]:
    """The pages of a playbook, with their addresses, empty where they are not known."""
    base_url = snapshot.runbooks_base_urls[attached.service]
    runbooks = contacts.runbooks(attached.playbook, base_url)
    return [(link.title, address or "") for link, address in runbooks]


def _playbook(snapshot: IncidentSnapshot, attached: AttachedPlaybook) -> Message:
    scenario = attached.scenario
    if scenario is None:
        return choosing.message(snapshot, attached)
    title = _playbook_title(snapshot, attached, scenario)
    parts = _steps(snapshot, attached, scenario, title, roomy=True)
    if len(parts) > blocks.MAX_BLOCKS:
        parts = _steps(snapshot, attached, scenario, title, roomy=False)
    key = slack_items.playbook_key(attached)
    return Message(key, text.render("playbook", title=title), parts)


def _playbook_title(
    snapshot: IncidentSnapshot, attached: AttachedPlaybook, scenario: Scenario
) -> str:
    """The scenario's title, with that of the service where the incident has several."""
    if not snapshot.incident.has_several_services:
        return scenario.title
    return f"{attached.playbook.title} · {scenario.title}"


def _steps(
    snapshot: IncidentSnapshot,
    attached: AttachedPlaybook,
    scenario: Scenario,
    title: str,
    *,
    roomy: bool,
) -> list[Block]:
    """Symptoms and steps; where they are not `roomy`, the steps take fewer blocks."""
    symptoms = text.render("symptoms", scenario=scenario, ticked=snapshot.ticked_symptoms)
    parts = [blocks.header(f":notebook: {title}"), *blocks.sections(symptoms)]
    for phase in dict.fromkeys(step.phase for step in scenario.steps):
        parts.append(blocks.divider())
        parts.append(blocks.section(text.render("phase", phase=phase)))
        steps = [step for step in scenario.steps if step.phase is phase]
        for number, step in enumerate(steps, 1):
            parts += _step(snapshot, step, number, roomy=roomy)
    base_url = snapshot.runbooks_base_urls[attached.service]
    runbooks = contacts.runbooks(attached.playbook, base_url)
    if runbooks:
        parts.append(blocks.context(text.render("runbooks", runbooks=runbooks)))
    return parts


def _step(snapshot: IncidentSnapshot, step: Step, number: int, *, roomy: bool) -> list[Block]:
    if step.action == "manual":
        return tasks.manual_step(snapshot, step, number, roomy=roomy)
    latest = snapshot.latest_execution(step)
    undo = snapshot.latest_undo(latest) if latest else None
    mrkdwn = text.render(
        "step",
        step=step,
        number=number,
        execution=latest,
        undo=undo,
        alternatives=snapshot.alternatives(step),
    )
    if not snapshot.incident.open:
        return [blocks.section(mrkdwn)]
    return [blocks.section(mrkdwn, execution.step_button(step), block_id=f"step:{step.id}")]


def _entry(snapshot: IncidentSnapshot, entry: Entry) -> Message:
    is_over = _is_over(snapshot, entry)
    mrkdwn = text.render(
        "entry", incident=snapshot.incident, entry=entry, detail=entry.detail, is_over=is_over
    )
    return Message(_entry_key(entry), mrkdwn, blocks.sections(mrkdwn))


def _is_told(snapshot: IncidentSnapshot, entry: Entry) -> bool:
    """Whether the update that changed the status tells it, or the card on which it was pressed."""
    match entry.detail:
        case StatusChanged(new=status, proposed=proposed):
            updates = [(update.at, update.status.value) for update in snapshot.updates]
            return proposed or (entry.at, status) in updates
    return False


def _is_over(snapshot: IncidentSnapshot, entry: Entry) -> bool:
    """Whether what an entry says was true until something else happened."""
    incident = snapshot.incident
    match entry.detail:
        case CommandTaken():
            taken = [each for each in snapshot.entries if isinstance(each.detail, CommandTaken)]
            return not incident.open or entry != taken[-1]
        case SeverityChanged(mismatched=title, new=severity):
            chosen = incident.scenario.title if incident.scenario else ""
            return not incident.open or (chosen, incident.severity.label) != (title, severity)
        case Escalated(count=count):
            findings = [task for task in snapshot.tasks if task.kind is TaskKind.FINDING]
            still_open = [task.title for task in findings if task.open]
            return not still_open if count > 1 else entry.text not in still_open
    return False


def note_keys(snapshot: IncidentSnapshot) -> frozenset[str]:
    """The keys of the messages that show notes: these never change."""
    entries = snapshot.entries
    return frozenset(_entry_key(entry) for entry in entries if entry.kind is EntryKind.NOTED)


def _entry_key(entry: Entry) -> str:
    return f"entry:{entry.id}"


def heads_up(incident: Incident) -> Message:
    """For the commander alone; never edited, so its words stay true once the update is late."""
    mrkdwn = text.render("heads_up", incident=incident)
    button = blocks.button("Post update", action_ids.POST_UPDATE, incident.id, style="primary")
    return Message("heads_up", mrkdwn, [blocks.section(mrkdwn), blocks.actions("heads_up", button)])


def _announcement(snapshot: IncidentSnapshot) -> Message:
    incident = snapshot.incident
    mrkdwn = text.render(
        "announcement",
        incident=incident,
        update=snapshot.latest_update,
        overdue=card.overdue_update(snapshot),
        peak_severity=rules.incidents.peak_severity(incident, snapshot.entries),
    )
    parts = [blocks.header(card.heading(incident)), *blocks.sections(mrkdwn)]
    parts += temporary_changes.lines(snapshot)
    if snapshot.publish_error:
        parts.append(blocks.context(text.render("publish_error", error=snapshot.publish_error)))
    notification = text.render("announcement_text", incident=incident)
    return Message("announcement", notification, parts, place=slack_items.ANNOUNCEMENTS_CHANNEL)


def _closing_items(snapshot: IncidentSnapshot) -> list[SlackItem]:
    """The summary, the follow-ups and the timeline of a resolved incident."""
    incident = snapshot.incident
    return [
        _summary(snapshot),
        *tasks.follow_ups(snapshot),
        File(
            "timeline",
            f"{incident.name.lower()}-timeline.md",
            thread="summary",
            text=timeline.markdown(incident, snapshot.entries, snapshot.own_clusters),
        ),
    ]


def _summary(snapshot: IncidentSnapshot) -> Message:
    incident = snapshot.incident
    production = rules.next_status.changes_of_production(snapshot.executions)
    requests = [each for each in _changes(snapshot) if not rules.customers.is_all_clear(each)]
    mrkdwn = text.render(
        "summary",
        incident=incident,
        peak_severity=rules.incidents.peak_severity(incident, snapshot.entries),
        made=[change for change in production if _may_have_changed(change)],
        mended=[
            change.id
            for change in production
            if rules.changes.mended_by(change, production) is not None
        ],
        not_made=[request for request in requests if not _may_have_changed(request)],
        updates=snapshot.updates,
        checklists=tasks.open_checklists(snapshot.executions, snapshot.tasks),
        despite=rules.incidents.override_reason(snapshot.entries),
    )
    parts = [
        blocks.header(f"{card.RESOLVED} {incident.name} is resolved"),
        *blocks.sections(mrkdwn),
        *temporary_changes.lines(snapshot),
        *customers.after_end(snapshot),
    ]
    return Message("summary", text.render("summary_text", incident=incident), parts)


def _may_have_changed(change: Execution) -> bool:
    """Whether it changed something, or nobody knows."""
    return change.check_passed is not None or change.state in (
        ExecutionState.RUNNING,
        ExecutionState.INTERRUPTED,
    )
