"""An undo within its window is approved already; any other is a request like the first."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import Clock, Walk
from tests.rollbacks import WAITS, asked, broken, done, patches

__all__ = ["asked", "broken", "done"]

Meanwhile = Callable[[Cluster, Clock], Awaitable[None]]


async def test_undo_needs_no_new_approval(walk: Walk, broken: Cluster, done: str) -> None:
    until = "2026-11-24 10:15 UTC"
    assert walk.execution(done).notes == (
        f"Until {until} an approver can undo this without a new approval, if nobody has changed "
        "its target since. For others, and after that, an undo needs one.",
    )

    await walk.press("second", action_ids.UNDO, done)

    first, undo = walk.executions(done)
    assert (undo.title, undo.requested_by, undo.approvals) == ("Undo: Roll back", "@second", ())
    assert undo.reason == ""
    assert (
        undo.plan["Plan"]
        == "Roll order-service back from revision 8 (image v2.3.1) to revision 7 (image v2.4.0)"
    )
    assert first.notes == (
        # The release that it brings back crash-loops.
        ":leftwards_arrow_with_hook: Undone by @second, but the check of the undo failed",
    )
    assert patches(broken) == 2
    assert broken.image() == "ghcr.io/tickettoken/order-service:v2.4.0"


async def release(broken: Cluster, clock: Clock) -> None:
    """Somebody releases another version meanwhile."""
    broken.deploy("v2.3.2")
    await broken.wait_for_rollout()


async def wait(broken: Cluster, clock: Clock) -> None:
    """The time in which an undo is approved already is over."""
    clock.forward(minutes=16)


@pytest.mark.parametrize("meanwhile", [release, wait])
async def test_a_later_undo_is_a_request(
    walk: Walk, broken: Cluster, clock: Clock, done: str, meanwhile: Meanwhile
) -> None:
    await meanwhile(broken, clock)
    before = patches(broken)

    await walk.press("second", action_ids.UNDO, done)

    undo = walk.execution(done)
    assert (undo.title, undo.state) == ("Undo: Roll back", WAITS)
    assert patches(broken) == before


async def test_an_outsiders_undo_is_a_request(walk: Walk, broken: Cluster, done: str) -> None:
    walk.slack.join("outsider", done)

    await walk.press("outsider", action_ids.UNDO, done)

    undo = walk.execution(done)
    assert (undo.requested_by, undo.state) == ("@outsider", WAITS)
    assert undo.buttons == ("Approve", "Deny…", "Withdraw…")
    assert patches(broken) == 1


async def test_a_denied_undo_can_be_repeated(walk: Walk, broken: Cluster, done: str) -> None:
    walk.slack.join("outsider", done)
    await walk.press("outsider", action_ids.UNDO, done)
    assert walk.execution(done, "Roll back").buttons == ()
    await walk.press("lead", action_ids.DENY, done)
    await walk.submit("lead", reason="It works")

    assert walk.execution(done, "Roll back").buttons == ("Undo",)


async def test_two_undos_are_one(walk: Walk, slack: Slack, broken: Cluster, done: str) -> None:
    undo = slack.find_button("Undo", done, "second")

    await asyncio.gather(*(slack.press(who, undo) for who in ("second", "lead")))
    await walk.bot.drain()

    told = walk.answers("second", done) + walk.answers("lead", done)
    assert told == ["This was already undone, or its undo is pending. Nothing was done."]
    assert patches(broken) == 2
