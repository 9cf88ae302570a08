"""The buttons of the playbook: look, tick off, or ask for a change."""

from typing import Any

from pydantic import Field

from bot import flows
from bot.actions import Action, Change, Manual, Read
from bot.model import ExecutionId, Incident, IncidentId, Noun, ReminderId, Step, UserError
from bot.views import modals
from bot.world import World
from commands import tasks
from commands.asks import Ask
from commands.mistakes import Words


class StepForm(Noun):
    """Why, and the parameters that people filled in."""

    reason: Words
    asked: dict[str, Any] = Field(default_factory=dict)


def fill(world: World, ask: Ask, values: dict[str, Any]) -> StepForm:
    """The form of a step; each parameter is checked by its action, raises ValidationError."""
    asked = {name: value for name, value in values.items() if name != "reason"}
    action = world.actions.get(str(ask.kept.get("action")))
    if action is not None:  # else the answer says so, once the form is acknowledged
        _check(action, asked)
    why = {name: value for name, value in values.items() if name == "reason"}
    return StepForm.model_validate({**why, "asked": asked})


def _check(action: type[Action], asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        blank = action.model_construct()
        action.__pydantic_validator__.validate_assignment(blank, name, value)


class DenyForm(Noun):
    """Why not."""

    reason: Words


async def press(world: World, ask: Ask) -> None:
    """A step's button was pressed."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    step = await flows.executions.find_step(world, incident.id, ask.value)
    if issubclass(_kind(world, step), Change):
        await _open_form(world, ask, incident, step, step.params)
        return
    built = flows.executions.build(world, step.action, step.params)
    if isinstance(built, Manual):
        task = await flows.tasks.of_step(world, incident.id, step)
        await tasks.press_step(world, ask, task, asks=built.choose_from is not None)
    elif isinstance(built, Read):
        await flows.executions.look(world, incident.id, step, built, by=ask.who)


def _kind(world: World, step: Step) -> type[Action]:
    """The class of a step's action; raises UserError for one that this version lacks."""
    # What is not there, `build` refuses in its own words.
    return world.actions.get(step.action) or type(flows.executions.build(world, step.action, {}))


async def _open_form(
    world: World, ask: Ask, incident: Incident, step: Step, params: dict[str, Any]
) -> None:
    kept = ask.metadata(incident=incident.id, step=step.id, action=step.action)
    kind = _kind(world, step)
    choices = await flows.choices.of_step(world, step, params)
    await ask.open(modals.step(incident, step, kind, params, choices=choices, metadata=kept))


async def submit(world: World, ask: Ask, filled: StepForm) -> None:
    """The parameters and the reason were written: plan it, and ask for approval."""
    id = IncidentId(ask.kept["incident"])
    step = await flows.executions.find_step(world, id, ask.kept["step"])
    asked = {name: value for name, value in filled.asked.items() if name in step.ask}
    action = flows.executions.build(world, step.action, {**step.params, **asked})
    if not isinstance(action, Change):
        raise UserError("This step changes nothing, so there was nothing to ask for.")
    await flows.executions.propose(world, id, step, action, filled.reason, by=ask.who)


async def ask_again(world: World, ask: Ask) -> None:
    """*Ask again* was pressed: the same form, for a new plan."""
    run = await flows.executions.get(world, ExecutionId(int(ask.value)))
    incident = await flows.incidents.get(world, run.incident_id)
    step = await flows.executions.find_step(world, incident.id, run.step_id)
    await _open_form(world, ask, incident, step, run.params)


async def undo(world: World, ask: Ask) -> None:
    """*Undo* was pressed."""
    await flows.executions.undo(world, ExecutionId(int(ask.value)), by=ask.who)


async def extend(world: World, ask: Ask) -> None:
    """*Extend 30 min* was pressed."""
    await flows.holds.extend(world, ExecutionId(int(ask.value)), by=ask.who)


async def check(world: World, ask: Ask) -> None:
    """*Check what happened* was pressed."""
    await flows.runs.check(world, ExecutionId(int(ask.value)), by=ask.who)


async def approve(world: World, ask: Ask) -> None:
    """*Approve* was pressed."""
    await flows.approvals.approve(world, ExecutionId(int(ask.value)), by=ask.who)


async def deny(world: World, ask: Ask) -> None:
    """*Deny* was pressed: ask why not whoever may."""
    run = await flows.executions.get(world, ExecutionId(int(ask.value)))
    await flows.approvals.check_may_deny(world, run.id, by=ask.who)
    await ask.open(modals.deny(run, metadata=ask.metadata(execution=run.id)))


async def submit_deny(world: World, ask: Ask, filled: DenyForm) -> None:
    """Why not was written."""
    id = ExecutionId(ask.kept["execution"])
    await flows.approvals.deny(world, id, filled.reason, by=ask.who)


async def snooze(world: World, ask: Ask) -> None:
    """*Snooze 5*, *10* or *15 min* was pressed."""
    minutes = int(ask.text.rsplit(".", 1)[1])
    await flows.reminders.snooze(world, ReminderId(int(ask.value)), minutes, by=ask.who)
