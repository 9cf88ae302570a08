"""Declaring an incident: by command, by form, from a message; once, whatever is delivered twice."""

import asyncio

import pytest

from bot import store
from bot.views import action_ids
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk

DECLARED_ALREADY = "INC-1 was declared with the same title just now: #inc-1-orders-are-failing."
WHICH = (
    ":notebook: Which playbook fits? Choose one of those for SEV-2: its steps then appear here as"
    " buttons. For all playbooks: `/incident playbook`."
)


async def test_an_incident_has_its_channel(walk: Walk) -> None:
    channel = await walk.declare()

    assert channel == "inc-1-orders-are-failing"
    found = next(made for made in walk.slack.channels("oncall") if made["name"] == channel)
    assert found["topic"] == ":red_circle: SEV-1 · INC-1 · Orders are failing · Investigating"
    assert walk.card(channel) == {
        "Colour": ":red_circle:",
        "Severity": "SEV-1",
        "Name": "INC-1",
        "Title": "Orders are failing",
        "Impact": "not known yet: press Post update",
        "Status": "Investigating",
        "Incident commander": "nobody yet",
        "Declared": "2026-11-24 10:00 UTC by @oncall",
        "Next update due": "2026-11-24 10:15 UTC (2026-11-24 10:15 UTC)",
        "Small print": "order-service · SEV-1: Critical - Service down, data loss · first response "
        "within 15 min",
    }
    assert walk.posts(channel)[1].heading == ":notebook: Complete Service Outage"
    pinned = [
        message["ts"] for message in walk.slack.messages(channel, "oncall") if message.get("pinned")
    ]
    assert pinned == [walk.posts(channel)[0].ts]
    assert [mark["link"] for mark in found["bookmarks"]] == [
        "https://runbooks.example/order-service/database-failover.md",
        "https://runbooks.example/order-service/deployment-rollback.md",
        "https://runbooks.example/GRACEFUL_DEGRADATION_STRATEGIES.md",
    ]
    [announced] = walk.posts("incidents")
    assert announced.lines == (
        ":red_circle: SEV-1 · INC-1 · Orders are failing",
        f"Investigating in #{channel} · order-service · commander nobody yet · declared "
        "2026-11-24 10:00 UTC by @oncall",
    )


async def test_a_playbook_has_its_buttons(walk: Walk) -> None:
    channel = await walk.declare()

    assert walk.posts(channel)[1].buttons == (
        *("Done", "Take", "Done with a note…", "Skip…"),
        *("Pods", "Logs", "Check dependencies", "Roll back", "Database connections"),
        *("Rolling restart", "Increase memory limit", "Delete pods"),
    )
    preferred = "Rolling restart  try this before Increase memory limit and Delete pods"
    assert preferred in walk.posts(channel)[1].text


async def test_declarer_and_responders_are_invited(walk: Walk) -> None:
    channel = await walk.declare()

    invited = [call.arguments["users"] for call in walk.calls("conversations.invite")]
    assert len(invited) == 2
    assert channel in {joined["name"] for joined in walk.slack.channels("second")}


async def test_only_the_declarer_is_told(walk: Walk) -> None:
    await walk.declare()

    told = ["Declared SEV-1 INC-1: #inc-1-orders-are-failing."]
    assert walk.answers("oncall", "general") == told
    assert walk.answers("second", "general") == []
    assert walk.posts("general") == []


@pytest.mark.parametrize("spelled", ["sev2", "SEV-2", "2", "Sev 2"])
async def test_severities_in_any_spelling(walk: Walk, spelled: str) -> None:
    channel = await walk.declare("Refunds hang", spelled)

    assert walk.card(channel)["Severity"] == "SEV-2"
    assert walk.card(channel)["Title"] == "Refunds hang"


async def test_people_choose_among_playbooks(walk: Walk) -> None:
    channel = await walk.declare("Refunds hang", "sev2")
    assert walk.posts(channel)[1].heading == WHICH

    await walk.press(
        "oncall", action_ids.CHOOSE_SCENARIO, channel, "order-service/payment-refund-failures"
    )

    assert [post.heading for post in walk.posts(channel)[1:]] == [
        ":notebook: Payment/Refund Failures",
        ":notebook: @oncall chose the playbook Payment/Refund Failures",
    ]


async def test_the_same_words_declare_once(walk: Walk) -> None:
    await walk.declare()
    await walk.say("second", "/incident declare sev1 Orders are failing")

    assert len(walk.calls("conversations.create")) == 1
    assert walk.answers("second", "general") == [DECLARED_ALREADY]


async def test_the_same_words_a_minute_later(walk: Walk, clock: Clock) -> None:
    await walk.declare()
    clock.forward(seconds=61)
    await walk.say("oncall", "/incident declare sev2 orders are failing")

    assert len(walk.calls("conversations.create")) == 2
    assert walk.answers("oncall", "general")[1:] == [
        "Declared SEV-2 INC-2: #inc-2-orders-are-failing. INC-1 is open and has the same title: "
        "#inc-1-orders-are-failing. If it is the same problem, continue there and resolve one of "
        "the two."
    ]


async def test_the_same_words_after_the_end(walk: Walk, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="It is over")
    clock.forward(seconds=61)

    await walk.declare()

    assert walk.answers("oncall", "general")[-1] == (
        "Declared SEV-1 INC-2: #inc-2-orders-are-failing."
    )


async def test_a_repeated_delivery_declares_once(walk: Walk) -> None:
    delivery = await walk.say("oncall", "/incident declare sev1 Orders are failing")

    await walk.slack.redeliver(delivery)
    await walk.bot.drain()

    assert len(walk.calls("conversations.create")) == 1
    assert walk.answers("oncall", "general") == ["Declared SEV-1 INC-1: #inc-1-orders-are-failing."]


async def test_racing_declarations_open_one_channel(slack: Slack, bot: Bot) -> None:
    words = "/incident declare sev1 Orders are failing"

    await asyncio.gather(
        *(slack.say(who, words, channel="general") for who in ["oncall", "second"] * 10)
    )
    await bot.drain()

    created = [call for call in slack.calls if call.method == "conversations.create"]
    assert len(created) == 1
    async with bot.world.pool.connection() as conn:
        assert len(await store.incidents.list_open(conn, 10)) == 1


async def test_declaring_by_form(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    await walk.submit("oncall", severity="sev3", title="Slow since the morning")

    channel = "inc-1-slow-since-the-morning"
    assert walk.card(channel)["Severity"] == "SEV-3"
    assert walk.card(channel)["Title"] == "Slow since the morning"
    assert walk.answers("oncall", "general") == [f"Declared SEV-3 INC-1: #{channel}."]


async def test_a_blank_form_is_refused(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")

    assert await walk.submit_refused("oncall", title="   ") == {
        "severity": "Tick what you see above, or choose how bad it is."
    }
    assert walk.calls("conversations.create") == []


async def test_declaring_from_a_message_links_it(walk: Walk) -> None:
    await walk.say("second", "checkout answers 500 <since> 03:00", "incidents")
    ts = walk.slack.messages("incidents", "oncall")[-1]["ts"]

    await walk.slack.shortcut("oncall", action_ids.DECLARE_FROM_MESSAGE, channel="incidents", ts=ts)
    await walk.bot.drain()
    await walk.submit("oncall", severity="sev1", title="Checkout answers 500")

    [found] = [shown for shown in walk.slack.channels("oncall") if shown["name"].startswith("inc-")]
    links = {mark["title"]: mark["link"] for mark in found["bookmarks"]}
    channel_id = walk.slack.workspace.channel("incidents").id
    assert links["Where it began"].endswith(f"/archives/{channel_id}/p{ts.replace('.', '')}")


async def test_declaring_from_the_home_tab(walk: Walk) -> None:
    await walk.slack.open_home("oncall")
    await walk.bot.drain()
    await walk.slack.shortcut("oncall", action_ids.DECLARE_SHORTCUT)
    await walk.bot.drain()

    await walk.submit("oncall", severity="sev1", title="It burns")

    assert walk.card("inc-1-it-burns")["Declared"] == "2026-11-24 10:00 UTC by @oncall"


async def test_independent_calls_overlap(walk: Walk) -> None:
    await walk.declare()

    in_flight = max(call.in_flight for call in walk.slack.calls)
    assert in_flight >= 4


async def test_long_descriptions_are_kept_whole(walk: Walk) -> None:
    words = "Orders are failing " + "and so on " * 400
    await walk.say("oncall", f"/incident declare sev1 {words}")

    [channel] = [
        shown["name"]
        for shown in walk.slack.channels("oncall")
        if shown["name"].startswith("inc-1-")
    ]
    assert len(channel) <= 80
    note = walk.posts(channel)[-1]
    assert " ".join(line.strip() for line in note.lines) == f":memo: @oncall: {words.strip()}"


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
async def test_long_names_end_with_words(walk: Walk, title: str, name: str) -> None:
    assert await walk.declare(title) == name


async def test_a_slow_slack_is_acknowledged(slack: Slack, bot: Bot) -> None:
    slack.latency = 0.3
    words = [f"/incident declare sev1 Shop {number} is down" for number in range(20)]

    sent = await asyncio.gather(*(slack.say("oncall", text, channel="general") for text in words))
    await bot.drain()

    assert all(delivery.ok and delivery.seconds < 3 for delivery in sent)
    names = [channel["name"] for channel in slack.channels("oncall")]
    assert len([name for name in names if name.startswith("inc-")]) == 20
