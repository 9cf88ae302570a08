"""What every flow about executions needs: the step, its action, the row, and what the row tells."""

from typing import Any

from pydantic import ValidationError

from bot import rules, store
from bot.actions import Action
from bot.flows import incidents
from bot.model import Execution, ExecutionId, IncidentId, Step, UserError
from bot.world import World


async def find_step(world: World, id: IncidentId, step_id: str) -> Step:
    """The step of an open incident's playbook; raises UserError."""
    incident = await incidents.get(world, id)
    rules.check_open(incident)
    step = incident.scenario.step(step_id) if incident.scenario else None
    if step is None:
        raise UserError(
            "This step is not in the incident's playbook, so nothing was done. If it was in "
            "another one, choose that with /incident playbook."
        )
    return step


def build(world: World, name: str, params: dict[str, Any]) -> Action:
    """The action with its parameters; raises UserError for one that this version cannot make."""
    found = world.actions.get(name)
    if found is None:
        raise UserError(f"This version of the bot has no action “{name}”, so nothing was done.")
    try:
        return found.model_validate(params)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"Nothing was done, because {field} of “{name}” is not right: {first['msg']}."
        ) from error


async def get(world: World, id: ExecutionId) -> Execution:
    """The execution of that number; raises UserError when there is none."""
    async with world.pool.connection() as conn:
        run = await store.executions.get(conn, id)
    if run is None:
        raise UserError("This request is no longer there, so nothing was done.")
    return run
