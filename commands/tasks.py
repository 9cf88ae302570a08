"""The buttons, menus and forms of tasks, which people do by hand."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from bot import flows
from bot.model import (
    ExecutionId,
    IncidentId,
    Model,
    Task,
    TaskId,
    TaskKind,
    TaskList,
    TickVerb,
    UserError,
    UserId,
)
from bot.views import task_options, text
from bot.views import tasks as views
from bot.world import World
from commands.form_errors import NonBlankText
from commands.interactions import Interaction

MAX_TITLES = 5  # that a reply names


class DoneForm(Model):
    """What was done, and the numbers of the findings that it was done for."""

    note: NonBlankText | None = None
    chosen: tuple[int, ...] = ()


class SkipForm(Model):
    """Why the task was not done."""

    note: NonBlankText


class WorkForm(Model):
    """The numbers of the findings that become tasks."""

    chosen: tuple[int, ...] = ()


class TickForm(Model):
    """What to do with several tasks: `everything` are all that the form showed as open."""

    verb: TickVerb
    everything: tuple[str, ...] = ()
    ticked: tuple[int, ...] = ()
    note: NonBlankText | None = None

    @field_validator("ticked")
    @classmethod
    def _check_ticked(cls, ticked: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if not ticked and not info.data.get("everything"):
            raise PydanticCustomError("nothing_ticked", "nothing is ticked")
        return ticked

    @field_validator("note")
    @classmethod
    def _check_note(cls, note: str | None, info: ValidationInfo) -> str | None:
        if note is None and info.data.get("verb") is TickVerb.SKIP:
            raise PydanticCustomError("no_reason", "a reason is missing")
        return note


async def finish_step(
    world: World, interaction: Interaction, task: Task, *, has_choice: bool
) -> None:
    """*Done* of a manual step was pressed: finish it, or open the form to choose."""
    if has_choice:
        await _open_done_form(world, interaction, task)
    else:
        await flows.tasks.finish(world, task.id, by=interaction.user_id)


async def finish(world: World, interaction: Interaction) -> None:
    """*Done* or *Handled* was pressed."""
    await flows.tasks.finish(world, _task_id(interaction.value), by=interaction.user_id)


async def take(world: World, interaction: Interaction) -> None:
    """*Take* or *Take over* was pressed; the value is `task`, or `task:former owner`."""
    task_id, _, owner = interaction.value.partition(":")
    previous_owner = UserId(owner) if owner else None
    await flows.tasks.take(
        world, _task_id(task_id), previous_owner=previous_owner, by=interaction.user_id
    )


async def escalate(world: World, interaction: Interaction) -> None:
    """*Escalate* was pressed."""
    await flows.tasks.escalate(world, _task_id(interaction.value), by=interaction.user_id)


async def reopen(world: World, interaction: Interaction) -> None:
    """*Reopen* was pressed."""
    await flows.tasks.reopen(world, _task_id(interaction.value), by=interaction.user_id)


async def choose_from_menu(world: World, interaction: Interaction) -> None:
    """Something was chosen in a task's menu; raises UserError for what is unknown."""
    verb, _, value = interaction.value.partition("/")
    handlers = {"done": finish, "take": take, "note": open_note_form, "skip": open_skip_form}
    handler = handlers.get(verb)
    if handler is None:
        raise UserError("This version of the bot does not have this choice. Nothing was done.")
    await handler(world, replace(interaction, value=value))


async def open_note_form(world: World, interaction: Interaction) -> None:
    """*Done with a note…* or *Handled with a note…* was chosen."""
    task = await flows.tasks.get(world, _task_id(interaction.value))
    await _open_done_form(world, interaction, task)


async def _open_done_form(world: World, interaction: Interaction, task: Task) -> None:
    execution, findings = await flows.tasks.findings_to_choose(world, task)
    metadata = interaction.metadata(task=task.id, execution=execution.id if execution else None)
    await interaction.open(views.done_form(task, execution, findings, metadata, world.now()))


async def submit_done(world: World, interaction: Interaction, form: DoneForm) -> None:
    """Finish the task with a note and the chosen findings."""
    task = await flows.tasks.get(world, TaskId(interaction.private_metadata["task"]))
    chosen = await _titles(world, interaction, task, form.chosen)
    user_id = interaction.user_id
    await flows.tasks.finish(world, task.id, by=user_id, note=form.note or "", chosen=chosen)


async def _titles(
    world: World, interaction: Interaction, task: Task, numbers: tuple[int, ...]
) -> list[str]:
    """The titles of the chosen findings of the execution that the form showed."""
    if not numbers:
        return []
    execution_id = ExecutionId(interaction.private_metadata["execution"])
    execution = await flows.executions.get(world, execution_id)
    findings = await flows.tasks.findings_chosen_from(world, task, execution)
    return [findings[number].title for number in numbers if number < len(findings)]


async def open_skip_form(world: World, interaction: Interaction) -> None:
    """*Skip…* was chosen."""
    task = await flows.tasks.get(world, _task_id(interaction.value))
    await interaction.open(views.skip_form(task, interaction.metadata(task=task.id)))


async def submit_skip(world: World, interaction: Interaction, form: SkipForm) -> None:
    """Skip the task."""
    task_id = TaskId(interaction.private_metadata["task"])
    await flows.tasks.skip(world, task_id, form.note, by=interaction.user_id)


async def work_through(world: World, interaction: Interaction) -> None:
    """*Work through them…* was pressed: open the form to choose rows."""
    execution = await flows.executions.get(world, ExecutionId(int(interaction.value)))
    # Raises UserError once the incident is resolved or has another playbook.
    await flows.executions.find_open_step(world, execution.incident_id, execution.step_id)
    findings = await flows.tasks.unlisted_findings(world, execution)
    metadata = interaction.metadata(execution=execution.id)
    await interaction.open(views.checklist_form(execution, findings, metadata, world.now()))


async def submit_work(world: World, interaction: Interaction, form: WorkForm) -> None:
    """Make tasks of the chosen findings."""
    execution_id = ExecutionId(interaction.private_metadata["execution"])
    execution = await flows.executions.get(world, execution_id)
    added = await flows.tasks.add_findings(world, execution, form.chosen, by=interaction.user_id)
    already_listed = len(form.chosen) - added
    if already_listed > 0:
        await interaction.reply(f"{already_listed} of them were on the list already.")


async def open_tick_form(world: World, interaction: Interaction) -> None:
    """*Several at once…* was pressed: open the form to tick tasks of the list."""
    incident_id, kind, step_id = interaction.value.split(":", 2)
    task_list = TaskList(IncidentId(int(incident_id)), TaskKind(kind), step_id)
    incident = await flows.incidents.get(world, task_list.incident_id)
    tasks = await flows.tasks.of_list(world, task_list)
    if not any(task.open for task in tasks):
        raise UserError("Nothing on this list is open any more. Nothing was changed.")
    executions = await flows.executions.of_incident(world, task_list.incident_id)
    form = task_options.tick_form(
        views.list_title(executions, step_id) if step_id else "",
        tasks,
        interaction.metadata(list=task_list, last=tasks[-1].id),
        world.now(),
        text.render(
            "called",
            commander=incident.commander not in (None, interaction.user_id),
            groups=world.config.of(incident.playbook_of_step(step_id).service).responders.groups,
        ),
    )
    await interaction.open(form)


def parse_tick_form(world: World, interaction: Interaction, values: dict[str, Any]) -> TickForm:
    """The form of its values by block id, the groups of ticks as one; raises ValidationError."""
    groups = {name for name in values if name.partition(":")[0] == task_options.TICKED}
    ticked = [task_id for name in sorted(groups) for task_id in values[name]]
    others = {name: value for name, value in values.items() if name not in groups}
    return TickForm.model_validate({**others, "ticked": ticked})


async def submit_ticks(world: World, interaction: Interaction, form: TickForm) -> None:
    """Do the same with all that are ticked, and say which of them somebody else had before."""
    incident_id, kind, step_id = interaction.private_metadata["list"]
    task_list = TaskList(IncidentId(incident_id), TaskKind(kind), step_id)
    chosen: Collection[TaskId] = tuple(map(TaskId, form.ticked))
    if form.everything:
        last = interaction.private_metadata["last"]
        tasks = await flows.tasks.of_list(world, task_list)
        chosen = [task.id for task in tasks if task.open and task.id <= last]
    ticked = await flows.tasks.tick(
        world, task_list, form.verb, chosen, by=interaction.user_id, note=form.note or ""
    )
    if ticked.refused:
        titles = ", ".join(f"“{title}”" for title in ticked.refused[:MAX_TITLES])
        verb = "was" if ticked.changed == 1 else "were"
        await interaction.reply(
            f"{ticked.changed} {verb} changed. Somebody was faster with {len(ticked.refused)}, and "
            f"these stay as they are: {titles}."
        )


def _task_id(value: str) -> TaskId:
    return TaskId(int(value))
