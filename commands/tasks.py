"""The buttons, menus and forms of tasks, which people do by hand."""

from dataclasses import replace

from bot import flows
from bot.model import ExecutionId, Model, Task, TaskId, UserError, UserId
from bot.views import tasks as views
from bot.world import World
from commands.form_errors import NonBlankText
from commands.interactions import Interaction


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
    await interaction.open(views.done_form(task, execution, findings, metadata))


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
    await interaction.open(views.checklist_form(execution, findings, metadata))


async def submit_work(world: World, interaction: Interaction, form: WorkForm) -> None:
    """Make tasks of the chosen findings."""
    execution_id = ExecutionId(interaction.private_metadata["execution"])
    execution = await flows.executions.get(world, execution_id)
    added = await flows.tasks.add_findings(world, execution, form.chosen, by=interaction.user_id)
    already_listed = len(form.chosen) - added
    if already_listed > 0:
        await interaction.reply(f"{already_listed} of them were on the list already.")


def _task_id(value: str) -> TaskId:
    return TaskId(int(value))
