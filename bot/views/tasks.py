"""How tasks look: a step's line, the checklists, what is due, and the forms."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot import rules
from bot.findings import Finding
from bot.model import Execution, Reminder, Step, Task, TaskKind, TaskState, Unfinished
from bot.views import blocks, presses, text
from bot.views.blocks import Block, Element
from bot.views.drawing import Message
from bot.views.modals import View
from bot.views.scene import Scene

# Two blocks each, in a message that holds fifty.
PAGE = 20
NOTE = 1000


def step(scene: Scene, step: Step, number: int, *, roomy: bool) -> list[Block]:
    """A manual step: what is to be done, what became of it, and its buttons."""
    task = scene.task(step)
    state = text.render("task_state", task=task) if task else ""
    words = text.render("step_by_hand", step=step, number=number, state=state)
    if task is None or not scene.incident.open:
        return [blocks.section(words)]
    if not task.open:
        return [blocks.section(words, _again(task), name=f"step:{step.id}")]
    if not roomy:
        return [blocks.section(words, _menu(task, *_all_options(task)), name=f"step:{step.id}")]
    dots = "…" if step.params.get("choose_from") else ""
    done = blocks.button(f"Done{dots}", presses.RUN_STEP, step.id)
    return [blocks.section(words), blocks.actions(f"step:{step.id}", done, *_others(task))]


def checklists(scene: Scene) -> list[tuple[datetime, Message]]:
    """The rows that people work through, a list for each query, and when each was first said."""
    drawn = []
    for step_id, tasks in _lists(scene.tasks).items():
        drawn += _pages(f"tasks:{step_id}", _title(scene.executions, step_id), tasks)
    return drawn


def _lists(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """The rows that people work through, by the query's step."""
    found = [task for task in tasks if task.kind is TaskKind.FINDING]
    steps = dict.fromkeys(task.step_id for task in found)
    return {id: [task for task in found if task.step_id == id] for id in steps}


def _title(runs: Sequence[Execution], step_id: str) -> str:
    """What the query was called, whichever playbook it was in."""
    titles = [run.title for run in runs if run.step_id == step_id]
    return titles[-1] if titles else step_id


def unfinished(runs: Sequence[Execution], tasks: Sequence[Task]) -> list[Unfinished]:
    """The checklists of which something is open."""
    lists = [
        Unfinished(
            title=_title(runs, step_id), open=sum(one.open for one in listed), all=len(listed)
        )
        for step_id, listed in _lists(tasks).items()
    ]
    return [one for one in lists if one.open]


def follow_ups(scene: Scene) -> list[Message]:
    """What is left to do after the incident; it is used when all else has ended."""
    tasks = [task for task in scene.tasks if task.kind is TaskKind.FOLLOW_UP]
    return [message for _, message in _pages("follow_ups", "", tasks)]


def _pages(key: str, title: str, tasks: Sequence[Task]) -> list[tuple[datetime, Message]]:
    pages = []
    for start in range(0, len(tasks), PAGE):
        shown = tasks[start : start + PAGE]
        words = text.render("tasks", title=title, tasks=tasks if start == 0 else ())
        parts = [blocks.section(words)]
        for task in shown:
            parts += _line(task)
        pages.append((shown[0].added_at, Message(f"{key}:{start // PAGE + 1}", words, parts)))
    return pages


def _line(task: Task) -> list[Block]:
    words = text.render("task", task=task, state=text.render("task_state", task=task))
    name = f"task:{task.id}"
    if not task.open:
        return [blocks.section(words, _again(task), name=name)]
    word = "Handled" if task.kind is TaskKind.FINDING else "Done"
    done = blocks.button(word, presses.TASK_DONE, task.id)
    return [blocks.section(words), blocks.actions(name, done, *_others(task))]


def _others(task: Task) -> list[Element]:
    """The buttons beside *Done*."""
    if task.kind is TaskKind.FINDING:
        escalate = blocks.button("Escalate", presses.TASK_ESCALATE, task.id)
        more = _menu(task, _with_note(task, "Handled"), _take_option(task))
        return [escalate, more] if task.state is TaskState.OPEN else [more]
    take = blocks.button(_take(task), presses.TASK_TAKE, _seen(task))
    return [take, _menu(task, _with_note(task), _skip_option(task))]


def _again(task: Task) -> Element:
    return blocks.button("Open again", presses.TASK_REOPEN, task.id)


def _menu(task: Task, *options: Element) -> Element:
    return blocks.overflow(presses.TASK_MORE, options)


def _all_options(task: Task) -> list[Element]:
    done = blocks.option("Done", f"done/{task.id}")
    return [done, _with_note(task), _take_option(task), _skip_option(task)]


def _with_note(task: Task, word: str = "Done") -> Element:
    return blocks.option(f"{word} with a note…", f"note/{task.id}")


def _skip_option(task: Task) -> Element:
    return blocks.option("Skip…", f"skip/{task.id}")


def _take_option(task: Task) -> Element:
    return blocks.option(_take(task), f"take/{_seen(task)}")


def _take(task: Task) -> str:
    return "Take over" if task.owner else "Take"


def _seen(task: Task) -> str:
    """The task and whose it is when somebody takes it: of two who press at once, one gets it."""
    return f"{task.id}:{task.owner or ''}"


def work_through(scene: Scene, run: Execution) -> list[Block]:
    """The button under a reading whose rows people may work through."""
    found = run.reading is not None and run.reading.table is not None and run.reading.table.rows
    if not found or not run.params.get("tasks") or not scene.incident.open:
        return []
    press = blocks.button("Work through them…", presses.WORK_THROUGH, run.id, style="primary")
    return [blocks.actions("work_through", press)]


def reminder(scene: Scene, reminder: Reminder) -> Message:
    """What is due, and whom it is asked of; the lines end like those of the list."""
    tasks = rules.reminded_of(scene.tasks, reminder.due_at)
    left = [task for task in tasks if task.open]
    incident = scene.incident
    asked = incident.commander or incident.resolved_by
    people = list(dict.fromkeys(task.owner or asked for task in left))
    words = text.render("tasks_due", incident=incident, left=left, people=people)
    parts = [blocks.section(words)]
    for task in tasks[:PAGE]:
        parts += _line(task)
    return Message(f"reminder:{reminder.id}", words, parts)


def done_form(task: Task, run: Execution | None, rows: Sequence[Finding], metadata: str) -> View:
    """Say what was done, and of which rows."""
    words = text.render("task_form", task=task, run=run, rows=len(rows))
    parts = [blocks.section(words)]
    if run is not None and rows:
        parts.append(_choice("Which of them?", dict(enumerate(rows))))
    note = blocks.line(longest=NOTE, lines=True)
    parts.append(blocks.field("note", "Note", note, optional=True))
    return blocks.modal(presses.DONE_FORM, "Done", parts, submit="Done", metadata=metadata)


def skip_form(task: Task, metadata: str) -> View:
    """Say why it is not done."""
    parts = [
        blocks.section(text.render("task_form", task=task, run=None, rows=None)),
        blocks.field("note", "Why is it skipped?", blocks.line(longest=NOTE, lines=True)),
    ]
    return blocks.modal(presses.SKIP_FORM, "Skip", parts, submit="Skip", metadata=metadata)


def work_form(run: Execution, rows: Mapping[int, Finding], metadata: str) -> View:
    """Choose the rows that go on the list."""
    hint = f"Left empty, all {len(rows)} go on the list."
    parts = [
        blocks.section(text.render("work_form", run=run)),
        _choice("Which of them?", rows, hint=hint),
    ]
    return blocks.modal(
        presses.WORK_FORM, "Work through them", parts, submit="Put on the list", metadata=metadata
    )


def _choice(label: str, rows: Mapping[int, Finding], hint: str = "") -> Block:
    options = [blocks.option(row.title, str(number)) for number, row in rows.items()]
    element = blocks.several("Choose", options[:100])
    return blocks.field("chosen", label, element, hint=hint, optional=True)
