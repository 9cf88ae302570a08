"""What people may do who may change nothing here: guests, and people of other companies."""

import asyncio
import logging

from bot import rules
from bot.model import Person, UserError, UserId
from bot.world import World

log = logging.getLogger(__name__)

# A form must open within three seconds of the press.
WHO_SECONDS = 0.7


async def check_may_declare(world: World, user_id: UserId) -> None:
    """Raise UserError for people who may not open an incident.

    Where Slack does not say in time who somebody is, they may: a fire does not wait for Slack.
    """
    person = await _find(world, user_id)
    if person is not None:
        rules.permissions.check_may_declare(person, world.config.defaults.policy.guests)


async def may_read(world: World, user_id: UserId) -> bool:
    """Whether somebody may read the titles of incidents; not while Slack does not say who it is."""
    person = await _find(world, user_id)
    return person is not None and rules.permissions.may_read(
        person, world.config.defaults.policy.guests
    )


async def _find(world: World, user_id: UserId) -> Person | None:
    """Who somebody is as of the last minute; None where Slack does not say in time."""
    try:
        async with asyncio.timeout(WHO_SECONDS):
            return await world.directory.cached_person(user_id)
    except (UserError, TimeoutError) as error:
        log.info("who %s is, is not known now: %r", user_id, error)
        return None
