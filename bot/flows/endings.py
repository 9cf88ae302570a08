"""Which temporary change an action ends: it is the undo of that, whichever button was pressed."""

import asyncio
from typing import Any

from bot import rules, store
from bot.actions.base import Change
from bot.flows.choices import OPTIONS_TIMEOUT_SECONDS
from bot.flows.lookups import build_action, build_undo, load_decider
from bot.model import Execution, Place, TemporaryChange, UserError, UserId
from bot.world import World


async def undone_by(world: World, place: Place, action: Change) -> Execution | None:
    """The execution whose temporary change an action would end there, just as its undo does."""
    async with world.pool.connection() as conn:
        in_force = await store.temporary_changes.executions_in_force(conn)
    for original in in_force:
        try:
            is_there = world.services.are_same(place, original.place)
            if is_there and action.is_served_by(build_undo(world, original)):
                return original
        except UserError:
            continue  # it cannot be undone
    return None


async def at_once(
    world: World, place: Place, name: str, params: dict[str, Any], *, by: UserId
) -> TemporaryChange | None:
    """The temporary change that this action ends as soon as this person requests it.

    As far as is known without a look at the live system; None where Slack does not say who they
    are, too.
    """
    try:
        action = build_action(world, name, params)
        original = await undone_by(world, place, action) if isinstance(action, Change) else None
        async with asyncio.timeout(OPTIONS_TIMEOUT_SECONDS):
            decider = None if original is None else await load_decider(world, by, original)
    except (UserError, TimeoutError):
        return None  # people fill in some of its parameters, or the request will say why not
    if original is None or decider is None or by not in decider.approvers:
        return None
    async with world.pool.connection() as conn:
        change = await store.temporary_changes.get(conn, original.id)
    needs_approval = change is None or rules.changes.undo_needs_approval(change, original)
    return None if needs_approval or original.undo_of is not None else change
