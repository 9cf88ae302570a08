"""Manual steps: taken, done, skipped and opened again, each once, with who and why."""

import asyncio
import re

import pytest

from bot.settings import Settings
from bot.views import action_ids
from sandbox.slack import Slack
from sandbox.slack.errors import Refusal
from sandbox.slack.model import User
from tests.conftest import Bot, Clock, Walk, message_text, start_bot

DISPUTES = "order-service/high-dispute-rate"
ONE_MANUAL_STEP = re.compile(r"      - id: alert-team\n.*?Slack\n", re.DOTALL)


async def disputes(walk: Walk) -> str:
    """An incident with the scenario that has most to do by hand."""
    channel = await walk.declare("Chargebacks", "sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, DISPUTES)
    return channel


def line(walk: Walk, channel: str, title: str) -> str:
    """A step of the playbook as people read it."""
    shown = walk.slack.messages(channel, "oncall")
    [playbook] = [
        message_text(message) for message in shown if f". {title}*" in message_text(message)
    ]
    return f"{title}{playbook.partition(f'. {title}*')[2].partition('*')[0]}"


async def choose(walk: Walk, who: str, channel: str, step: str, verb: str) -> None:
    """Choose something behind the three dots of a step."""
    menus = walk.slack.find_buttons(action_ids.TASK_MORE, channel, who)
    [menu] = [menu for menu in menus if menu.block_id == f"step:{step}"]
    values = [option["value"] for option in menu.element["options"]]
    [value] = [value for value in values if value.startswith(verb)]
    await walk.slack.press(who, menu, value=value)
    await walk.bot.drain()


async def take(walk: Walk, who: str, channel: str, step: str) -> None:
    """Press *Take* or *Take over*."""
    buttons = walk.slack.find_buttons(action_ids.TASK_TAKE, channel, who)
    [button] = [button for button in buttons if button.block_id == f"step:{step}"]
    await walk.slack.press(who, button)
    await walk.bot.drain()


async def timeline(walk: Walk, channel: str) -> str:
    """The timeline, as one person reads it."""
    walk.slack.join("lead", channel)
    await walk.say("lead", "/incident timeline", channel)
    return str(walk.slack.ephemerals(channel, "lead")[-1])


async def test_one_press_is_enough(walk: Walk) -> None:
    channel = await walk.declare()
    second = walk.slack.user("second").id

    await walk.press_step("second", "alert-team", channel)

    assert f"Done by <@{second}>" in line(walk, channel, "Alert team")
    assert walk.slack.views("second") == []
    assert "did by hand: Alert team" in await timeline(walk, channel)


async def test_the_link_of_a_step_is_one(walk: Walk) -> None:
    channel = await disputes(walk)

    assert "<https://dashboard.stripe.com/disputes|open>" in line(
        walk, channel, "Submit dispute evidence"
    )


async def test_who_takes_a_step_stands_on_its_line_until_somebody_else_does(
    walk: Walk, clock: Clock
) -> None:
    channel = await disputes(walk)
    oncall, second = (walk.slack.user(who).id for who in ("oncall", "second"))

    await take(walk, "oncall", channel, "dispute-evidence")
    words = line(walk, channel, "Submit dispute evidence")
    assert f"Taken by <@{oncall}>, <!date^{int(clock.time.timestamp())}" in words

    clock.forward(minutes=3)
    await take(walk, "second", channel, "dispute-evidence")
    words = line(walk, channel, "Submit dispute evidence")
    assert f"Taken by <@{second}>, <!date^{int(clock.time.timestamp())}" in words
    assert oncall not in words
    told = await timeline(walk, channel)
    assert "took: Submit dispute evidence" in told
    assert f"took: Submit dispute evidence (from <@{oncall}>)" in told


async def test_whose_it_is_already_is_told_so(walk: Walk) -> None:
    channel = await walk.declare()
    await take(walk, "second", channel, "alert-team")

    await take(walk, "second", channel, "alert-team")

    told = str(walk.slack.ephemerals(channel, "second")[-1])
    assert "“Alert team” is already yours. Nothing was changed; press Done once it is." in told
    assert (await timeline(walk, channel)).count("took: Alert team") == 1


async def test_of_two_who_take_it_at_once_one_has_it(walk: Walk) -> None:
    channel = await disputes(walk)
    [button] = [
        button
        for button in walk.slack.find_buttons(action_ids.TASK_TAKE, channel, "oncall")
        if button.block_id == "step:fraud-thresholds"
    ]

    await asyncio.gather(*(walk.slack.press(who, button) for who in ("oncall", "second")))
    await walk.bot.drain()

    words = line(walk, channel, "Review fraud thresholds")
    [owner] = [who for who in ("oncall", "second") if walk.slack.user(who).id in words]
    [other] = {"oncall", "second"} - {owner}
    told = walk.text(channel, other)
    assert f"<@{walk.slack.user(owner).id}> took “Review fraud thresholds” at" in told
    assert "press again to take it over" in told
    assert (await timeline(walk, channel)).count("took: Review") == 1


async def test_of_two_who_are_done_at_once_one_is_told_so(walk: Walk) -> None:
    channel = await walk.declare()
    button = walk.slack.find_buttons(action_ids.RUN_STEP, channel, "oncall")[0]
    assert button.value == "alert-team"

    await asyncio.gather(*(walk.slack.press(who, button) for who in ("oncall", "second")))
    await walk.bot.drain()

    told = [walk.slack.ephemerals(channel, who) for who in ("oncall", "second")]
    assert sorted(map(len, told)) == [0, 1]
    assert "already marked “Alert team” as done at" in str(told)
    assert (await timeline(walk, channel)).count("did by hand: Alert team") == 1


async def test_a_note_can_be_written_with_it(walk: Walk) -> None:
    channel = await walk.declare()

    await choose(walk, "oncall", channel, "alert-team", "note")
    await walk.submit("oncall", note="Paged <!channel> & the lead")

    assert "Paged &lt;!channel&gt; &amp; the lead" in line(walk, channel, "Alert team")
    assert "(note: Paged &lt;!channel&gt; &amp; the lead)" in await timeline(walk, channel)


async def test_what_is_skipped_says_why(walk: Walk) -> None:
    channel = await walk.declare()

    await choose(walk, "oncall", channel, "alert-team", "skip")
    with pytest.raises(Refusal):
        await walk.submit("oncall", note=" ")
    await walk.submit("oncall", note="Everybody is here already")

    words = line(walk, channel, "Alert team")
    assert "Skipped by" in words
    assert "Everybody is here already" in words
    told = await timeline(walk, channel)
    assert "skipped: Alert team (reason: Everybody is here already)" in told


async def test_a_wrong_press_can_be_taken_back(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "alert-team", channel)

    await walk.press("oncall", action_ids.TASK_REOPEN, channel)
    assert "Done by" not in line(walk, channel, "Alert team")
    await walk.press_step("second", "alert-team", channel)

    assert "Done by" in line(walk, channel, "Alert team")
    assert "reopened: Alert team" in await timeline(walk, channel)


async def test_a_long_note_is_whole_in_the_timeline_and_short_on_the_line(walk: Walk) -> None:
    channel = await walk.declare()
    note = "x" * 900 + " end"

    await choose(walk, "oncall", channel, "alert-team", "note")
    await walk.submit("oncall", note=note)

    assert note not in line(walk, channel, "Alert team")
    assert "x" * 100 in line(walk, channel, "Alert team")
    assert note in await timeline(walk, channel)


async def test_guests_may_not_do_it(walk: Walk) -> None:
    channel = await walk.declare()
    walk.slack.add_user(User("guest", "Guest", kind="guest"))
    walk.slack.add_to(channel, "guest")

    await walk.press_step("guest", "alert-team", channel)
    await take(walk, "guest", channel, "alert-team")

    assert "Done by" not in line(walk, channel, "Alert team")
    assert "Taken by" not in line(walk, channel, "Alert team")
    assert str(walk.slack.ephemerals(channel, "guest")).count("Guests may not do this") >= 2


async def test_steps_end_with_the_incident(walk: Walk) -> None:
    channel = await walk.declare()
    menus = walk.slack.find_buttons(action_ids.TASK_MORE, channel, "oncall")
    await choose(walk, "oncall", channel, "alert-team", "skip")
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="It is over")

    await walk.submit("oncall", note="Too late")

    assert menus
    assert "Skipped" not in line(walk, channel, "Alert team")
    assert "is resolved. Nothing was done" in walk.text(channel, "oncall")
    assert walk.slack.find_buttons(action_ids.RUN_STEP, channel, "oncall") == []


async def test_what_a_query_found_is_chosen_from(walk: Walk) -> None:
    channel = await disputes(walk)
    await walk.press_step("second", "review-orders", channel)

    await walk.press_step("oncall", "block-users", channel)
    form = walk.slack.views("oncall")[-1]
    [chosen] = [block for block in form["blocks"] if block.get("block_id") == "chosen"]
    options = chosen["element"]["options"]
    assert len(options) == 20
    titles = [option["text"]["text"] for option in options]
    assert all(re.search(r"^[0-9a-f-]{36} · \d+ orders · \d", title) for title in titles)
    await walk.submit("oncall", chosen=[options[0]["value"], options[3]["value"]], note="At Stripe")

    told = await timeline(walk, channel)
    users = [title[:36] for title in titles]
    assert [user in told for user in users[:5]] == [True, False, False, True, False]
    assert "did by hand: Block suspicious users (note: At Stripe" in told
    assert f": At Stripe · {users[0]}" in line(walk, channel, "Block suspicious users")


async def test_the_rows_are_those_that_the_form_showed(walk: Walk, bot: Bot) -> None:
    channel = await disputes(walk)
    await walk.press_step("second", "review-orders", channel)
    await walk.press_step("oncall", "block-users", channel)
    [chosen] = [block for block in walk.slack.views("oncall")[-1]["blocks"] if "element" in block][
        :1
    ]
    first = chosen["element"]["options"][0]
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO executions (incident_id, step_id, title, action, params, risk, state,"
            " requested_by, requested_at, read_result) SELECT incident_id, step_id, title, action,"
            " params, risk, state, requested_by, requested_at, jsonb_set(read_result,"
            " '{table,rows}', '[]') FROM executions WHERE step_id = 'review-orders'"
        )

    await walk.submit("oncall", chosen=[first["value"]])

    assert first["text"]["text"][:36] in await timeline(walk, channel)
    await walk.press("oncall", action_ids.TASK_REOPEN, channel)
    await walk.press_step("oncall", "block-users", channel)
    assert "found nothing to choose from" in str(walk.slack.views("oncall")[-1])


async def test_without_an_answer_there_is_only_a_note_to_write(walk: Walk) -> None:
    channel = await disputes(walk)

    await walk.press_step("oncall", "block-users", channel)
    blocks = walk.slack.views("oncall")[-1]["blocks"]
    assert [block["block_id"] for block in blocks if block["type"] == "input"] == ["note"]
    await walk.submit("oncall")

    assert "Done by" in line(walk, channel, "Block suspicious users")


async def test_a_restart_changes_nothing(slack: Slack, given: Settings, clock: Clock) -> None:
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        channel = await walk_through(Walk(slack, first))
    async with start_bot(given, clock) as second:
        slack.request_url = f"{second.url}/slack/events"
        walk = Walk(slack, second)
        await walk.press_step("second", "dispute-evidence", channel)

    words = line(walk, channel, "Submit dispute evidence")
    assert f"Done by <@{slack.user('second').id}>" in words


async def walk_through(walk: Walk) -> str:
    """Somebody takes a step."""
    channel = await disputes(walk)
    await take(walk, "oncall", channel, "dispute-evidence")
    return channel


async def test_a_playbook_too_long_for_rows_of_buttons_has_menus(
    given: Settings, slack: Slack, clock: Clock
) -> None:
    assert given.config is not None
    file = given.config.parent / "playbooks" / "order-service.yml"
    words = file.read_text(encoding="utf-8")
    [step] = ONE_MANUAL_STEP.findall(words)
    many = "".join(step.replace("alert-team", f"by-hand-{number}") for number in range(30))
    file.write_text(words.replace(step, step + many), encoding="utf-8")

    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await choose(walk, "oncall", channel, "by-hand-29", "take")
        await choose(walk, "oncall", channel, "by-hand-29", "done")

        assert slack.find_buttons(action_ids.TASK_TAKE, channel, "oncall") == []
        told = await timeline(walk, channel)
    assert "took: Alert team" in told
    assert "did by hand: Alert team" in told
