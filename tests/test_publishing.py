"""Publishing: one drawer at a time, whatever goes wrong meanwhile; and all of people's words."""

import gc
import re
from functools import partial
from pathlib import Path
from typing import LiteralString

import pytest

from bot import store
from bot.model import IncidentId
from bot.publishing import publisher
from bot.publishing.publisher import publish, request_publishing
from bot.settings import Settings
from bot.views import action_ids, blocks
from bot.views.slack_items import Message
from sandbox.cluster import Cluster
from sandbox.redis import free_port
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot

ID = IncidentId(1)


async def sql(bot: Bot, query: LiteralString, *values: str, incident_id: IncidentId = ID) -> None:
    """Change what is true, behind the bot's back, and have it drawn again."""
    async with bot.world.pool.connection() as conn:
        await conn.execute(query, values)
        await store.publications.mark_stale(conn, incident_id)


async def write_alert(bot: Bot, template: str) -> None:
    """Give the incident's playbook another alert."""
    query = """
        UPDATE incidents SET playbook = jsonb_set(playbook, '{internal_alert}', to_jsonb(%s::text))
        WHERE id = 1
    """
    await sql(bot, query, template)


async def post_update(walk: Walk, channel: str, **words: str) -> None:
    """Fill in an update."""
    await walk.say("second", "/incident update", channel)
    await walk.submit("second", **{"status": "identified", "impact": "all", **words})


async def test_the_next_publisher_takes_over(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    seen = len(walk.calls("chat.update"))
    walk.slack.fail("chat.update", hang=True, times=None)
    await sql(bot, "UPDATE incidents SET title = 'Other words'")

    request_publishing(bot.world, ID)
    await walk.slack.wait_for(lambda: len(walk.calls("chat.update")) > seen)
    await bot.world.background.drain(0)  # as at a stop, once its time is over
    walk.slack.heal()
    seen = len(walk.calls("chat.update"))
    await bot.tick()

    assert len(walk.calls("chat.update")) > seen
    assert "Other words" in walk.text(channel)


async def test_one_publisher_at_a_time(walk: Walk, bot: Bot, clock: Clock) -> None:
    create = walk.slack.fail("conversations.create", hang=True)
    pin = walk.slack.fail("pins.add", hang=True)
    await walk.slack.say("oncall", "/incident declare sev1 Orders are failing", "general")

    for fault in (create, pin):
        await walk.slack.wait_for(partial(walk.calls, fault.method))
        clock.forward(seconds=60)
        await publish(bot.world, ID)
        fault.heal()
    await bot.drain()

    assert len(walk.calls("conversations.create")) == 1
    assert len(walk.calls("pins.add")) == 1


async def test_a_broken_incident_stops_no_other(
    walk: Walk, bot: Bot, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    channel = await walk.declare()
    other = await walk.declare("Refunds hang", "sev3")
    await write_alert(bot, "{{ impact }} {{ 1 // 0 }}")
    await post_update(walk, channel, current="looking")
    other_words = "UPDATE incidents SET title = 'Other words' WHERE id = 2"
    await sql(bot, other_words, incident_id=IncidentId(2))
    for _ in range(3):
        await bot.tick()

    assert caplog.text.count("ZeroDivisionError: ") == 1
    assert "Other words" in walk.text(other)
    await walk.say("oncall", "/incident")
    assert "could not make a part of this (ZeroDivisionError)" in walk.text("general")

    await write_alert(bot, "{{ impact }} is hurt")
    clock.forward(minutes=6)
    await bot.tick()
    assert "all is hurt" in walk.text(channel)
    assert "ZeroDivisionError" not in walk.text(channel)


async def test_a_rate_limit_is_waited_for(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    walk.slack.fail("chat.update", ratelimited=60, times=None)
    await walk.say("oncall", "/incident severity sev2", channel)
    walk.slack.heal()
    seen = len(walk.slack.calls)

    await walk.say("oncall", "/incident status identified", channel)
    clock.forward(seconds=59)
    await bot.tick()
    asked = [call.method for call in walk.slack.calls[seen:]]
    assert not [method for method in asked if method in ("chat.update", "chat.postMessage")]

    clock.forward(seconds=2)
    await bot.tick()
    assert "SEV-2 · INC-1" in walk.text(channel)
    assert "from *investigating* to *identified*" in walk.text(channel)


async def test_a_refused_message_delays_no_other(walk: Walk, bot: Bot, clock: Clock) -> None:
    walk.slack.fail("pins.add", error="restricted_action", times=None)
    channel = await walk.declare()

    await walk.say("oncall", "/incident severity sev2", channel)
    assert "SEV-2 · INC-1" in walk.text(channel)

    pins = len(walk.calls("pins.add"))
    await bot.tick()
    assert len(walk.calls("pins.add")) == pins


async def test_a_removed_bot_comes_back(walk: Walk) -> None:
    channel = await walk.declare()
    walk.slack.remove_from(channel, "runbolt")
    walk.slack.remove_from("incidents", "runbolt")

    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    await walk.say("oncall", "/incident severity sev2", channel)

    assert "is the incident commander" in walk.text(channel)
    assert "SEV-2 · INC-1" in walk.text("incidents")
    assert len(walk.calls("conversations.join")) == 1 + 2


async def test_a_long_update_is_whole(walk: Walk) -> None:
    channel = await walk.declare()

    await post_update(walk, channel, impact="<i&" * 333, current="&" * 2_490 + "THE END")

    for place in (channel, "incidents"):
        [whole] = [post.text for post in walk.posts(place) if "THE END" in post.text]
        # A message has several sections, and one of them may end within a word.
        assert whole.replace("\n", "").count("<i&") == 333
        assert not re.search(r"&(?!amp;|lt;|gt;)", walk.text(place))


async def test_a_long_resolution_is_whole(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.RESOLVE, channel)
    await walk.submit("oncall", resolution="<" * 2_490 + "THE END")

    assert walk.text("incidents").count("THE END") == 1
    assert walk.text(channel).count("THE END") == len(["on the card", "in the summary"])


async def test_the_newest_long_note_is_whole(walk: Walk) -> None:
    channel = await walk.declare()
    for number in range(6):
        await walk.say("oncall", f"/incident note {'long ' * 500}END-{number}", channel)
    before = walk.text(channel)

    await walk.say("oncall", "/incident timeline", channel)

    seen = walk.text(channel).removeprefix(before)
    assert "the newest 4 of 7 entries" in seen
    assert re.findall(r"END-\d", seen) == ["END-2", "END-3", "END-4", "END-5"]


async def test_an_update_without_an_alert(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await write_alert(bot, "")

    await post_update(walk, channel, impact="Nobody buys", current="The version is bad")

    assert "*Impact:* Nobody buys\n" in walk.text(channel)
    assert "*What is known:* The version is bad\n" in walk.text(channel)


def test_where_long_text_is_split() -> None:
    assert blocks.split_mrkdwn("short") == ["short"]
    assert blocks.split_mrkdwn("first line\nsecond line", 20) == ["first line", "second line"]
    assert blocks.split_mrkdwn("some words and more", 12) == ["some words", "and more"]
    assert blocks.split_mrkdwn("a&amp;&amp;b", 8) == ["a&amp;", "&amp;b"]
    assert blocks.split_mrkdwn("abcdef <@U12345> g", 12) == ["abcdef", "<@U12345> g"]
    assert blocks.split_mrkdwn("<" * 30, 10) == ["<" * 10] * 3
    assert blocks.truncate_mrkdwn("abc &amp; d", 8) == "abc…"


async def test_a_topic_of_escapes_fits(walk: Walk) -> None:
    channel = await walk.declare("&" * 100)

    topic = next(made for made in walk.slack.channels("oncall") if made["name"] == channel)["topic"]
    assert len(topic) <= 250
    assert topic.endswith("&amp;…")


async def test_one_group_request_without_redis(slack: Slack, given: Settings, clock: Clock) -> None:
    nowhere = given.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}"})
    async with start_bot(nowhere, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.press("second", action_ids.TAKE_COMMAND, channel)
        await walk.say("oncall", "/incident severity sev2", channel)

    assert len(walk.calls("usergroups.list")) == 2  # one of them when the bot started


async def test_a_file_waits_for_its_thread(
    walk: Walk, bot: Bot, clock: Clock, kube: Cluster
) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare()
    await sql(bot, "DELETE FROM messages WHERE key = 'playbook'")
    walk.slack.fail("chat.postMessage", ratelimited=1, times=1)
    await walk.press_step("oncall", "logs", channel)
    assert not walk.calls("files.getUploadURLExternal")

    clock.forward(seconds=2)
    await bot.tick()
    await walk.slack.settled()
    shown = walk.slack.messages(channel, "oncall")
    threads = [reply for message in shown for reply in message.get("replies", [])]
    assert [file["name"] for thread in threads for file in thread.get("files", [])] == [
        "logs-1.txt"
    ]


async def test_taken_names_are_looked_up_once(walk: Walk) -> None:
    seen = len(walk.calls("conversations.list"))
    for suffix in ("", "-2", "-3"):
        walk.slack.add_channel(f"inc-1-orders-are-failing{suffix}")

    await walk.say("oncall", "/incident declare sev1 Orders are failing")

    assert "INC-1" in walk.text("inc-1-orders-are-failing-4")
    assert len(walk.calls("conversations.list")) == seen + 1


@pytest.fixture
def by_id(slack: Slack, team: Path) -> None:
    """The announcements channel, named in the team's file by its id."""
    channel_id = slack.channel("incidents").id
    team.write_text(f"{team.read_text()}channels: {{incidents: {channel_id}}}\n")


@pytest.mark.usefixtures("by_id")
async def test_no_search_for_channel_ids(slack: Slack, given: Settings, clock: Clock) -> None:
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        await Walk(slack, bot).declare()

    assert "Orders are failing" in str(slack.messages("incidents", "oncall"))
    assert not slack.called("conversations.list")


async def test_a_slow_group_delays_nothing(walk: Walk, bot: Bot) -> None:
    group = walk.slack.fail("usergroups.list", hang=True)

    await walk.slack.say("oncall", "/incident declare sev1 Orders are failing", "general")
    await walk.slack.wait_for(lambda: "Declared SEV-1 INC-1" in walk.text("general"))
    await walk.slack.wait_for(lambda: len(walk.calls("pins.add")) == 1)
    assert len(walk.calls("conversations.invite")) == 1

    group.heal()
    await bot.drain()
    assert len(walk.calls("conversations.invite")) == 2


async def test_a_long_channel_is_sent_in_parts(
    walk: Walk, bot: Bot, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "ITEMS_AT_ONCE", 4)
    channel = await walk.declare()
    notes = """
        INSERT INTO timeline (incident_id, at, kind, by, text, detail)
        SELECT 1, now(), 'noted', declared_by, 'note ' || number, '{}'
        FROM incidents, generate_series(1, 10) number
    """
    await sql(bot, notes)
    silent = walk.slack.fail("chat.postMessage", hang=True)
    request_publishing(bot.world, ID)
    await walk.slack.wait_for(lambda: silent.times == 0)

    # Of thousands, a full collection would stop everything for a tenth of a second.
    rendered = [item for item in gc.get_objects() if isinstance(item, Message)]
    assert len([item for item in rendered if item.key.startswith("entry:")]) == 4

    walk.slack.fail("chat.postMessage", status=503)
    silent.heal()
    await bot.drain()
    clock.forward(seconds=20)
    await bot.tick()
    shown = [line for post in walk.posts(channel) for line in post.lines if ": note " in line]
    assert shown == [f":memo: @oncall: note {number}" for number in range(1, 11)]
