"""What is over is nowhere told as if it still were."""

from tests.conftest import Bot, Clock, Walk
from tests.test_course import said
from tests.test_timeline_and_resolve import resolve

RESOLVED = "Not answered: the incident was resolved 2026-11-24 10:26 UTC."


def commanders(walk: Walk, channel: str) -> list[str]:
    """What was said when somebody took command."""
    return [line for line in said(walk, channel) if line.startswith(":firefighter:")]


async def test_what_was_true_once(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    await bot.tick()
    asked, due = [post for post in walk.posts(channel) if post.heading.startswith(":bell:")]
    assert "Nobody has taken command of INC-1. The first response was due" in asked.heading
    late = "first response was due 2026-11-24 10:15 UTC"
    assert walk.card(channel)["Small print"].split(" · ")[-1] == late
    await walk.say("second", f"/incident role ic <@{walk.slack.user('second').id}>", channel)
    assert "first response" not in walk.card(channel)["Small print"]
    await walk.say("oncall", f"/incident role ic <@{walk.slack.user('oncall').id}>", channel)
    await walk.submit("oncall")
    await walk.say("oncall", "/incident severity sev2", channel)
    await walk.slack.open_home("oncall")
    await bot.drain()
    assert "With `/incident playbook` you can choose one for SEV-2" in walk.text(channel)
    assert commanders(walk, channel) == [
        ":firefighter: @second took command",
        ":firefighter: @oncall is the incident commander",
    ]
    asked, due = [post for post in walk.posts(channel) if post.heading.startswith(":bell:")]
    assert asked.lines[0].endswith(
        "@oncall The first response to INC-1 was due 2026-11-24 10:15 UTC."
    )
    assert asked.lines[1:] == ("Answered 2026-11-24 10:16 UTC.",)
    assert "As of 2026-11-24 10:16 UTC. Open this page again" in walk.read(
        str(walk.slack.home("oncall"))
    )

    clock.forward(minutes=10)
    await resolve(walk, channel, "It healed by itself")

    asked, due = [post for post in walk.posts(channel) if post.heading.startswith(":bell:")]
    assert asked.lines[1:] == ("Answered 2026-11-24 10:16 UTC.",)
    assert due.lines[1:] == (RESOLVED,)
    assert commanders(walk, channel)[1] == ":firefighter: @oncall took command"
    assert "/incident playbook" not in walk.text(channel)


async def test_no_playbook_fits_any_more(walk: Walk) -> None:
    channel = await walk.declare("Refunds hang", "sev2")
    assert walk.posts(channel)[1].heading.startswith(":notebook: Which playbook fits?")

    await resolve(walk, channel, "They go through")

    assert walk.posts(channel)[1].heading == ":notebook: No playbook was chosen."
