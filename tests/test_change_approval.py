"""A change is approved: by somebody else who is an approver at that moment, and once."""

import asyncio

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack, User
from tests.conftest import Walk
from tests.refusals import not_an_approver
from tests.rollbacks import DONE, TO_V231, WAITS, asked, broken, patches

__all__ = ["asked", "broken"]

NO_APPROVER = not_an_approver("approved", "second", "lead")
OWN_REQUEST = "You requested this yourself, so you cannot approve it. Another approver has to."
TOO_LATE = "Already approved by @second at 2026-11-24 10:00:00 UTC. Nothing more was approved."


async def test_an_approved_rollback_runs(walk: Walk, broken: Cluster, asked: str) -> None:
    await walk.press("second", action_ids.APPROVE, asked)

    request = walk.execution(asked)
    assert request.approvals == ("@second, 2026-11-24 10:00 UTC",)
    assert (request.state, request.buttons) == (DONE, ("Undo",))
    assert request.outcome == (
        "order-service runs image v2.3.1: 3 of 3 ready, no restarts for 0.4 s"
    )
    assert patches(broken) == 1
    assert broken.image() == "ghcr.io/tickettoken/order-service:v2.3.1"
    assert walk.step(asked, "roll-back").lines == (
        f":white_check_mark: {request.outcome} · @oncall, 2026-11-24 10:00 UTC",
    )


@pytest.mark.parametrize(("who", "refusal"), [("oncall", OWN_REQUEST), ("outsider", NO_APPROVER)])
async def test_a_refused_approval_is_recorded(
    walk: Walk, broken: Cluster, asked: str, who: str, refusal: str
) -> None:
    walk.slack.join(who, asked)

    await walk.press(who, action_ids.APPROVE, asked)

    assert walk.answer(who) == refusal
    assert patches(broken) == 0
    [*_, entry] = await walk.timeline(asked)
    assert entry == f"@{who} was refused: {TO_V231} (answer: “{refusal}”)"


@pytest.mark.parametrize(
    ("other", "refusal"),
    [
        (
            User("other", "Other", kind="guest"),
            "Guests may not do this. Nothing was done; ask a full member.",
        ),
        (
            User("other", "Other", kind="stranger"),
            "You belong to another workspace. Nothing was done; ask a responder of this one.",
        ),
    ],
)
async def test_guests_and_strangers_approve_nothing(
    walk: Walk, broken: Cluster, asked: str, other: User, refusal: str
) -> None:
    walk.slack.add_user(other)
    walk.slack.add_to(asked, "other")

    await walk.press("other", action_ids.APPROVE, asked)

    assert walk.answers("other", asked) == [refusal]
    assert walk.execution(asked).state == WAITS
    assert patches(broken) == 0


async def test_former_employees_approve_nothing(walk: Walk, broken: Cluster, asked: str) -> None:
    walk.slack.user("second").deactivated = True

    await walk.press("second", action_ids.APPROVE, asked)

    assert walk.execution(asked).state == WAITS
    assert patches(broken) == 0


async def test_former_approvers_approve_nothing(walk: Walk, broken: Cluster, asked: str) -> None:
    walk.slack.set_group("order-service-approvers", "lead")

    await walk.press("second", action_ids.APPROVE, asked)

    assert walk.answer("second") == not_an_approver("approved", "lead")
    assert walk.execution(asked).state == WAITS
    assert patches(broken) == 0


async def test_an_unknown_group_approves_nothing(walk: Walk, broken: Cluster, asked: str) -> None:
    walk.slack.fail("usergroups.list", error="fatal_error", times=1)

    await walk.press("second", action_ids.APPROVE, asked)

    assert walk.answer("second").startswith("Slack did not say who is in the group")
    assert walk.execution(asked).state == WAITS
    assert patches(broken) == 0


async def test_racing_approvers_run_it_once(
    walk: Walk, slack: Slack, broken: Cluster, asked: str
) -> None:
    await asyncio.gather(
        *(
            slack.press(who, action_id=action_ids.APPROVE, channel=asked)
            for who in ("second", "lead") * 3
        )
    )
    await walk.bot.drain()

    request = walk.execution(asked)
    [approval] = request.approvals
    first = approval.split(",")[0]
    told = walk.answers("second", asked) + walk.answers("lead", asked)
    assert told == [TOO_LATE.replace("@second", first)] * 5
    assert (request.state, patches(broken)) == (DONE, 1)


async def test_a_late_press_is_answered(walk: Walk, asked: str) -> None:
    approve = walk.slack.find_button("Approve", asked, "lead")
    await walk.press("second", action_ids.APPROVE, asked)

    await walk.slack.press("lead", approve)
    await walk.bot.drain()

    assert walk.answers("lead", asked) == [TOO_LATE]
