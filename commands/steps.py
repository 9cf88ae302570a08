"""The buttons of the playbook: look, tick off, or ask for a change."""

from typing import Any

from pydantic import Field, ValidationError

from bot import flows
from bot.actions import Action, Change, Manual, Read
from bot.model import ExecutionId, Incident, IncidentId, Noun, ReminderId, Step, UserError
from bot.views import modals
from bot.world import World
from commands.listen import Ask


class StepForm(Noun):
    """Why, and the parameters that people filled in."""

    reason: str = Field(min_length=1)
    asked: dict[str, Any] = Field(default_factory=dict)


def fill(world: World, ask: Ask, values: dict[str, Any]) -> StepForm:
    """The form of a step; each parameter is checked by its action, raises ValidationError."""
    action = world.actions[ask.kept["action"]]
    asked = {name: value for name, value in values.items() if name != "reason"}
    for name, value in asked.items():
        blank = action.model_construct()
        action.__pydantic_validator__.validate_assignment(blank, name, value)
    return StepForm(reason=str(values.get("reason", "")).strip(), asked=asked)


class DenyForm(Noun):
    """Why not."""

    reason: str


async def press(world: World, ask: Ask) -> None:
    """A step's button was pressed."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    step = await flows.executions.find_step(world, incident.id, ask.value)
    action = world.actions[step.action]
    if issubclass(action, Change):
        await _open_form(world, ask, incident, step, action, step.params)
        return
    built = flows.executions.build(world, step.action, step.params)
    if isinstance(built, Manual):
        await flows.executions.tick_off(world, incident.id, step, built, by=ask.who)
    elif isinstance(built, Read):
        await flows.executions.look(world, incident.id, step, built, by=ask.who)


async def _open_form(
    world: World,
    ask: Ask,
    incident: Incident,
    step: Step,
    action: type[Action],
    params: dict[str, Any],
) -> None:
    kept = ask.metadata(incident=incident.id, step=step.id, action=step.action)
    await ask.open(modals.step(incident, step, action, params, metadata=kept))


async def submit(world: World, ask: Ask, filled: StepForm) -> None:
    """The parameters and the reason were written: plan it, and ask for approval."""
    id = IncidentId(ask.kept["incident"])
    step = await flows.executions.find_step(world, id, ask.kept["step"])
    asked = {name: value for name, value in filled.asked.items() if name in step.ask}
    try:
        action = flows.executions.build(world, step.action, {**step.params, **asked})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"Nothing was asked for, because {name} is not right: {first['msg']}."
        ) from error
    if not isinstance(action, Change):
        raise UserError("This step changes nothing, so there was nothing to ask for.")
    await flows.executions.propose(world, id, step, action, filled.reason, by=ask.who)


async def ask_again(world: World, ask: Ask) -> None:
    """*Ask again* was pressed: the same form, for a new plan."""
    run = await flows.executions.get(world, ExecutionId(int(ask.value)))
    incident = await flows.incidents.get(world, run.incident_id)
    step = await flows.executions.find_step(world, incident.id, run.step_id)
    await _open_form(world, ask, incident, step, world.actions[step.action], run.params)


async def undo(world: World, ask: Ask) -> None:
    """*Undo* was pressed."""
    await flows.executions.undo(world, ExecutionId(int(ask.value)), by=ask.who)


async def check(world: World, ask: Ask) -> None:
    """*Check what happened* was pressed."""
    await flows.executions.check(world, ExecutionId(int(ask.value)), by=ask.who)


async def approve(world: World, ask: Ask) -> None:
    """*Approve* was pressed."""
    await flows.approvals.approve(world, ExecutionId(int(ask.value)), by=ask.who)


async def deny(world: World, ask: Ask) -> None:
    """*Deny* was pressed: ask why not."""
    run = await flows.executions.get(world, ExecutionId(int(ask.value)))
    await ask.open(modals.deny(run, metadata=ask.metadata(execution=run.id)))


async def submit_deny(world: World, ask: Ask, filled: DenyForm) -> None:
    """Why not was written."""
    id = ExecutionId(ask.kept["execution"])
    await flows.approvals.deny(world, id, filled.reason, by=ask.who)


async def snooze(world: World, ask: Ask) -> None:
    """*+5*, *+10* or *+15 min* was pressed."""
    minutes = int(ask.text.rsplit(".", 1)[1])
    await flows.reminders.snooze(world, ReminderId(int(ask.value)), minutes, by=ask.who)
