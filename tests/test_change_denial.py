"""A change is denied by an approver, or withdrawn by whoever asked for it."""

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Walk
from tests.refusals import not_an_approver
from tests.rollbacks import TO_V231, WAITS, asked, broken, patches

__all__ = ["asked", "broken"]

NO_APPROVER = not_an_approver("denied", "second", "lead")


async def deny(walk: Walk, who: str, channel: str, reason: str) -> None:
    """Press *Deny…* and send the form."""
    await walk.press(who, action_ids.DENY, channel)
    await walk.submit(who, reason=reason)


async def test_a_denial_tells_its_reason(walk: Walk, broken: Cluster, asked: str) -> None:
    await deny(walk, "lead", asked, "A fix is on its way")

    request = walk.execution(asked)
    assert (request.state, request.outcome) == ("Denied", "by @lead: A fix is on its way")
    assert request.buttons == ()
    told = ":no_entry: @oncall Denied by @lead, nothing was done: A fix is on its way"
    assert request.thread[0].lines == (told,)
    assert walk.step(asked, "roll-back").lines == (":no_entry: Denied by @lead",)
    assert patches(broken) == 0
    [*_, entry] = await walk.timeline(asked)
    assert entry == f"@lead denied: {TO_V231} (reason: A fix is on its way)"


@pytest.mark.parametrize("button", [action_ids.WITHDRAW, action_ids.DENY])
async def test_a_requester_withdraws(walk: Walk, broken: Cluster, asked: str, button: str) -> None:
    await walk.press("oncall", button, asked)
    form = walk.form()
    assert (form.title, form.fields["reason"].label) == ("Withdraw", "Why do you withdraw it?")
    await walk.submit("oncall", reason="It was the database")

    request = walk.execution(asked)
    assert (request.state, request.outcome) == ("Withdrawn", "by @oncall: It was the database")
    assert walk.step(asked, "roll-back").lines == (":no_entry: Withdrawn by @oncall",)
    assert patches(broken) == 0
    [*_, entry] = await walk.timeline(asked)
    assert entry == f"@oncall withdrew: {TO_V231} (reason: It was the database)"


async def test_only_the_requester_withdraws(walk: Walk, asked: str) -> None:
    await walk.press("lead", action_ids.WITHDRAW, asked)

    assert walk.slack.views("lead") == []
    assert walk.answer("lead") == (
        "@oncall requested this, so only they can withdraw it. Nothing was withdrawn; an approver "
        "can deny it."
    )
    assert walk.execution(asked).state == WAITS


async def test_a_denied_request_is_not_approved(walk: Walk, broken: Cluster, asked: str) -> None:
    approve = walk.slack.find_button("Approve", asked, "second")
    await deny(walk, "lead", asked, "A fix is on its way")

    await walk.slack.press("second", approve)
    await walk.bot.drain()

    assert walk.answer("second") == "Already denied by @lead. Nothing more was approved."
    assert patches(broken) == 0


async def test_two_denials_are_one(walk: Walk, asked: str) -> None:
    await walk.press("lead", action_ids.DENY, asked)
    await walk.press("second", action_ids.DENY, asked)
    await walk.submit("second", reason="Too early")

    await walk.submit("lead", reason="Too late")

    assert walk.answer("lead") == "Already denied by @second. Nothing was denied."
    assert walk.execution(asked).outcome == "by @second: Too early"


async def test_outsiders_get_no_form(walk: Walk, asked: str) -> None:
    walk.slack.join("outsider", asked)

    await walk.press("outsider", action_ids.DENY, asked)

    assert walk.slack.views("outsider") == []
    assert walk.answer("outsider") == NO_APPROVER
    assert walk.execution(asked).state == WAITS


async def test_former_approvers_deny_nothing(walk: Walk, asked: str) -> None:
    walk.slack.join("outsider", asked)
    walk.slack.set_group("order-service-approvers", "outsider")
    await walk.press("outsider", action_ids.DENY, asked)
    walk.slack.set_group("order-service-approvers", "lead")
    refusal = not_an_approver("denied", "lead")

    await walk.submit("outsider", reason="I do not like it")

    assert walk.answer("outsider") == refusal
    assert walk.execution(asked).state == WAITS
    [*_, entry] = await walk.timeline(asked)
    assert entry == f"@outsider was refused: {TO_V231} (answer: “{refusal}”)"


async def test_a_blank_reason_is_refused(walk: Walk, asked: str) -> None:
    await walk.press("lead", action_ids.DENY, asked)

    errors = await walk.submit_refused("lead", reason=" ")

    assert list(errors) == ["reason"]
    assert walk.execution(asked).state == WAITS
