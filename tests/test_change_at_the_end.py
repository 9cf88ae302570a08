"""Resolving an incident with changes: what waits is void, what runs or failed holds it open."""

import pytest

from bot import flows
from bot.model import ExecutionId, UserError, UserId
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.rollbacks import asked, broken, done, mark_running, patches

__all__ = ["asked", "broken", "done"]


async def resolve(walk: Walk, who: str, channel: str, **values: str) -> None:
    """Resolve the incident with the form."""
    await walk.say(who, "/incident resolve", channel)
    await walk.submit(who, resolution="It is over", **values)


async def test_what_waits_is_void(walk: Walk, broken: Cluster, asked: str) -> None:
    await resolve(walk, "second", asked)

    request = walk.execution(asked)
    assert request.state == "Void"
    assert request.outcome == "The incident was resolved first. Nothing was done."
    assert request.buttons == ()
    lead = UserId(walk.slack.user("lead").id)
    with pytest.raises(UserError, match="is void"):
        await flows.approvals.approve(walk.bot.world, ExecutionId(1), by=lead)
    assert patches(broken) == 0


async def test_a_run_holds_it_open(walk: Walk, bot: Bot, asked: str) -> None:
    await mark_running(bot)

    await resolve(walk, "oncall", asked)

    assert walk.answer("oncall") == (
        "“Roll back” is still running. The incident was not resolved; wait until it has ended."
    )
    assert walk.card(asked)["Status"] == "Investigating"


async def test_an_unknown_outcome_asks_why(walk: Walk, bot: Bot, clock: Clock, asked: str) -> None:
    await mark_running(bot)
    clock.forward(seconds=31)
    await bot.tick()

    await resolve(walk, "oncall", asked, despite="It is healthy, I looked")

    assert walk.card(asked)["Status"] == "Resolved"
    [*_, entry] = await walk.timeline(asked)
    assert entry == (
        "@oncall resolved the incident: It is over"
        " (although a check failed: It is healthy, I looked)"
    )
    reason = "*Resolved although a check failed or is missing:* It is healthy, I looked"
    assert reason in walk.text(asked).splitlines()


async def test_a_failed_check_asks_why(walk: Walk, bot: Bot, done: str) -> None:
    await walk.say("oncall", "/incident resolve", done)
    assert list(walk.form().fields) == ["resolution"]
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'failed', check_passed = false")

    await walk.submit("oncall", resolution="It is over")

    assert walk.answer("oncall") == (
        "The check of “Roll back” failed or is missing. The incident was not resolved. Use "
        "`/incident resolve` again: the form asks why it may end anyway."
    )
    assert walk.card(done)["Status"] == "Investigating"


async def test_the_form_tells_what_is_lost(walk: Walk, done: str) -> None:
    await walk.say("oncall", "/incident resolve", done)

    assert walk.form().text.splitlines()[1:] == [
        ":leftwards_arrow_with_hook: After this you cannot undo: Roll back of 2026-11-24 10:00 UTC "
        "(an approver without a new approval until 2026-11-24 10:15 UTC, if nobody has changed its "
        "target). To undo one, cancel this form first."
    ]
    await walk.submit("oncall", resolution="It is over")
    assert walk.execution(done).buttons == ()
