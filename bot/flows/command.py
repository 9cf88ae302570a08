"""Command: who leads an incident, and who may take it over."""

import asyncio

from bot import rules, store
from bot.config import Right
from bot.flows import incidents, teams
from bot.flows.transactions import changing, lock_open
from bot.model import Incident, IncidentId, ReminderKind, UserError, UserId, entries
from bot.world import World


async def check_may_take_over(world: World, incident: Incident, *, by: UserId) -> None:
    """Raise UserError before the question is shown; who belongs to the team as of a minute may ask.

    The answer decides.
    """
    if by not in await teams.cached(world, incident):
        await _check_may_take_over(world, incident, incident.commander, by)


async def _check_may_take_over(
    world: World, incident: Incident, commander: UserId | None, by: UserId
) -> None:
    """Raise UserError for those who may not; who is in command may give it on.

    Where nobody is, everybody may: at night nobody is kept from it.
    """
    if teams.lets_anyone(world, incident, Right.TAKE_COMMAND) or commander in (None, by):
        return
    assert commander is not None
    person, team = await asyncio.gather(
        world.directory.fetch_user(by), teams.fetch(world, incident)
    )
    rules.permissions.check_may_take_over(incident, commander, person, team)


async def assign_commander(
    world: World, incident_id: IncidentId, commander: UserId, *, seen: UserId | None, by: UserId
) -> Incident:
    """Make a person the incident commander instead of the one who was `seen`; raises UserError."""
    person, before = await asyncio.gather(
        world.directory.fetch_user(commander), incidents.get(world, incident_id)
    )
    rules.permissions.check_may_act(person)
    await _check_may_take_over(world, before, seen, by)
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        if incident.commander == commander:
            who = "You are" if commander == by else f"<@{commander}> is"
            raise UserError(f"{who} already in command. Nothing was changed.")
        if incident.commander != seen:
            raise rules.permissions.command_conflict(incident)
        now = world.now()
        incident = await store.incidents.set_commander(conn, incident_id, commander, now)
        entry = entries.CommandTaken(commander=commander)
        await store.timeline.add(conn, incident_id, entry, at=now, by=by)
        await store.reminders.settle(conn, incident_id, now, ReminderKind.FIRST_RESPONSE)
    return incident
