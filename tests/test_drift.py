"""A plan that fits no more: people read what changed and which execution did it, and ask again."""

import re

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.cluster_fixtures import SHOP
from tests.conftest import Walk
from tests.pausing import request_pause
from tests.rollbacks import DONE, REASON, asked, broken, done, patches

__all__ = ["asked", "broken", "done"]

NEW = "Request the new plan"
AT = re.compile(r" at \d\d:\d\d UTC")


async def ask(walk: Walk, channel: str, step: str) -> None:
    await walk.press_step("oncall", step, channel)
    await walk.submit("oncall", reason=REASON)


def outcome(walk: Walk, channel: str, title: str) -> str:
    return AT.sub("", walk.execution(channel, title).outcome)


async def approve_all(walk: Walk, kube: Cluster, channel: str) -> None:
    """Approve all requests while the first one runs: the others wait for its target."""
    for button in walk.slack.find_buttons(action_ids.APPROVE, channel, "second"):
        await walk.slack.press("second", button)
        await kube.wait_until(lambda: patches(kube) == 1)
    await walk.bot.drain()
    await walk.bot.tick()


async def test_a_queued_change_names_the_other(walk: Walk, broken: Cluster, asked: str) -> None:
    await ask(walk, asked, "rolling-restart")
    await ask(walk, asked, "delete-pods")
    await approve_all(walk, broken, asked)
    await walk.bot.tick()

    assert walk.execution(asked, "Roll back").state == DONE
    assert outcome(walk, asked, "Rolling restart") == (
        "Changed since this plan was made: image v2.4.0 → v2.3.1, by “Roll back” of INC-1. "
        "Nothing was done. The new plan: Restart order-service pod by pod, with the same image "
        "v2.3.1."
    )
    deletion = outcome(walk, asked, "Delete pods")
    assert re.match(
        r"Changed since this plan was made: gone: (order-service-\w+-\w+, ){2}order-service-\w+-\w+"
        r", by “Roll back” of INC-1; new: ",
        deletion,
    )
    assert walk.execution(asked, "Rolling restart").buttons == (NEW, "Request again…")
    assert patches(broken) == 1

    restart = walk.slack.find_buttons(action_ids.REQUEST_NEW_PLAN, asked, "oncall")[0]
    await walk.slack.press("oncall", restart)
    await walk.bot.drain()
    again = walk.execution(asked, "Rolling restart")
    assert (again.state, again.reason) == ("Needs 1 more approval", REASON)
    assert again.plan["Plan"].endswith("with the same image v2.3.1")
    assert walk.slack.views("oncall") == []

    await walk.slack.press("lead", restart)
    await walk.bot.drain()
    assert walk.answer("lead") == (
        "“Rolling restart” was already requested by @oncall. Nothing more was requested; approve "
        "or deny that request first."
    )


async def test_an_undo_asks_again_too(walk: Walk, broken: Cluster, done: str) -> None:
    broken.deploy("v2.3.2")
    await walk.press("oncall", action_ids.UNDO, done)
    undo = walk.execution(done)
    assert AT.sub("", undo.warnings[-1]) == (
        ":warning: Changed since “Roll back”, and the undo may change it too: image v2.3.1 → "
        "v2.3.2, by pipeline, outside Runbolt."
    )
    broken.change_template()
    await walk.press("second", action_ids.APPROVE, done)

    undo = walk.execution(done)
    assert undo.outcome.startswith("Changed since this plan was made: annotations ticket")
    assert undo.buttons == (NEW,)

    await walk.press("oncall", action_ids.REQUEST_NEW_PLAN, done)
    assert walk.execution(done, "Undo: Roll back").state == "Needs 1 more approval"


async def test_where_no_plan_is_left(walk: Walk, broken: Cluster, asked: str) -> None:
    """What was asked for was done by another execution: that is told, and no new plan offered."""
    await walk.press("second", action_ids.DENY, asked)
    await walk.submit("second", reason="Choose the revision")
    await walk.press_step("oncall", "roll-back", asked)
    await walk.submit("oncall", reason=REASON, to_revision="5")
    channel = await walk.declare("Checkout is down")
    await walk.press_step("oncall", "roll-back", channel)
    await walk.submit("oncall", reason=REASON, to_revision="5")
    await walk.press("second", action_ids.APPROVE, asked)
    await walk.press("second", action_ids.APPROVE, channel)

    assert walk.execution(asked).state == DONE
    late = walk.execution(channel)
    assert AT.sub("", late.outcome).startswith(
        "Changed since this plan was made: image v2.4.0 → v2.3.0, by “Roll back” of INC-1. Nothing "
        f"was done. deployment/order-service {SHOP} has no revision 5, so nothing was planned."
    )
    assert late.buttons == ("Request again…",)


async def test_each_difference_has_its_execution(walk: Walk, kube: Cluster) -> None:
    """Across incidents; of a variable no value is told."""
    memory = await walk.declare()
    await walk.press_step("oncall", "memory-limit", memory)
    await walk.submit("oncall", reason=REASON, limit="1Gi")
    pause = await request_pause(walk)
    scale = await walk.declare("Orders are slow", "sev3")
    await walk.press_step("oncall", "scale-up", scale)
    await walk.submit("oncall", reason=REASON, replicas="5")
    await walk.press("second", action_ids.APPROVE, memory)
    limit = "memory limit 512Mi → 1Gi, by “Increase memory limit” of INC-1"

    await walk.press("second", action_ids.APPROVE, pause)
    assert AT.sub("", walk.execution(pause).outcome) == (
        f"Changed since this plan was made: {limit}. Nothing was done. The new plan is the same "
        "step from what is there now."
    )
    await walk.press("oncall", action_ids.REQUEST_NEW_PLAN, pause)
    await walk.press("second", action_ids.APPROVE, pause)
    assert walk.execution(pause).state == DONE

    await walk.press("second", action_ids.APPROVE, scale)
    variable = "variable ORDERS_PAUSED, by “Pause new orders” of INC-2"
    changes = AT.sub("", walk.execution(scale).outcome).partition(". Nothing was done.")[0]
    assert {*changes.removeprefix("Changed since this plan was made: ").split("; ")} == {
        limit,
        variable,
    }
