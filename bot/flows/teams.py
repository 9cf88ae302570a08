"""The team of an incident: the responders and approvers of its services, and what is theirs."""

import asyncio

from bot import on_call
from bot.config import MemberSelector, Right, ServiceConfig
from bot.model import Incident, UserId
from bot.world import World


def lets_anyone(world: World, incident: Incident, right: Right) -> bool:
    """Whether each of its services does; so nobody gets a right by taking in one that does."""
    return all(config.lets_anyone(right) for config in _configs(world, incident))


def _configs(world: World, incident: Incident) -> list[ServiceConfig]:
    return [world.config.of(service) for service in incident.services]


async def cached(world: World, incident: Incident) -> frozenset[UserId]:
    """The responders and approvers of its services as of the last minute."""
    selector = MemberSelector.union(config.team for config in _configs(world, incident))
    return (await world.directory.cached_membership(selector)).everybody


async def fetch(world: World, incident: Incident) -> frozenset[UserId]:
    """The responders and approvers of its services now."""
    configs = _configs(world, incident)
    teams = await asyncio.gather(
        *(on_call.membership(world, config, config.team) for config in configs)
    )
    return frozenset(user for team in teams for user in team.everybody)
