"""What people may choose in the form of a step, read from the live system while it opens."""

import asyncio
import logging
from typing import Any

from bot.actions.base import Change
from bot.flows.lookups import build_action
from bot.model import Step, UserError
from bot.model.choices import Options
from bot.world import World

log = logging.getLogger(__name__)

# Slack opens a form within three seconds of the press, and the call to open it takes time as well.
OPTIONS_TIMEOUT_SECONDS = 1.0


async def of_step(world: World, step: Step, params: dict[str, Any]) -> dict[str, Options]:
    """The options by parameter; a parameter without options is typed.

    Where the system does not answer in time, all are typed: the form must open, and planning will
    report the same error.
    """
    try:
        async with asyncio.timeout(OPTIONS_TIMEOUT_SECONDS):
            return await _read(world, step, params)
    except (UserError, TimeoutError) as error:
        log.info("the choices of step %s were not read: %r", step.id, error)
        return {}


async def _read(world: World, step: Step, params: dict[str, Any]) -> dict[str, Options]:
    action = build_action(world, step.action, params)
    if not isinstance(action, Change):
        return {}
    found = {
        name: await action.parameter_options(world.systems.for_planning(), name)
        for name in step.ask
    }
    return {name: choices for name, choices in found.items() if choices is not None}
