"""A change is asked for: with a reason, a plan from the live system, and for a while only."""

from typing import Any

import pytest

from bot import store
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.manual_changes import patch_env
from tests.rollbacks import (
    BACK_TO_V240,
    DONE,
    REASON,
    TO_V231,
    WAITS,
    asked,
    broken,
    patches,
)

__all__ = ["asked", "broken"]

NOTHING_LOST = "No capacity is lost: 3 pods are replaced; none stops before its successor is ready."


async def test_a_request_shows_its_plan(walk: Walk, broken: Cluster, asked: str) -> None:
    request = walk.execution(asked)

    assert (request.title, request.requested_by) == ("Roll back", "@oncall")
    assert request.reason == REASON
    assert request.loss == NOTHING_LOST
    assert request.plan == {
        "Target": "deployment/order-service in namespace tickettoken",
        "Plan": TO_V231,
        "Check": (
            "All 3 pods are ready within 300 s, and then stay ready for 0.4 s without a restart."
        ),
        "Undo": BACK_TO_V240,
        "Approval": "as the policy asks before a change of this kind",
        "Tested": "The API server accepts it (dry run, nothing was written).",
    }
    assert request.state == WAITS
    assert request.buttons == ("Approve", "Deny…", "Withdraw…")
    assert walk.step(asked, "roll-back").lines == (
        ":hourglass_flowing_sand: Requested by @oncall, waits for approval",
    )


async def test_its_diff_is_what_changes(walk: Walk, broken: Cluster, asked: str) -> None:
    changed = [line for line in walk.execution(asked).diff.splitlines() if line[0] in "+-"]

    image = "    image: ghcr.io/tickettoken/order-service"
    assert changed == ["--- revision 7", "+++ revision 6", f"-{image}:v2.4.0", f"+{image}:v2.3.1"]


async def test_planning_writes_nothing(broken: Cluster, asked: str) -> None:
    dry_runs = [request.verb for request in broken.requests if request.dry_run]

    assert dry_runs == ["patch"]
    assert patches(broken) == 0


async def test_a_decided_plan_is_kept(walk: Walk, asked: str) -> None:
    diff = walk.execution(asked).diff

    await walk.press("second", action_ids.APPROVE, asked)

    done = walk.execution(asked)
    assert done.diff == ""
    decided, outcome = done.thread
    assert decided.lines[0].endswith(f", as people decided on it: {TO_V231}")
    assert "\n".join(decided.lines[1:]) == diff
    assert outcome.text == f":white_check_mark: @oncall @second {DONE}: {done.outcome}"


async def test_a_request_expires(walk: Walk, broken: Cluster, asked: str, clock: Clock) -> None:
    clock.forward(minutes=10.1)

    await walk.press("second", action_ids.APPROVE, asked)
    assert walk.answer("second") == (
        "This request has expired. Nothing was approved; request it again."
    )
    await walk.bot.tick()

    request = walk.execution(asked)
    assert (request.state, request.outcome) == ("Expired", "Nothing was done.")
    assert request.buttons == ("Request again…",)
    assert patches(broken) == 0


async def test_asked_twice_is_asked_once(walk: Walk, asked: str) -> None:
    await walk.ask_for_rollback(asked, who="second")

    assert walk.answer("second") == (
        "“Roll back” was already requested by @oncall. Nothing more was requested; approve or deny "
        "that request first."
    )
    assert len(walk.executions(asked)) == 1


async def test_a_blank_reason_is_refused(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)

    errors = await walk.submit_refused("oncall", reason="  ")

    assert list(errors) == ["reason"]


async def test_a_forbidden_change_names_its_permission(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    broken.forbid("runbolt", "patch", "deployments")

    await walk.ask_for_rollback(channel)

    assert walk.answer("oncall").startswith("The bot may not patch deployments")
    assert walk.executions(channel) == []


async def test_a_form_outlives_no_incident(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="It went away")

    await walk.submit("oncall", reason=REASON)

    assert walk.answer("oncall") == (
        "INC-1 is resolved. Nothing was done. If the problem is back, declare a new incident with "
        "`/incident declare`."
    )
    assert walk.executions(channel) == []


@pytest.mark.parametrize("step", ["rolling-restart", "delete-pods"])
async def test_pods_are_replaced(walk: Walk, kube: Cluster, step: str) -> None:
    channel = await walk.declare()
    before = set(kube.pod_names())
    await walk.press_step("oncall", step, channel)
    await walk.submit("oncall", reason="Memory keeps growing")

    await walk.press("second", action_ids.APPROVE, channel)

    request = walk.execution(channel)
    assert (request.state, request.plan["Undo"]) == (DONE, "not possible")
    assert request.buttons == ()
    assert not before & set(kube.pod_names())


@pytest.mark.parametrize(
    "fault",
    [
        {"method": "files.getUploadURLExternal", "error": "internal_error"},
        {"method": "upload", "status": 503},
    ],
)
async def test_approve_waits_for_the_whole_plan(
    walk: Walk, bot: Bot, clock: Clock, kube: Cluster, fault: dict[str, Any]
) -> None:
    settings = ({"name": f"SETTING_{number}", "value": "x" * 40} for number in range(60))
    await patch_env(kube, *settings)
    channel = await walk.declare()
    walk.slack.fail(**fault)

    await walk.ask_for_rollback(channel)
    request = walk.execution(channel)
    assert (request.state, request.buttons) == (WAITS, ("Deny…", "Withdraw…"))
    assert request.notes == (
        ":page_facing_up: The plan is too long for this message. Approve appears once its file is "
        "in the thread.",
    )

    clock.forward(seconds=2)
    await bot.tick()
    await walk.slack.settled()

    request = walk.execution(channel)
    assert [reply.files for reply in request.thread] == [("roll-back-1.diff",)]
    assert (request.buttons, request.notes) == (("Approve", "Deny…", "Withdraw…"), ())
    assert "Slack refused" not in walk.text(channel)

    [message] = [post for post in walk.posts(channel) if "Approve" in post.buttons]
    walk.slack.delete_message(channel, message.ts)
    await changed(bot, "execution:1")
    await walk.slack.settled()

    request = walk.execution(channel)
    assert [reply.files for reply in request.thread] == [("roll-back-1.diff",)]
    await walk.press("second", action_ids.APPROVE, channel)
    assert walk.execution(channel).state == DONE


async def changed(bot: Bot, key: str) -> None:
    """Publish a message once more, as if it had changed."""
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE messages SET digest = '' WHERE key = %s", [key])
        await store.publications.mark_all_open_stale(conn)
    await bot.tick()
