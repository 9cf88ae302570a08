"""What people may choose in the form of a step, read from the live system while it opens."""

import asyncio
import logging
from typing import Any

from pydantic import ValidationError

from bot.actions.base import Action, Change
from bot.flows.lookups import build_action
from bot.model import Place, Step, UserError
from bot.model.choices import Options
from bot.systems import PlanningSystems
from bot.views.parameters import parameter_hint
from bot.world import World

log = logging.getLogger(__name__)

# Slack opens a form within three seconds of the press, and the call to open it takes time as well.
OPTIONS_TIMEOUT_SECONDS = 1.0


async def of_step(
    world: World, place: Place, step: Step, params: dict[str, Any]
) -> dict[str, Options]:
    """The options by parameter; a parameter without options is typed.

    Where the system does not answer in time, all are typed: the form must open, and planning will
    report the same error.
    """
    try:
        async with asyncio.timeout(OPTIONS_TIMEOUT_SECONDS):
            return await _read(world, place, step, params)
    except (UserError, TimeoutError) as error:
        log.info("the choices of step %s were not read: %r", step.id, error)
        return {}


async def _read(
    world: World, place: Place, step: Step, params: dict[str, Any]
) -> dict[str, Options]:
    action = _with_known(world, step.action, params)
    if not isinstance(action, Change):
        return {}
    systems = world.services.systems(place).for_planning()
    found = {name: await action.parameter_options(systems, name) for name in step.ask}
    return {name: choices for name, choices in found.items() if choices is not None}


def _with_known(world: World, name: str, params: dict[str, Any]) -> Action:
    """The action without those parameters that are still to be filled in; raises UserError."""
    action_class = world.actions.get(name)
    if action_class is None:
        return build_action(world, name, params)  # which says so
    action = action_class.model_construct()
    for field, value in params.items():
        try:
            action_class.__pydantic_validator__.validate_assignment(action, field, value)
        except ValidationError:
            return build_action(world, name, params)
    return action


async def with_bounds(systems: PlanningSystems, action: Change, refusal: UserError) -> UserError:
    """A refusal of a parameter, with the bounds that the form's hint has; any other as it is."""
    if not refusal.field:
        return refusal
    try:
        async with asyncio.timeout(OPTIONS_TIMEOUT_SECONDS):
            found = await action.parameter_options(systems, refusal.field)
    except (UserError, TimeoutError):
        found = None
    hint = parameter_hint(type(action), refusal.field, found)
    sentence = str(refusal).rstrip(".")
    return UserError(f"{sentence}. {hint}".rstrip(), field=refusal.field)
