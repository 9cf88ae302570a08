"""Tasks: manual steps, checklists, follow-ups, their reminders, and the forms."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot import rules
from bot.model import Execution, Reminder, Step, Task, TaskKind, TaskState, Unfinished
from bot.model.findings import Finding
from bot.views import action_ids, blocks, task_options, text
from bot.views.blocks import Block, Element
from bot.views.modals import View
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot

TASKS_PER_MESSAGE = 20  # tasks, each with two of the 50 blocks that a message may have
NOTE_LENGTH = 1000  # characters


def manual_step(snapshot: IncidentSnapshot, step: Step, number: int, *, roomy: bool) -> list[Block]:
    """A manual step: what to do, its state, and its buttons."""
    task = snapshot.task_of(step)
    state = text.render("task_state", task=task) if task else ""
    mrkdwn = text.render(
        "manual_step",
        step=step,
        number=number,
        state=state,
        alternatives=snapshot.alternatives(step),
    )
    if task is None or not snapshot.incident.open:
        return [blocks.section(mrkdwn)]
    if not task.open:
        return [blocks.section(mrkdwn, _reopen(task), block_id=f"step:{step.id}")]
    if not roomy:
        return [blocks.section(mrkdwn, _menu(*_all_options(task)), block_id=f"step:{step.id}")]
    ellipsis = "…" if step.params.get("choose_from") else ""
    done = blocks.button(f"Done{ellipsis}", action_ids.RUN_STEP, step.id)
    return [
        blocks.section(mrkdwn),
        blocks.actions(f"step:{step.id}", done, *_other_buttons(snapshot, task)),
    ]


def checklists(snapshot: IncidentSnapshot) -> list[tuple[datetime, Message]]:
    """The checklists, one for each query, each message with the time of its first task."""
    messages = []
    for step_id, tasks in _by_step(snapshot.tasks).items():
        title = list_title(snapshot.executions, step_id)
        messages += _pages(snapshot, f"tasks:{step_id}", title, tasks)
    return messages


def _by_step(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """The findings, by the id of the step that found them."""
    findings = [task for task in tasks if task.kind is TaskKind.FINDING]
    checklists: dict[str, list[Task]] = {}
    for finding in findings:
        checklists.setdefault(finding.step_id, []).append(finding)
    return checklists


def list_title(executions: Sequence[Execution], step_id: str) -> str:
    """The query's latest title, whichever playbook it belongs to."""
    titles = [execution.title for execution in executions if execution.step_id == step_id]
    return titles[-1] if titles else step_id


def open_checklists(executions: Sequence[Execution], tasks: Sequence[Task]) -> list[Unfinished]:
    """The checklists with open tasks."""
    checklists = [
        Unfinished(
            title=list_title(executions, step_id),
            open=sum(finding.open for finding in findings),
            all=len(findings),
        )
        for step_id, findings in _by_step(tasks).items()
    ]
    return [checklist for checklist in checklists if checklist.open]


def follow_ups(snapshot: IncidentSnapshot) -> list[Message]:
    """The tasks after the incident, to be done once it is resolved."""
    tasks = [task for task in snapshot.tasks if task.kind is TaskKind.FOLLOW_UP]
    return [message for _, message in _pages(snapshot, "follow_ups", "", tasks)]


def _pages(
    snapshot: IncidentSnapshot, key: str, title: str, tasks: Sequence[Task]
) -> list[tuple[datetime, Message]]:
    """A list as one message for every PAGE tasks, each with the time of its first task."""
    pages = []
    for start in range(0, len(tasks), TASKS_PER_MESSAGE):
        page = tasks[start : start + TASKS_PER_MESSAGE]
        mrkdwn = text.render("tasks", title=title, tasks=tasks if start == 0 else ())
        parts = [blocks.section(mrkdwn, several_button(tasks), block_id=f"list:{start}")]
        for task in page:
            parts += _line(snapshot, task)
        pages.append(
            (page[0].added_at, Message(f"{key}:{start // TASKS_PER_MESSAGE + 1}", mrkdwn, parts))
        )
    return pages


def several_button(tasks: Sequence[Task]) -> Element | None:
    """The button for several tasks of a list at once, where several are open."""
    still_open = [task for task in tasks if task.open]
    if len(still_open) < 2:
        return None
    where = still_open[0]
    value = f"{where.incident_id}:{where.kind}:{where.step_id}"
    return blocks.button("Several at once…", action_ids.TICK_SEVERAL, value)


def _line(snapshot: IncidentSnapshot, task: Task) -> list[Block]:
    mrkdwn = text.render("task", task=task, state=text.render("task_state", task=task))
    name = f"task:{task.id}"
    if not task.open:
        return [blocks.section(mrkdwn, _reopen(task), block_id=name)]
    done = blocks.button(_done_label(task), action_ids.TASK_DONE, task.id)
    return [blocks.section(mrkdwn), blocks.actions(name, done, *_other_buttons(snapshot, task))]


def _other_buttons(snapshot: IncidentSnapshot, task: Task) -> list[Element]:
    """The buttons beside *Done*."""
    if task.kind is TaskKind.FINDING:
        escalate = _escalate(snapshot, task)
        menu = _menu(_note_option(task), _take_option(task))
        return [escalate, menu] if task.state is TaskState.OPEN else [menu]
    take = blocks.button(_take_label(task), action_ids.TASK_TAKE, _task_and_owner(task))
    return [take, _menu(_note_option(task), _skip_option(task))]


def _escalate(snapshot: IncidentSnapshot, task: Task) -> Element:
    """It asks first: people are called at once."""
    service = snapshot.incident.playbook_of_step(task.step_id).service
    question = text.render_unescaped(
        "escalate",
        title=task.title,
        commander=snapshot.incident.commander,
        groups=snapshot.responder_groups[service],
    )
    confirm = blocks.confirm_dialog("Call somebody now?", question, "Escalate", style="primary")
    return blocks.button("Escalate", action_ids.TASK_ESCALATE, task.id, confirm=confirm)


def _reopen(task: Task) -> Element:
    return blocks.button("Reopen", action_ids.TASK_REOPEN, task.id)


def _menu(*options: Element) -> Element:
    return blocks.overflow(action_ids.TASK_MORE, options)


def _all_options(task: Task) -> list[Element]:
    done = blocks.option("Done", f"done/{task.id}")
    return [done, _note_option(task), _take_option(task), _skip_option(task)]


def _note_option(task: Task) -> Element:
    return blocks.option(f"{_done_label(task)} with a note…", f"note/{task.id}")


def _done_label(task: Task) -> str:
    return "Handled" if task.kind is TaskKind.FINDING else "Done"


def _skip_option(task: Task) -> Element:
    return blocks.option("Skip…", f"skip/{task.id}")


def _take_option(task: Task) -> Element:
    return blocks.option(_take_label(task), f"take/{_task_and_owner(task)}")


def _take_label(task: Task) -> str:
    return "Take over" if task.owner else "Take"


def _task_and_owner(task: Task) -> str:
    """What somebody saw when they took it: of two people who click at once, one gets the task."""
    return f"{task.id}:{task.owner or ''}"


def work_through_button(snapshot: IncidentSnapshot, execution: Execution) -> list[Block]:
    """The button under a result whose rows may become a checklist."""
    table = execution.read_result.table if execution.read_result else None
    if not snapshot.incident.open or not execution.params.get("tasks"):
        return []
    if table is None or not table.rows:
        return []
    label = "Work through them…"
    button = blocks.button(label, action_ids.WORK_THROUGH, execution.id, style="primary")
    return [blocks.actions("work_through", button)]


def reminder(snapshot: IncidentSnapshot, key: str, fired: Sequence[Reminder]) -> Message:
    """The tasks that people were reminded of so far, for their owners, or else the commander."""
    due = [task for task in snapshot.tasks if any(_is_due(task, each) for each in fired)]
    mrkdwn = _due_text(snapshot, due)
    parts = [blocks.section(mrkdwn)]
    for task in due[:TASKS_PER_MESSAGE]:
        parts += _line(snapshot, task)
    return Message(key, mrkdwn, parts)


def _is_due(task: Task, reminder: Reminder) -> bool:
    return task in rules.deadlines.tasks_due_at((task,), reminder.due_at)


def repeated_reminder(snapshot: IncidentSnapshot, reminder: Reminder) -> str:
    """One line about the tasks of one reminder, to notify their owners again."""
    return _due_text(
        snapshot, rules.deadlines.tasks_due_at(snapshot.tasks, reminder.due_at), again=True
    )


def _due_text(snapshot: IncidentSnapshot, due: Sequence[Task], *, again: bool = False) -> str:
    still_open, incident = [task for task in due if task.open], snapshot.incident
    commander = incident.commander or incident.resolved_by
    people = list(dict.fromkeys(task.owner or commander for task in still_open))
    return text.render("tasks_due", incident=incident, open=still_open, people=people, again=again)


def done_form(
    task: Task,
    execution: Execution | None,
    rows: Sequence[Finding],
    metadata: str,
    now: datetime,
) -> View:
    """The form to mark a task as done: which rows of the query, and a note."""
    mrkdwn = text.render("done_form", task=task, execution=execution, rows=len(rows))
    parts = [blocks.section(mrkdwn)]
    if execution is not None and rows:
        parts.append(_choice("Which of them?", dict(enumerate(rows)), now))
    note = blocks.text_input(max_length=NOTE_LENGTH, multiline=True)
    parts.append(blocks.input_block("note", "Note", note, optional=True))
    label = _done_label(task)
    return blocks.modal(action_ids.DONE_FORM, label, parts, submit=label, metadata=metadata)


def skip_form(task: Task, metadata: str) -> View:
    """The form to skip a task, with the reason."""
    parts = [
        blocks.section(text.render("skip_form", task=task)),
        blocks.input_block(
            "note", "Why do you skip it?", blocks.text_input(max_length=NOTE_LENGTH, multiline=True)
        ),
    ]
    return blocks.modal(action_ids.SKIP_FORM, "Skip", parts, submit="Skip", metadata=metadata)


def checklist_form(
    execution: Execution, rows: Mapping[int, Finding], metadata: str, now: datetime
) -> View:
    """The form to choose the rows that go on the checklist."""
    hint = f"If you choose none, all {len(rows)} go on the list."
    parts = [
        blocks.section(text.render("checklist_form", execution=execution)),
        _choice("Which of them?", rows, now, hint=hint),
    ]
    return blocks.modal(
        action_ids.CHECKLIST_FORM,
        "Work through them",
        parts,
        submit="Add to the list",
        metadata=metadata,
    )


def _choice(label: str, rows: Mapping[int, Finding], now: datetime, hint: str = "") -> Block:
    options = [task_options.option(row, str(number), now) for number, row in rows.items()]
    element = blocks.multi_select("Choose", options[:100])
    return blocks.input_block("chosen", label, element, hint=hint, optional=True)
