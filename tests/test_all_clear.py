"""Customers who were told that something is wrong are told that it is over, when approved."""

from pathlib import Path

import pytest

from bot import rules
from bot.settings import Settings
from bot.views import action_ids
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.rollbacks import DONE, WAITS
from tests.test_customer_message import NO_APPROVER, OWN_REQUEST, WORDS, ask, posted, team
from tests.test_timeline_and_resolve import IS_RESOLVED
from tests.test_updates import update

__all__ = ["team"]

AT = "2026-11-24 10:00 UTC"
OVER = f"Order Service works normally again. The problem that began {AT} is resolved.\nWe apologize"
STILL = f":mega: Customers still read what they were told {AT}: “{WORDS}”"
UNTOLD = f"{STILL} Nobody has told them that it is over."
REQUESTED = f"{STILL} The message that it is over waits for approval."
TOLD = f":mega: Customers were told {AT} that it is over."
TELL = "Tell customers it is over…"
OFFER = (
    f":mega: Customers were told {AT}: “{WORDS}” Nobody has told them that it is over. An "
    "approver other than you must approve exactly this text. Then it is posted in #status, where "
    "customers read it."
)


async def tell(walk: Walk) -> str:
    """Declare, and tell customers; returns the channel."""
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack) == [WORDS]
    return channel


def shown(walk: Walk, channel: str) -> list[str]:
    """What the card and the summary say of customers, each with its buttons."""
    posts = walk.posts(channel)
    summary = [post for post in posts if post.heading == ":white_check_mark: INC-1 is resolved"]
    return [
        " ".join((*(line for line in post.lines if line.startswith(":mega:")), *post.buttons))
        for post in (posts[0], *summary)
    ]


async def test_resolving_asks_for_the_all_clear(walk: Walk) -> None:
    channel = await tell(walk)
    assert walk.card(channel)["Customers"] == f":mega: Customers were told {AT}: “{WORDS}”"
    await walk.say("oncall", "/incident resolve", channel)
    assert walk.form().text.splitlines()[-1] == OFFER
    field = walk.form().fields["all_clear"]
    assert field.optional
    assert field.value.startswith(OVER)

    await walk.submit("oncall", resolution="Rolled back", all_clear=field.value)

    request = walk.execution(channel)
    assert (request.title, request.state) == ("All-clear for customers", WAITS)
    assert request.buttons == ("Approve", "Deny…", "Withdraw…", "Edit…")
    assert request.diff == field.value
    assert shown(walk, channel) == [REQUESTED, REQUESTED]
    assert "Waits for approval" not in walk.card(channel)  # the line about customers tells it
    walk.slack.join("outsider", channel)
    for who in ("oncall", "outsider"):
        await walk.press(who, action_ids.APPROVE, channel)
    assert (walk.answer("oncall"), walk.answer("outsider")) == (OWN_REQUEST, NO_APPROVER)
    assert posted(walk.slack) == [WORDS]

    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack) == [WORDS, field.value]
    assert shown(walk, channel) == [TOLD, TOLD]
    done = walk.execution(channel)
    assert (done.state, done.buttons) == (DONE, ("Undo",))
    assert len(walk.posts(channel)) == 6  # so nine with a commander, a change and an update

    await walk.press("lead", action_ids.UNDO, channel)
    assert posted(walk.slack) == [WORDS]
    assert shown(walk, channel) == [f"{UNTOLD} {TELL}"] * 2


async def test_an_all_clear_after_the_end(walk: Walk, clock: Clock) -> None:
    channel = await tell(walk)
    await walk.say("oncall", "/incident customer Sorry, orders fail", channel)
    await walk.say("second", "/incident severity sev4", channel)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="Rolled back", all_clear=None)
    assert shown(walk, channel) == [f"{UNTOLD} {TELL}"] * 2
    await walk.submit("oncall", text="Sorry, orders fail")  # a form of before the end
    assert walk.answer("oncall") == IS_RESOLVED

    await walk.press("oncall", action_ids.TELL_CUSTOMERS, channel)
    assert walk.form().fields["text"].value.startswith(OVER)
    await walk.submit("oncall", text="Orders work")
    clock.forward(minutes=31)
    await walk.bot.tick()
    assert walk.execution(channel).state == "Expired"
    assert shown(walk, channel) == [f"{UNTOLD} {TELL}"] * 2
    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)
    await walk.submit("oncall", text="Orders work again")
    await walk.press("second", action_ids.EDIT_MESSAGE, channel)
    await walk.submit("second", text="Orders work again. Sorry!")
    await walk.press("oncall", action_ids.APPROVE, channel)

    assert posted(walk.slack) == [WORDS, "Orders work again. Sorry!"]
    assert walk.card(channel)["Status"] == "Resolved"


async def test_a_premature_all_clear_warns(walk: Walk) -> None:
    channel = await tell(walk)
    other = await walk.declare("Disputes", "sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, other, "order-service/high-dispute-rate")
    await walk.press_step("oncall", "pause-orders", other)
    await walk.submit("oncall", reason="Stolen cards", revert_after="30")
    await walk.press("second", action_ids.APPROVE, other)
    warnings = (
        "Still in force: orders paused, until {at} (INC-2)",
        "Still open: INC-2 (SEV-2), Disputes",
    )
    shown = [warning.format(at="2026-11-24 10:30 UTC") for warning in warnings]

    await walk.say("oncall", "/incident resolve", channel)
    assert walk.form().text.splitlines()[-2:] == shown
    await walk.submit("oncall", resolution="Rolled back", all_clear=None)
    await walk.press("oncall", action_ids.TELL_CUSTOMERS, channel)
    assert walk.form().text.splitlines()[-2:] == shown
    await walk.submit("oncall", text="Orders work")

    stored = [warning.format(at="10:30 UTC") for warning in warnings]
    assert walk.execution(channel).warnings == tuple(f":warning: {each}" for each in stored)
    [approve] = walk.slack.find_buttons("Approve", channel, "second")
    question = approve.element["confirm"]["text"]["text"]
    assert question.endswith(" ".join(f":warning: {each}" for each in stored))
    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)
    await walk.submit("oncall", text="Orders work again")
    assert len(walk.execution(channel).warnings) == 2
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack)[-1] == "Orders work again"


async def test_a_refused_all_clear_can_be_sent(walk: Walk) -> None:
    channel = await tell(walk)
    await walk.say("oncall", "/incident resolve", channel)
    walk.slack.fail("conversations.info", error="ratelimited", times=1)

    await walk.submit("oncall", resolution="Rolled back", all_clear="Orders work")

    assert walk.answer("oncall") == (
        "INC-1 is resolved, but its all-clear was not requested: Slack did not let the bot look at "
        "the channel (ratelimited), so nothing was done. Try again in a minute. Press Tell "
        "customers it is over… on the card."
    )
    assert shown(walk, channel) == [f"{UNTOLD} {TELL}"] * 2


async def test_an_unknown_all_clear_told_nobody(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await tell(walk)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="Rolled back", all_clear="Orders work")
    walk.slack.fail("chat.postMessage", error="internal_error", times=1)

    await walk.press("second", action_ids.APPROVE, channel)
    unknown = f"{STILL} Whether the message that it is over arrived is not known:"
    assert walk.execution(channel).state == "Unknown"
    assert shown(walk, channel) == [f"{unknown} the bot looks again."] * 2

    clock.forward(minutes=3)
    await bot.tick()
    look = "look at the channel first, and tell them only if it is not there."
    assert shown(walk, channel) == [f"{unknown} {look} {TELL}"] * 2
    await walk.press("oncall", action_ids.TELL_CUSTOMERS, channel)
    await walk.submit("oncall", text="Orders work")
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack) == [WORDS, "Orders work"]
    assert shown(walk, channel) == [TOLD.replace("10:00", "10:03")] * 2


async def test_what_is_not_over_is_warned_of(walk: Walk) -> None:
    """Another incident of the service is open."""
    channel = await tell(walk)
    other = await walk.declare("Refunds fail")
    await ask(walk, other, "Refunds fail")
    await walk.press("second", action_ids.APPROVE, other)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="Rolled back", all_clear="All is well")

    warning = ":warning: Still open: INC-2 (SEV-1), Refunds fail"
    assert walk.execution(channel).warnings == (warning,)
    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)
    await walk.submit("oncall", text="Orders work again, refunds fail")
    assert walk.execution(channel).warnings == (warning,)
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack)[-1] == "Orders work again, refunds fail"


async def test_who_knew_nothing_hears_nothing(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("oncall", action_ids.DENY, channel)
    await walk.submit("oncall", reason="Too early")
    await walk.say("oncall", "/incident resolve", channel)
    assert set(walk.form().fields) == {"resolution"}

    await walk.submit("oncall", resolution="Rolled back")
    assert shown(walk, channel) == ["", ""]
    await walk.say("oncall", "/incident customer Orders work", channel)
    assert (walk.answer("oncall"), walk.slack.views("oncall")) == (IS_RESOLVED, [])


def test_a_step_of_that_name_is_none() -> None:
    """A playbook may call a step so: one that changes production may not follow the end."""
    assert rules.customers.is_of_all_clear("all-clear", "customer-message")
    assert not rules.customers.is_of_all_clear("all-clear", "rollback")


@pytest.mark.parametrize(
    ("template", "drafted"),
    [
        ("{{ title }}: {{ status }}. {{ impact }}", "Orders are failing: Resolved. all"),
        ("{{ 1 // 0 }}", OVER),
    ],
)
async def test_a_playbook_has_its_own_words(
    given: Settings, slack: Slack, clock: Clock, playbooks: Path, template: str, drafted: str
) -> None:
    with (playbooks / "order-service.yml").open("a") as file:
        file.write(f'\nall_clear: "{template}"\n')
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await tell(walk)
        await update(walk, channel)
        await walk.say("oncall", "/incident resolve", channel)

    assert walk.form().fields["all_clear"].value.startswith(drafted)
