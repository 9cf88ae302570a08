"""What foreign text becomes: plain words that ping nobody."""

import pytest

from bot.views import action_ids
from commands.markup import plain_text
from tests.conftest import Walk


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("ask <@U123|maya> or <@W9>", "ask @maya or @W9"),
        ("ask <@U5>", "ask @Maya Okafor"),
        ("in <#C1|general>, <#C2>, <#C3|>", "in #general, #C2, #C3"),
        (
            "<!channel> <!here|here> <!subteam^S1|@oncall> <!subteam^S2>",
            "@channel @here @oncall @S2",
        ),
        ("<!date^1700000000^{time}|14 Nov>", "14 Nov"),
        ("<https://a.b/?x=1&amp;y=2>", "https://a.b/?x=1&y=2"),
        ("<https://a.b|the graph> <http://a.b|a.b>", "the graph (https://a.b) a.b"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("<b> <since> 03:00", "<b> <since> 03:00"),
        ("&lt;@U123|maya&gt;", "<@U123|maya>"),
    ],
)
def test_slack_markup_becomes_plain_text(written: str, words: str) -> None:
    assert plain_text(written, {"U5": "Maya Okafor"}) == words


async def test_pinned_message_is_shown_unchanged(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("second", "a < b & c, ask @lead in #general: https://a.b/?x=1&y=2", channel)
    ts = walk.slack.messages(channel, "second")[-1]["ts"]
    pings = len(walk.slack.notifications("lead"))

    await walk.slack.react("oncall", "pushpin", channel, ts)
    await walk.bot.drain()
    await walk.say("oncall", "/incident timeline", channel)

    # Escaped once, so that Slack shows what was written.
    seen = walk.text(channel, "oncall")
    assert "a &lt; b &amp; c, ask @Priya Raman in #general: https://a.b/?x=1&amp;y=2" in seen
    assert len(walk.slack.notifications("lead")) == pings


async def test_note_names_people_without_ping(walk: Walk) -> None:
    channel = await walk.declare()
    pings = len(walk.slack.notifications("lead"))

    await walk.say("second", "/incident note ask @lead & look at #general <!channel>", channel)

    seen = walk.text(channel)
    assert "ask @lead &amp; look at #general @channel" in seen
    assert len(walk.slack.notifications("lead")) == pings


async def test_title_names_people(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 R&D: @lead broke <checkout>")

    name = next(c["name"] for c in walk.slack.channels("oncall") if c["name"].startswith("inc-1"))
    found = walk.slack.channel(name)
    assert "U0A" not in name.upper()
    assert "@lead broke" in found.topic
    announced = walk.text("incidents")
    assert "@lead broke" in announced
    assert "&amp;amp;" not in announced
    assert "&amp;lt;" not in announced


async def test_form_is_filled_from_message(walk: Walk) -> None:
    await walk.say("second", "a & b <since> 03:00, ask @lead", "incidents")
    ts = walk.slack.messages("incidents", "oncall")[-1]["ts"]

    await walk.slack.shortcut("oncall", action_ids.DECLARE_FROM_MESSAGE, channel="incidents", ts=ts)
    await walk.bot.drain()

    fields = {block["block_id"]: block for block in walk.slack.views("oncall")[-1]["blocks"]}
    assert fields["title"]["element"]["initial_value"] == ("a & b <since> 03:00, ask @Priya Raman")


@pytest.mark.parametrize("slack_seconds", [1.0])
async def test_form_opens_without_names(walk: Walk) -> None:
    await walk.say("second", "ask @lead", "incidents")
    ts = walk.slack.messages("incidents", "oncall")[-1]["ts"]
    walk.slack.fail("users.info", hang=True, times=None)

    await walk.slack.shortcut("oncall", action_ids.DECLARE_FROM_MESSAGE, channel="incidents", ts=ts)
    await walk.bot.drain()

    assert walk.slack.views("oncall")


@pytest.mark.parametrize("words", ["role ic @second", "role commander @second"])
async def test_a_mention_puts_somebody_in_command(walk: Walk, words: str) -> None:
    channel = await walk.declare()

    await walk.say("oncall", f"/incident {words}", channel)

    second = walk.slack.user("second").id
    assert f"<@{second}> is the incident commander" in walk.text(channel)


@pytest.mark.parametrize("words", ["role ic @second @lead", "role ic Maya and @second", "role ic"])
async def test_commander_needs_exactly_one_mention(walk: Walk, words: str) -> None:
    channel = await walk.declare()

    await walk.say("oncall", f"/incident {words}", channel)

    assert "Nobody was assigned" in walk.text(channel, "oncall")


@pytest.mark.parametrize("between", ["\n", "\t", "  ", "\u00a0"])
async def test_any_space_ends_first_word(walk: Walk, between: str) -> None:
    channel = await walk.declare()

    await walk.say("second", f"/incident note{between}the queue\ngrows", channel)

    assert "the queue\ngrows" in walk.text(channel)
