"""Freezes that begin while a request waits."""

from datetime import datetime

from bot import rules, store
from bot.flows.transactions import log_execution
from bot.model import Execution, entries
from bot.store.db import Conn
from bot.world import World


async def apply(world: World, conn: Conn, execution: Execution, now: datetime) -> Execution:
    """The request, which needs one more approval where a freeze has begun since it was made.

    The caller has locked its row. One that was approved, and did not start, waits again.
    """
    service = world.config.of(execution.place.service)
    requirement = rules.policy.in_freeze(service, execution, now)
    if requirement is None or requirement.freeze is None:
        return execution
    raised = await store.executions.raise_requirement(conn, execution.id, requirement)
    entry = entries.Frozen(freeze=requirement.freeze, waits_again=raised.state != execution.state)
    await log_execution(conn, raised, entry, at=now)
    return raised
