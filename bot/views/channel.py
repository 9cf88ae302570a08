"""What an incident looks like: its channel, and its line among the announcements."""

from collections.abc import Iterable

from bot import rules
from bot.model import (
    Entry,
    EntryKind,
    Execution,
    Incident,
    Reminder,
    ReminderKind,
    Risk,
    Scenario,
    Severity,
    State,
    Status,
    Step,
)
from bot.rules import Play
from bot.views import blocks, contacts, drawing, execution, holds, presses, tasks, text, timeline
from bot.views.blocks import Block, Element
from bot.views.drawing import Bookmark, Drawing, File, Invitation, Message, Pin, Topic
from bot.views.scene import Scene

COLOURS = {
    Severity.SEV1: ":red_circle:",
    Severity.SEV2: ":large_orange_circle:",
    Severity.SEV3: ":large_yellow_circle:",
    Severity.SEV4: ":large_blue_circle:",
}
RESOLVED = ":white_check_mark:"
TOPIC = 250
APPROVERS = "approvers"

# Entries that are said in the channel; the others change a message that already stands there.
SAID = (
    EntryKind.SCENARIO_CHOSEN,
    EntryKind.COMMAND_TAKEN,
    EntryKind.SEVERITY_CHANGED,
    EntryKind.STATUS_CHANGED,
    EntryKind.NOTED,
    EntryKind.ESCALATED,
    EntryKind.SNOOZED,
    EntryKind.EXTENDED,
    EntryKind.NOT_REVERTED,
    EntryKind.ENDED,
)


def draw(scene: Scene) -> list[Drawing]:
    """What may change, in the order in which it is first said; people come by themselves."""
    drawings: list[Drawing] = [
        _card(scene),
        _playbook(scene),
        Topic(_topic(scene.incident)),
        _announcement(scene),
        *_bookmarks(scene),
        Pin("pin:card", of="card"),
    ]
    told = [(entry.at, _entry(scene, entry)) for entry in scene.entries if entry.kind in SAID]
    nudges = [entry for entry in scene.entries if entry.kind is EntryKind.NUDGED]
    told += [(entry.at, holds.nudge(scene, entry)) for entry in nudges]
    for run in _changes(scene):
        lines = [execution.message(scene, run), *execution.ended(run)]
        told += [(run.requested_at, line) for line in lines]
    told += [(update.at, timeline.update(scene.incident, update)) for update in scene.updates]
    told += tasks.checklists(scene)
    told += [
        (reminder.fired_at, _reminder(scene, reminder))
        for reminder in scene.reminders
        if reminder.fired_at is not None and reminder.kind is not ReminderKind.HEADS_UP
    ]
    drawings += [message for _, message in sorted(told, key=lambda line: line[0])]
    if not scene.incident.open:
        drawings += _farewell(scene)
    return drawings


def declarer(incident: Incident) -> Invitation:
    """Whoever declared it is in its channel first."""
    return Invitation("declarer", (incident.declared_by,))


def responders(incident: Incident, users: Iterable[str]) -> list[Drawing]:
    """The responders are in the channel of an open incident."""
    others = tuple(sorted(set(users) - {incident.declared_by}))
    return [Invitation("responders", others)] if others and incident.open else []


def approvers(users: Iterable[str]) -> list[Drawing]:
    """Those who can say yes are where they are asked to."""
    return [Invitation(APPROVERS, tuple(sorted(users)))] if users else []


def _changes(scene: Scene) -> list[Execution]:
    return [run for run in scene.executions if run.risk in (Risk.CHANGE, Risk.DESTRUCTIVE)]


def heading(incident: Incident) -> str:
    """One line that stands alone: colour, severity, number, title."""
    colour = COLOURS[incident.severity] if incident.open else RESOLVED
    return f"{colour} {incident.severity.label} · {incident.name} · {incident.title}"


def _card(scene: Scene) -> Message:
    incident = scene.incident
    parts = [
        blocks.header(heading(incident)),
        blocks.fields(*_fields(scene).split("\n---\n")),
        *holds.lines(scene),
        blocks.context(*blocks.split(_small_print(scene))),
    ]
    if incident.open:
        parts.append(blocks.actions("card", *_card_buttons(incident)))
        parts.append(blocks.actions(*_course(incident)))
    return Message("card", text.render("card", incident=incident), parts)


def _fields(scene: Scene) -> str:
    """What is true of it, and what became of the last word about its next update."""
    due = scene.incident.next_update_at
    asked = [one for one in scene.reminders if one.kind is ReminderKind.UPDATE and one.fired_at]
    asked = [one for one in asked if one.was_due == due]
    last = asked[-1] if asked else None
    rings = last is not None and _rings_again(scene, last)
    return text.render("card_fields", incident=scene.incident, reminder=last, rings=rings)


def _rings_again(scene: Scene, reminder: Reminder) -> bool:
    """Whether what was snoozed is still to be heard of, which an update makes needless."""
    waiting = [one for one in scene.reminders if one.waits and one.kind is reminder.kind]
    return any(one.due_at == reminder.snoozed_until for one in waiting)


def _small_print(scene: Scene) -> str:
    return text.render("card_context", incident=scene.incident, trouble=scene.trouble)


def _card_buttons(incident: Incident) -> list[Element]:
    return [
        _take_command(incident),
        blocks.button("Post update", presses.POST_UPDATE, incident.id),
        *([_tell_customers(incident)] if rules.are_told(incident) else []),
        blocks.button("Resolve", presses.RESOLVE, incident.id),
    ]


def _take_command(incident: Incident) -> Element:
    """One press while nobody is in command; then it is asked once more."""
    label, press = "Take command", presses.TAKE_COMMAND
    if incident.commander is None:
        return blocks.button(label, press, incident.id, style="primary")
    words = text.render("take_command")
    ask = blocks.confirm("Take command?", words, label, style="primary")
    return blocks.button(label, press, incident.id, ask=ask)


def _course(incident: Incident) -> tuple[str, Element, Element]:
    """Status and severity to choose; under another name once they are others.

    Else Slack would go on showing what was chosen last instead of what is true.
    """
    statuses = [
        blocks.option(status.value.capitalize(), status.value)
        for status in Status
        if status is not Status.RESOLVED
    ]
    severities = [blocks.option(severity.label, severity.value) for severity in Severity]
    return (
        f"course:{incident.status}:{incident.severity}",
        blocks.select(presses.CHANGE_STATUS, "Status", statuses, incident.status.value),
        blocks.select(presses.CHANGE_SEVERITY, "Severity", severities, incident.severity.value),
    )


def _tell_customers(incident: Incident) -> Element:
    return blocks.button("Tell customers…", presses.TELL_CUSTOMERS, incident.id)


def _topic(incident: Incident) -> str:
    # A topic holds no live date and no person's mark that would ping, so it is plain words.
    state = incident.status.value.capitalize()
    return blocks.cut_marked(text.escape(f"{heading(incident)} · {state}"), TOPIC)


def _bookmarks(scene: Scene) -> list[Bookmark]:
    incident = scene.incident
    runbooks = contacts.runbooks(incident.playbook, scene.runbooks)
    addresses = [(link.title, address or "") for link, address in runbooks]
    if incident.source_link:
        addresses.append(("Where it began", incident.source_link))
    return [
        Bookmark(f"bookmark:{number}", title, address)
        for number, (title, address) in enumerate(addresses)
        if text.LINK_ADDRESS.fullmatch(address)
    ]


def _playbook(scene: Scene) -> Message:
    incident = scene.incident
    if incident.scenario is None:
        return _choice(scene)
    scenario = incident.scenario
    parts = _steps(scene, scenario, roomy=True)
    if len(parts) > blocks.MOST:
        parts = _steps(scene, scenario, roomy=False)
    return Message("playbook", text.render("playbook", scenario=scenario), parts)


def _steps(scene: Scene, scenario: Scenario, *, roomy: bool) -> list[Block]:
    parts = [
        blocks.header(f":notebook: {scenario.title}"),
        *blocks.sections(text.render("symptoms", scenario=scenario, seen=scene.seen)),
    ]
    for phase in dict.fromkeys(step.phase for step in scenario.steps):
        parts.append(blocks.divider())
        parts.append(blocks.section(text.render("phase", phase=phase)))
        steps = [step for step in scenario.steps if step.phase is phase]
        for number, step in enumerate(steps, 1):
            parts += _step(scene, step, number, roomy=roomy)
    runbooks = contacts.runbooks(scene.incident.playbook, scene.runbooks)
    if runbooks:
        parts.append(blocks.context(text.render("runbooks", runbooks=runbooks)))
    return parts


def _choice(scene: Scene) -> Message:
    options = [blocks.option(_play_title(scene, play), play.name) for play in scene.plays]
    fits = any(play.scenario.severity is scene.incident.severity for play in scene.plays)
    words = text.render("choose_scenario", incident=scene.incident, fits=fits)
    parts = [blocks.section(words)]
    if options and scene.incident.open:
        parts.append(
            blocks.actions(
                "scenarios", blocks.select(presses.CHOOSE_SCENARIO, "Choose", options[:100])
            )
        )
    return Message("playbook", words, parts)


def _play_title(scene: Scene, play: Play) -> str:
    services = {other.playbook.service for other in scene.plays}
    return (
        play.scenario.title
        if len(services) == 1
        else f"{play.playbook.service}: {play.scenario.title}"
    )


def _step(scene: Scene, step: Step, number: int, *, roomy: bool) -> list[Block]:
    if step.action == "manual":
        return tasks.step(scene, step, number, roomy=roomy)
    run = scene.latest(step)
    undo = scene.undo(run) if run else None
    words = text.render("step", step=step, number=number, run=run, undo=undo)
    if not scene.incident.open:
        return [blocks.section(words)]
    return [blocks.section(words, execution.step_button(step), name=f"step:{step.id}")]


def _entry(scene: Scene, entry: Entry) -> Message:
    words = text.render("entry", entry=entry, detail=entry.detail)
    return Message(f"entry:{entry.id}", words, blocks.sections(words))


def _reminder(scene: Scene, reminder: Reminder) -> Message:
    if reminder.kind is ReminderKind.TASKS:
        return tasks.reminder(scene, reminder)
    incident = scene.incident
    groups = [] if incident.commander else scene.responder_groups
    words = text.render(
        "reminder",
        incident=incident,
        reminder=reminder,
        groups=groups,
        rings=_rings_again(scene, reminder),
    )
    parts = [blocks.section(words)]
    if reminder.settled_at is None and incident.open:
        parts.append(blocks.actions("reminder", *_reminder_buttons(incident, reminder)))
    return Message(f"reminder:{reminder.id}", words, parts)


def heads_up(incident: Incident) -> Message:
    """For the commander alone, and never drawn again: words that stay true once it is late."""
    words = text.render("heads_up", incident=incident)
    press = blocks.button("Post update", presses.POST_UPDATE, incident.id, style="primary")
    return Message("heads_up", words, [blocks.section(words), blocks.actions("heads_up", press)])


def _reminder_buttons(incident: Incident, reminder: Reminder) -> list[Element]:
    if reminder.kind == "first_response":
        first = blocks.button("Take command", presses.TAKE_COMMAND, incident.id, style="primary")
    else:
        first = blocks.button("Post update", presses.POST_UPDATE, incident.id, style="primary")
    snoozes = [
        blocks.button(f"Snooze {press.rsplit('.', 1)[1]} min", press, reminder.id)
        for press in presses.SNOOZES
    ]
    return [first, *snoozes]


def _announcement(scene: Scene) -> Message:
    incident = scene.incident
    update = scene.updates[-1] if scene.updates else None
    worst = rules.at_worst(incident, scene.entries)
    words = text.render("announcement", incident=incident, update=update, worst=worst)
    short = text.render("announcement_text", incident=incident)
    parts = [blocks.header(heading(incident)), *blocks.sections(words), *holds.lines(scene)]
    if scene.trouble:
        parts.append(blocks.context(text.render("trouble", trouble=scene.trouble)))
    return Message("announcement", short, parts, place=drawing.ANNOUNCEMENTS)


def _farewell(scene: Scene) -> list[Drawing]:
    incident = scene.incident
    made = [run for run in _changes(scene) if _may_have_changed(run)]
    others = [run for run in _changes(scene) if run not in made]
    left = tasks.unfinished(scene.executions, scene.tasks)
    words = text.render(
        "summary",
        incident=incident,
        worst=rules.at_worst(incident, scene.entries),
        made=made,
        others=others,
        updates=scene.updates,
        left=left,
    )
    parts = [
        blocks.header(f"{RESOLVED} {incident.name} is resolved"),
        *blocks.sections(words),
        *holds.lines(scene),
    ]
    name = f"{incident.name.lower()}-timeline.md"
    return [
        Message("summary", text.render("summary_text", incident=incident), parts),
        *tasks.follow_ups(scene),
        File("timeline", name, text=timeline.markdown(incident, scene.entries)),
    ]


def _may_have_changed(run: Execution) -> bool:
    """Whether it was carried out, as far as anybody knows."""
    return run.checked is not None or run.state in (State.RUNNING, State.INTERRUPTED)
