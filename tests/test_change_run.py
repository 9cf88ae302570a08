"""An approved change runs once, exactly as it was approved, and alone on its target."""

import asyncio
import re
from typing import Any

import yaml
from psycopg import AsyncConnection

from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import ROOT, Bot, Clock, Walk, start_bot
from tests.rollbacks import DONE, REASON, asked, broken, mark_running, patches

__all__ = ["asked", "broken"]


async def test_drift_stops_the_run(walk: Walk, broken: Cluster, asked: str) -> None:
    broken.change_template()

    await walk.press("second", action_ids.APPROVE, asked)

    request = walk.execution(asked)
    assert request.state == "Not done"
    assert request.outcome.startswith(
        "Changed since this plan was made: annotations tickettoken.com/touched-at, by kubectl-edit "
    )
    assert request.outcome.endswith(
        " UTC, outside Runbolt. Nothing was done. The new plan: Roll order-service back from "
        "revision 8 (image v2.4.0) to revision 6 (image v2.3.1)."
    )
    assert request.buttons == ("Request the new plan", "Request again…")
    assert patches(broken) == 0


async def test_after_drift_people_ask_again(walk: Walk, broken: Cluster, asked: str) -> None:
    broken.change_template()
    await walk.press("second", action_ids.APPROVE, asked)

    new_plan = walk.slack.find_buttons(action_ids.REQUEST_NEW_PLAN, asked, "oncall")[0]

    await walk.press("oncall", action_ids.ASK_AGAIN, asked)
    assert walk.form().fields["reason"].value == REASON
    await walk.submit("oncall", reason="Still broken", to_revision="6")
    await walk.press("second", action_ids.APPROVE, asked)

    first, again = walk.executions(asked)
    assert (first.state, again.state) == ("Not done", DONE)
    # That plan is not the new one any more.
    assert first.buttons == ("Request again…",)
    await walk.slack.press("lead", new_plan)
    await walk.bot.drain()
    assert walk.answer("lead") == (
        "“Roll back” was requested again since. Nothing was requested; if it is still needed, "
        "press the step in the playbook."
    )
    assert patches(broken) == 1


async def test_approved_and_restarted_it_runs_once(
    slack: Slack, given: Settings, clock: Clock, broken: Cluster
) -> None:
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        walk = Walk(slack, first)
        channel = await walk.declare()
        await walk.ask_for_rollback(channel)
        # The approval is written, and the process dies before anything starts.
        async with first.world.pool.connection() as conn:
            await conn.execute("UPDATE executions SET state = 'approved'")

    async with start_bot(given, clock) as second, start_bot(given, clock) as third:
        await asyncio.gather(second.tick(), third.tick())
        await asyncio.gather(second.tick(), third.tick())

    assert patches(broken) == 1
    assert walk.execution(channel).state == DONE


async def test_a_busy_target_is_waited_for(walk: Walk, bot: Bot, broken: Cluster) -> None:
    await walk.ask_for_rollback(await walk.declare())
    await mark_running(bot)
    channel = await walk.declare("Checkout is down")
    await walk.ask_for_rollback(channel)

    await walk.press("lead", action_ids.APPROVE, channel)

    request = walk.execution(channel)
    assert re.match(
        ":hourglass_flowing_sand: Approved, starts after “Roll back” of INC-1, which changes "
        r"deployment/order-service in namespace tickettoken now\.",
        request.state,
    )
    turn = "Roll back · Approved, starts after “Roll back” of INC-1, which changes "
    assert (
        walk.card(channel)["Waits for its turn"]
        == f"{turn}deployment/order-service in namespace tickettoken now · @oncall"
    )
    assert request.buttons == ("Deny…", "Withdraw…")
    assert patches(broken) == 0

    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'failed' WHERE id = 1")
    await bot.tick()

    assert walk.execution(channel).state == DONE
    assert patches(broken) == 1


async def test_what_waits_can_be_withdrawn(walk: Walk, bot: Bot, broken: Cluster) -> None:
    await walk.ask_for_rollback(await walk.declare())
    await mark_running(bot)
    channel = await walk.declare("Checkout is down")
    await walk.ask_for_rollback(channel)
    await walk.press("lead", action_ids.APPROVE, channel)

    await walk.press("oncall", action_ids.DENY, channel)
    await walk.submit("oncall", reason="INC-1 does it already")
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'failed' WHERE id = 1")
    await bot.tick()

    request = walk.execution(channel)
    assert (request.state, request.outcome) == ("Withdrawn", "by @oncall: INC-1 does it already")
    assert patches(broken) == 0


async def test_a_lost_answer_is_looked_for(
    walk: Walk, clock: Clock, broken: Cluster, asked: str
) -> None:
    broken.fail("patch */deployments/order-service", 500, dry_run=False)

    await walk.press("second", action_ids.APPROVE, asked)

    request = walk.execution(asked)
    assert request.state == "Unknown"
    assert request.outcome.startswith("Kubernetes failed with status 500")
    assert request.buttons == ("Check what happened",)

    broken.heal()
    clock.forward(seconds=11)
    await walk.bot.tick()

    request = walk.execution(asked)
    outcome = "The rollback was not done: order-service runs image v2.4.0."
    assert (request.state, request.outcome) == ("Not done", outcome)
    assert broken.image().endswith(":v2.4.0")


async def test_a_restarted_database_loses_nothing(
    walk: Walk, bot: Bot, clock: Clock, broken: Cluster, asked: str, state: str
) -> None:
    await walk.slack.press("second", action_id=action_ids.APPROVE, channel=asked)
    await broken.wait_until(lambda: patches(broken) == 1)

    async with await AsyncConnection.connect(state) as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await bot.drain()
    clock.forward(seconds=2)
    await bot.tick()

    assert walk.execution(asked).state == DONE


async def test_stopping_waits_for_a_run(
    slack: Slack, given: Settings, clock: Clock, broken: Cluster
) -> None:
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.ask_for_rollback(channel)
        await slack.press("second", action_id=action_ids.APPROVE, channel=channel)

    assert patches(broken) == 1
    assert walk.execution(channel).state == DONE


def shipped_roles() -> dict[str, Any]:
    """The rules of the roles that we ship, by the roles' names."""
    documents = yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text())
    return {
        document["metadata"]["name"]: document["rules"]
        for document in documents
        if document["kind"] == "Role"
    }


async def test_the_reading_role_changes_nothing(walk: Walk, broken: Cluster) -> None:
    broken.restrict("runbolt", shipped_roles()["runbolt-look"])
    channel = await walk.declare()

    for step in ("pods", "logs", "dependencies"):
        await walk.press_step("oncall", step, channel)
    await walk.ask_for_rollback(channel)

    assert walk.answer("oncall").startswith("The bot may not patch deployments")
    assert len(walk.answers("oncall", channel)) == 1
    verdicts = [walk.step(channel, step).verdict for step in ("pods", "logs", "dependencies")]
    assert [verdict for verdict in verdicts if "may not" in verdict] == []


async def test_the_shipped_roles_are_enough(walk: Walk, broken: Cluster) -> None:
    roles = shipped_roles()
    broken.restrict("runbolt", roles["runbolt-look"] + roles["runbolt-change"])
    channel = await walk.declare()

    for step in ("roll-back", "rolling-restart", "memory-limit", "delete-pods"):
        await walk.press_step("oncall", step, channel)
        await walk.submit("oncall", reason="It is broken")
        await walk.press("second", action_ids.APPROVE, channel)

    assert [request.state for request in walk.executions(channel)] == [DONE] * 4
