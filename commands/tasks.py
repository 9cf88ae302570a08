"""What people do by hand: the buttons and forms of tasks."""

from dataclasses import replace

from bot import flows
from bot.model import ExecutionId, Noun, Task, TaskId, UserError, UserId
from bot.views import tasks as views
from bot.world import World
from commands.asks import Ask
from commands.mistakes import Words


class DoneForm(Noun):
    """What was done, and the numbers of the rows that it was about."""

    note: Words | None = None
    chosen: tuple[int, ...] = ()


class SkipForm(Noun):
    """Why it was not done."""

    note: Words


class WorkForm(Noun):
    """The numbers of the rows that go on the list."""

    chosen: tuple[int, ...] = ()


async def press_step(world: World, ask: Ask, task: Task, *, asks: bool) -> None:
    """*Done* of a manual step was pressed; where there is something to choose, it asks first."""
    if asks:
        await _open_done(world, ask, task)
    else:
        await flows.tasks.finish(world, task.id, by=ask.who)


async def done(world: World, ask: Ask) -> None:
    """*Done* or *Handled* was pressed."""
    await flows.tasks.finish(world, _pressed(ask.value), by=ask.who)


async def take(world: World, ask: Ask) -> None:
    """*Take* or *Take over* was pressed."""
    id, _, was = ask.value.partition(":")
    await flows.tasks.take(world, _pressed(id), was=UserId(was) if was else None, by=ask.who)


async def escalate(world: World, ask: Ask) -> None:
    """*Escalate* was pressed."""
    await flows.tasks.escalate(world, _pressed(ask.value), by=ask.who)


async def reopen(world: World, ask: Ask) -> None:
    """*Reopen* was pressed."""
    await flows.tasks.reopen(world, _pressed(ask.value), by=ask.who)


async def more(world: World, ask: Ask) -> None:
    """Something was chosen in the menu behind the buttons."""
    verb, _, value = ask.value.partition("/")
    chosen = {"done": done, "take": take, "note": note, "skip": skip}.get(verb)
    if chosen is None:
        raise UserError("This version of the bot does not know that, so nothing was done.")
    await chosen(world, replace(ask, value=value))


async def note(world: World, ask: Ask) -> None:
    """*Done with a note…* was chosen."""
    await _open_done(world, ask, await flows.tasks.get(world, _pressed(ask.value)))


async def _open_done(world: World, ask: Ask, task: Task) -> None:
    run, rows = await flows.tasks.choice(world, task)
    kept = ask.metadata(task=task.id, execution=run.id if run else None)
    await ask.open(views.done_form(task, run, rows, kept))


async def submit_done(world: World, ask: Ask, filled: DoneForm) -> None:
    """What was done was written."""
    task = await flows.tasks.get(world, TaskId(ask.kept["task"]))
    chosen = await _titles(world, ask, task, filled.chosen)
    await flows.tasks.finish(world, task.id, by=ask.who, note=filled.note or "", chosen=chosen)


async def _titles(world: World, ask: Ask, task: Task, chosen: tuple[int, ...]) -> list[str]:
    """The rows that were chosen, of the reading that the form showed."""
    if not chosen:
        return []
    run = await flows.executions.get(world, ExecutionId(ask.kept["execution"]))
    rows = await flows.tasks.rows_for(world, task, run)
    return [rows[number].title for number in chosen if number < len(rows)]


async def skip(world: World, ask: Ask) -> None:
    """*Skip…* was chosen."""
    task = await flows.tasks.get(world, _pressed(ask.value))
    await ask.open(views.skip_form(task, ask.metadata(task=task.id)))


async def submit_skip(world: World, ask: Ask, filled: SkipForm) -> None:
    """Why it is skipped was written."""
    await flows.tasks.skip(world, TaskId(ask.kept["task"]), filled.note, by=ask.who)


async def work_through(world: World, ask: Ask) -> None:
    """*Work through them…* was pressed: ask which."""
    run = await flows.executions.get(world, ExecutionId(int(ask.value)))
    await flows.executions.find_step(world, run.incident_id, run.step_id)
    left = await flows.tasks.left_of(world, run)
    await ask.open(views.work_form(run, left, ask.metadata(execution=run.id)))


async def submit_work(world: World, ask: Ask, filled: WorkForm) -> None:
    """The rows were chosen."""
    run = await flows.executions.get(world, ExecutionId(ask.kept["execution"]))
    added = await flows.tasks.hand_out(world, run, filled.chosen, by=ask.who)
    known = len(filled.chosen) - added
    if known > 0:
        await ask.reply(f"{known} of them were on the list already, so they were not added again.")


def _pressed(value: str) -> TaskId:
    return TaskId(int(value))
