"""Whatever is said or pressed, wherever: a sentence that says what to do, never silence."""

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import Bot, Walk
from tests.raw_payloads import broken, send_changed
from tests.rollbacks import WAITS

__all__ = ["broken"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "What you can type"),
        ("help", "What you can type"),
        ("HELP", "What you can type"),
        ("deklare sev1", "Unknown command “deklare”. Did you mean `/incident declare`?"),
        (
            "declare sev9 It burns",
            "“sev9” isn't a severity: use sev1 (the worst) to sev4. Nothing was declared.",
        ),
        ("declare sev12", "“sev12” isn't a severity: use sev1 (the worst) to sev4."),
        ("role", "The role is missing: the only role is ic. Nobody was assigned."),
        ("role ic", "The person is missing. Nobody was assigned."),
        ("role ic Maya", "“Maya” is not a person in this workspace. Nobody was assigned."),
        ("role ic @oncall @second", "is not a person in this workspace. Nobody was assigned."),
        (
            "role ic @order-service-responders",
            "is not a person in this workspace. Nobody was assigned.",
        ),
        ("role scribe @oncall", "“scribe” isn't a role: the only role is ic."),
        ("severity high", "“high” isn't a severity: use sev1 to sev4. Nothing was changed."),
        ("severity", "Critical - Service down, data loss"),
        ("status fine", "“fine” isn't a status: use investigating, identified or monitoring."),
        ("status", "The status is missing: use investigating, identified or monitoring."),
        ("close", "Did you mean `/incident resolve`?"),
        ("sev sev2", "Did you mean `/incident severity`?"),
        ("sev1 Orders are failing", "Did you mean `/incident declare sev1 Orders are failing`?"),
        ("SEV-2: Refunds <hang>", "Did you mean `/incident declare sev2 Refunds &lt;hang&gt;`?"),
        ("sev 2", "or, in an incident's channel, `/incident severity sev2`?"),
        ("sev9 It burns", "Unknown command “sev9”."),
        ("tiemline", "Did you mean `/incident timeline`?"),
        ("status resolved", "not an incident's channel"),
        ("update", "not an incident's channel"),
        ("resolve", "not an incident's channel"),
        ("timeline", "not an incident's channel"),
        ("note", "The note is empty. Nothing was added."),
        ("note x", "not an incident's channel"),
        ("x" * 5000, f"Unknown command “{'x' * 40}”."),
        ("<!channel>", "Unknown command “@channel”."),
    ],
)
async def test_every_command_is_answered(walk: Walk, words: str, sentence: str) -> None:
    await walk.say("oncall", f"/incident {words}".strip())

    assert sentence in walk.text("general", "oncall")
    assert sentence not in walk.text("general", "second")


async def test_command_outside_incident_channel_is_answered(walk: Walk) -> None:
    await walk.say("oncall", "/incident note x", "random")

    assert "not an incident's channel" in walk.text("random", "oncall")


async def test_outside_incident_open_ones_are_linked(walk: Walk) -> None:
    await walk.say("oncall", "/incident note x", "random")
    assert "Use the incident's own channel, or declare one" in walk.text("random", "oncall")
    for number in range(6):
        await walk.declare(f"Shop {number} is down", "sev2")
    channel = await walk.declare("All shops are down", "sev1")
    channel_id = next(
        candidate["id"]
        for candidate in walk.slack.channels("oncall")
        if candidate["name"] == channel
    )

    await walk.say("oncall", "/incident update", "random")

    seen = walk.text("random", "oncall")
    assert f"own channel (open: INC-7 in <#{channel_id}>, INC-1 in <#C" in seen
    assert "INC-4 in <#C" in seen
    assert "INC-5" not in seen
    assert " and 2 more), or declare one with `/incident declare`." in seen


@pytest.mark.parametrize("words", ["update", "resolve", "severity sev2", "playbook", "customer"])
async def test_after_end_next_step_is_told(walk: Walk, words: str) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="It is over")

    await walk.say("oncall", f"/incident {words}", channel)

    told = (
        "INC-1 is resolved. Nothing was done. If the problem is back, declare a new incident with"
    )
    assert told in walk.text(channel, "oncall")


@pytest.mark.parametrize(
    "title",
    [
        "🔥 checkout 🔥",
        "الطلبات تفشل",
        "a" * 5000,
        "<b>&\"'</b> <!here>",
        "line\nline",
        "*_~`",
        "a\0b",
    ],
)
async def test_any_title_is_declared(walk: Walk, title: str) -> None:
    await walk.say("oncall", f"/incident declare sev1 {title}")

    names = [channel["name"] for channel in walk.slack.channels("oncall")]
    channel = next(name for name in names if name.startswith("inc-1-"))
    assert "INC-1" in walk.text(channel)
    assert walk.slack.notifications("lead") == []


async def test_mention_is_answered_with_help(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("oncall", f"<@{walk.slack.bot_user}> hello?", channel)

    assert "What you can type" in walk.text(channel, "oncall")


async def test_help_lists_what_is_open(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("second", "/incident")

    seen = walk.text("general", "second")
    assert "Open incidents" in seen
    assert "Orders are failing" in seen
    assert channel.startswith("inc-1")


async def test_click_after_end_is_answered(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    click = await walk.press("second", action_ids.TAKE_COMMAND, channel)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="over")
    async with bot.world.pool.connection() as conn:
        await conn.execute("DELETE FROM deliveries")  # or the repeated click would be dropped

    await walk.slack.redeliver(click)
    await bot.drain()

    assert "is resolved. Nothing was done" in walk.text(channel, "second")


async def test_bug_is_answered_with_reference(
    walk: Walk, broken: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """A button has a number that the bot wrote: another value is a bug, or a forgery."""
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    sent = await walk.press("oncall", action_ids.APPROVE, channel)

    async def press(value: str) -> None:
        action = {**sent.payload["actions"][0], "value": value}
        await send_changed(walk, sent, actions=[action], trigger_id=f"1.{value}")

    await press("99999999999999999999")
    assert walk.answer("oncall") == "This request no longer exists. Nothing was done."
    await press("x")

    assert "Something went wrong in the bot" in walk.text(channel, "oncall")
    reference = walk.text(channel, "oncall").rsplit("log: ", 1)[1][:8]
    assert reference in caplog.text
    assert walk.execution(channel).state == WAITS


async def test_an_expired_trigger_is_answered(slack: Slack, walk: Walk) -> None:
    slack.fail("views.open", error="expired_trigger_id", times=1)

    await walk.say("oncall", "/incident declare")

    assert "Slack did not open the form" in walk.text("general", "oncall")


async def test_home_tab_lists_open_incidents(walk: Walk) -> None:
    await walk.declare()

    await walk.slack.open_home("oncall")
    await walk.bot.drain()

    home = str(walk.slack.home("oncall"))
    assert "Orders are failing" in home
    assert "nobody in command · Investigating · <#" in home
