"""Tasks as options: each in two short lines, and the form to do something with several at once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot import durations
from bot.model import Task, TaskKind, TickVerb
from bot.model.findings import Finding
from bot.views import action_ids, blocks, text
from bot.views.blocks import Block, Element
from bot.views.modals import MAX_CHECKBOXES, View

SEPARATOR = " · "
MAX_GROUPS = 90  # of the 100 blocks of a form
NOTE_LENGTH = 1000  # characters
EVERYTHING = "everything"
TICKED = "ticked"  # the further groups are `ticked:10`, `ticked:20` and so on


def option(subject: Task | Finding, value: str, now: datetime) -> Element:
    """An option: the age and the first parts of the title, the rest of it as its description."""
    parts = [*_age(subject.since, now), *subject.title.split(SEPARATOR)]
    fits = max(count for count in range(1, len(parts) + 1) if count == 1 or _fit(parts[:count]))
    return blocks.option(SEPARATOR.join(parts[:fits]), value, SEPARATOR.join(parts[fits:]))


def _fit(parts: Sequence[str]) -> bool:
    return len(SEPARATOR.join(parts)) <= blocks.BUTTON_LENGTH


def _age(since: datetime | None, now: datetime) -> list[str]:
    return [] if since is None else [durations.describe_elapsed(max(now - since, timedelta(0)))]


def tick_form(title: str, tasks: Sequence[Task], metadata: str, now: datetime, called: str) -> View:
    """The form to tick tasks; `tasks` are the whole list, `called` whom *Escalate* notifies."""
    still_open = [task for task in tasks if task.open]
    count = len(still_open)
    all_of_them = [blocks.option(f"All {count} that are open", EVERYTHING)]
    note = blocks.text_input(max_length=NOTE_LENGTH, multiline=True)
    parts = [
        blocks.section(text.render("tick_form", title=title, open=count, total=len(tasks))),
        blocks.radio_buttons("verb", "What to do", _verbs(tasks[0].kind, called)),
        blocks.tick_boxes(EVERYTHING, "All of them", all_of_them),
        *_groups([option(task, str(task.id), now) for task in still_open])[:MAX_GROUPS],
        blocks.input_block("note", "Note", note, optional=True),
    ]
    return blocks.modal(
        action_ids.TICK_FORM, "Several at once", parts, submit="Apply", metadata=metadata
    )


def _groups(options: Sequence[Element]) -> list[Block]:
    if len(options) <= MAX_CHECKBOXES:
        return [blocks.tick_boxes(TICKED, "Or only these", options)]
    starts = range(0, len(options), MAX_CHECKBOXES)
    groups = [options[start : start + MAX_CHECKBOXES] for start in starts]
    return [
        blocks.tick_boxes(
            f"{TICKED}:{start}" if start else TICKED, f"{start + 1} to {start + len(group)}", group
        )
        for start, group in zip(starts, groups, strict=True)
    ]


def _verbs(kind: TaskKind, called: str) -> list[Element]:
    take = blocks.option("Take those that nobody has taken", TickVerb.TAKE)
    if kind is not TaskKind.FINDING:
        skip = blocks.option("Skip", TickVerb.SKIP, "The note says why.")
        return [blocks.option("Done", TickVerb.DONE), take, skip]
    escalate = blocks.option("Escalate", TickVerb.ESCALATE, f"This notifies {called} at once.")
    return [blocks.option("Handled", TickVerb.DONE), take, escalate]
