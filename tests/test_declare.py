"""Declaring an incident: by command, by form, from a message; once, whatever is delivered twice."""

import asyncio

import pytest

from bot import store
from bot.views import action_ids
from sandbox.slack import Refusal, Slack
from tests.conftest import Bot, Clock, Walk


async def test_a_declared_incident_has_a_channel_with_everything_in_it(walk: Walk) -> None:
    channel = await walk.declare()

    assert channel == "inc-1-orders-are-failing"
    found = next(made for made in walk.slack.channels("oncall") if made["name"] == channel)
    assert "SEV-1 · INC-1 · Orders are failing" in found["topic"]
    seen = walk.text(channel)
    assert "Complete Service Outage" in seen
    assert "Health checks failing" in seen
    for title in ("Pods", "Logs", "Check dependencies", "Roll back", "Rolling restart"):
        assert title in seen
    pinned = [
        message for message in walk.slack.messages(channel, "oncall") if message.get("pinned")
    ]
    assert len(pinned) == 1
    assert [mark["link"] for mark in found["bookmarks"]] == [
        "https://runbooks.example/order-service/database-failover.md",
        "https://runbooks.example/order-service/deployment-rollback.md",
        "https://runbooks.example/GRACEFUL_DEGRADATION_STRATEGIES.md",
    ]
    assert "Orders are failing" in walk.text("incidents")


async def test_the_declarer_and_the_responders_are_in_the_channel(walk: Walk) -> None:
    channel = await walk.declare()

    invited = [call.arguments["users"] for call in walk.calls("conversations.invite")]
    assert len(invited) == 2
    assert channel in {joined["name"] for joined in walk.slack.channels("second")}


async def test_the_declarer_is_told_where_to_go(walk: Walk) -> None:
    await walk.declare()

    assert "Declared SEV-1 INC-1" in walk.text("general", "oncall")
    assert "Declared SEV-1" not in walk.text("general", "second")


@pytest.mark.parametrize("spelled", ["sev2", "SEV-2", "2", "Sev 2"])
async def test_a_severity_is_spelled_as_people_spell_it(walk: Walk, spelled: str) -> None:
    channel = await walk.declare("Refunds hang", spelled)

    assert "SEV-2 · INC-1 · Refunds hang" in walk.text(channel)


async def test_where_several_playbooks_match_people_choose(walk: Walk) -> None:
    channel = await walk.declare("Refunds hang", "sev2")
    assert "Which playbook fits?" in walk.text(channel)

    await walk.press(
        "oncall", action_ids.CHOOSE_SCENARIO, channel, "order-service/payment-refund-failures"
    )

    seen = walk.text(channel)
    assert "Orders stuck in PENDING" in seen
    assert "Which playbook fits?" not in seen
    assert "chose the playbook" in seen


async def test_the_same_words_within_a_minute_are_the_same_incident(walk: Walk) -> None:
    await walk.declare()
    await walk.say("second", "/incident declare sev1 Orders are failing")

    assert len(walk.calls("conversations.create")) == 1
    assert "INC-1 was declared with the same title just now" in walk.text("general", "second")


async def test_the_same_words_after_a_minute_are_another_incident(walk: Walk, clock: Clock) -> None:
    await walk.declare()
    first = next(c["id"] for c in walk.slack.channels("oncall") if c["name"].startswith("inc-1-"))
    assert "same title" not in walk.text("general", "oncall")
    clock.forward(seconds=61)
    await walk.say("oncall", "/incident declare sev2 orders are failing")

    assert len(walk.calls("conversations.create")) == 2
    told = f"INC-1 is open and has the same title: <#{first}>. If it is the same problem,"
    assert told in walk.text("general", "oncall")


async def test_the_same_words_after_the_end_are_just_another_incident(
    walk: Walk, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="It is over")
    clock.forward(seconds=61)

    await walk.declare()

    assert "Declared SEV-1 INC-2" in walk.text("general", "oncall")
    assert "same title" not in walk.text("general", "oncall")


async def test_the_same_delivery_twice_is_one_incident(walk: Walk) -> None:
    delivery = await walk.say("oncall", "/incident declare sev1 Orders are failing")

    await walk.slack.redeliver(delivery)
    await walk.bot.drain()

    assert len(walk.calls("conversations.create")) == 1
    assert "INC-1 was declared with the same title just now" in walk.text("general", "oncall")


async def test_twenty_people_declaring_at_once_open_one_channel(slack: Slack, bot: Bot) -> None:
    words = "/incident declare sev1 Orders are failing"

    await asyncio.gather(
        *(slack.say(who, words, channel="general") for who in ["oncall", "second"] * 10)
    )
    await bot.drain()

    created = [call for call in slack.calls if call.method == "conversations.create"]
    assert len(created) == 1
    async with bot.world.pool.connection() as conn:
        assert len(await store.incidents.list_open(conn)) == 1


async def test_declaring_by_form(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    await walk.submit("oncall", severity="sev3", title="Slow since the morning")

    assert "SEV-3 · INC-1 · Slow since the morning" in walk.text("inc-1-slow-since-the-morning")
    assert "Declared SEV-3 INC-1" in walk.text("general", "oncall")


async def test_a_blank_form_is_answered_in_the_form(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")

    with pytest.raises(Refusal) as refused:
        await walk.submit("oncall", title="   ")

    assert list(refused.value.errors) == ["severity"]
    assert walk.calls("conversations.create") == []


async def test_declaring_from_a_message_links_it(walk: Walk) -> None:
    said = await walk.say("second", "checkout answers 500 <since> 03:00", "incidents")
    ts = walk.slack.messages("incidents", "oncall")[-1]["ts"]
    assert said.ok

    await walk.slack.shortcut("oncall", action_ids.DECLARE_FROM_MESSAGE, channel="incidents", ts=ts)
    await walk.bot.drain()
    await walk.submit("oncall", severity="sev1", title="Checkout answers 500")

    channel = next(c for c in walk.slack.channels("oncall") if c["name"].startswith("inc-1-"))
    assert any("Where it began" in str(mark) for mark in channel["bookmarks"])


async def test_declaring_from_the_home_tab(walk: Walk) -> None:
    await walk.slack.open_home("oncall")
    await walk.bot.drain()
    await walk.slack.shortcut("oncall", action_ids.DECLARE_SHORTCUT)
    await walk.bot.drain()

    await walk.submit("oncall", severity="sev1", title="It burns")

    assert len(walk.calls("conversations.create")) == 1


async def test_calls_that_do_not_depend_on_each_other_go_side_by_side(walk: Walk) -> None:
    await walk.declare()

    in_flight = max(call.in_flight for call in walk.slack.calls)
    assert in_flight >= 4


async def test_a_long_description_is_kept_whole(walk: Walk) -> None:
    words = "Orders are failing " + "and so on " * 400
    await walk.say("oncall", f"/incident declare sev1 {words}")

    channel = next(
        c["name"] for c in walk.slack.channels("oncall") if c["name"].startswith("inc-1")
    )
    seen = walk.text(channel)
    assert seen.count("and so on") > 350
    assert len(channel) <= 80


@pytest.mark.parametrize(
    ("title", "name"),
    [
        (
            "Checkout is down for everybody who pays by card since the deployment of this morning",
            "inc-1-checkout-is-down-for-everybody-who-pays-by-card-since-the-deployment-of",
        ),
        ("It burns at " + "x" * 100, "inc-1-it-burns-at-" + "x" * 62),
    ],
)
async def test_a_long_channel_name_ends_with_a_word(walk: Walk, title: str, name: str) -> None:
    assert await walk.declare(title) == name


async def test_twenty_declarations_at_a_slow_slack_are_all_acknowledged_in_time(
    slack: Slack, bot: Bot
) -> None:
    slack.latency = 0.3
    words = [f"/incident declare sev1 Shop {number} is down" for number in range(20)]

    sent = await asyncio.gather(*(slack.say("oncall", text, channel="general") for text in words))
    await bot.drain()

    assert all(delivery.ok and delivery.seconds < 3 for delivery in sent)
    names = [channel["name"] for channel in slack.channels("oncall")]
    assert len([name for name in names if name.startswith("inc-")]) == 20
