"""A run whose process died is not repeated: people have the bot look at what happened."""

from bot import flows
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.rollbacks import TO_V231, asked, broken, mark_running, patches

__all__ = ["asked", "broken"]


async def interrupt(bot: Bot, clock: Clock) -> None:
    """Let the process die that runs what was asked for."""
    await mark_running(bot)
    clock.forward(seconds=31)
    await bot.tick()


async def test_a_dead_run_is_interrupted(walk: Walk, bot: Bot, clock: Clock, asked: str) -> None:
    await mark_running(bot)
    clock.forward(seconds=29)
    await bot.tick()
    assert walk.execution(asked).state == ":arrows_counterclockwise: Running…"

    clock.forward(seconds=2)
    await bot.tick()

    request = walk.execution(asked)
    assert (request.state, request.buttons) == ("Interrupted", ("Check what happened",))
    assert walk.step(asked, "roll-back").lines == (
        ":warning: Interrupted: the bot stopped or failed",
    )


async def test_a_check_repeats_nothing(
    walk: Walk, bot: Bot, clock: Clock, broken: Cluster, asked: str
) -> None:
    await interrupt(bot, clock)

    await walk.press("oncall", action_ids.CHECK_INTERRUPTED, asked)

    request = walk.execution(asked)
    assert request.state == "Not done"
    assert request.outcome.startswith("The rollback was not done")
    assert request.buttons == ("Request again…",)
    assert patches(broken) == 0
    assert f"@oncall checked what happened to: {TO_V231}" in await walk.timeline(asked)


async def test_what_delays_its_check_is_told(
    walk: Walk, bot: Bot, clock: Clock, broken: Cluster, asked: str
) -> None:
    await interrupt(bot, clock)
    await walk.ask_for_rollback(asked)
    clock.forward(seconds=41)
    await bot.tick()

    assert walk.executions(asked)[0].notes == (
        ":grey_question: Not checked yet: Its target is being changed, or the step was requested "
        "again. Nothing was checked; check again when that has ended.",
    )
    await walk.press("lead", action_ids.DENY, asked)
    await walk.submit("lead", reason="Look first")
    clock.forward(seconds=10)
    await bot.tick()
    assert walk.executions(asked)[0].state == "Not done"


async def test_a_second_check_is_refused(walk: Walk, bot: Bot, clock: Clock, asked: str) -> None:
    await interrupt(bot, clock)
    check = walk.slack.find_button("Check what happened", asked, "second")
    await walk.press("oncall", action_ids.CHECK_INTERRUPTED, asked)

    await walk.slack.press("second", check)
    await bot.drain()

    assert walk.answer("second") == (
        "This was already checked, or its check is running. Nothing was done."
    )
    told = [entry for entry in await walk.timeline(asked) if "checked what happened" in entry]
    assert told == [f"@oncall checked what happened to: {TO_V231}"]


async def test_a_run_taken_for_dead_stops(
    walk: Walk, bot: Bot, clock: Clock, broken: Cluster, asked: str
) -> None:
    slow = broken.slow("get */deployments/order-service", 1)
    before = len(broken.requests)
    await walk.slack.press("second", action_id=action_ids.APPROVE, channel=asked)
    await broken.wait_until(lambda: len(broken.requests) > before)
    clock.forward(seconds=31)
    await flows.runs.mark_interrupted(bot.world)
    await bot.drain()
    broken.heal(slow)

    assert patches(broken) == 0
    assert walk.execution(asked).state == "Interrupted"
