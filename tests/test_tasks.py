"""Manual steps: taken, done, skipped and opened again, each once, with who and why."""

import asyncio
import re

from bot.settings import Settings
from bot.views import action_ids
from sandbox.slack import Slack
from sandbox.slack.model import User
from tests.conftest import Bot, Clock, Walk, start_bot

AT_TEN = "2026-11-24 10:00 UTC"
DONE = ":white_check_mark: Done by"
TAKEN = ":raised_hand: Taken by"
DISPUTES = "order-service/high-dispute-rate"
ONE_MANUAL_STEP = re.compile(r"      - id: alert-team\n.*?Slack\n", re.DOTALL)


async def disputes(walk: Walk) -> str:
    """An incident with the scenario that has most to do by hand."""
    channel = await walk.declare("Chargebacks", "sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, DISPUTES)
    return channel


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


async def test_one_press_is_enough(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.press_step("second", "alert-team", channel)

    step = walk.step(channel, "alert-team")
    assert step.lines == ("… via PagerDuty/Slack", f"{DONE} @second, {AT_TEN}")
    assert step.buttons == ("Reopen",)
    assert walk.slack.views("second") == []
    assert (await walk.timeline(channel))[-1] == "@second did by hand: Alert team"


async def test_a_step_has_its_link(walk: Walk) -> None:
    channel = await disputes(walk)

    link = "[open the page](https://dashboard.stripe.com/disputes)"
    assert walk.step(channel, "dispute-evidence").lines[0].endswith(f" {link}")


async def test_a_taken_step_names_its_owner(walk: Walk, clock: Clock) -> None:
    channel = await disputes(walk)

    await take(walk, "oncall", channel, "dispute-evidence")
    step = walk.step(channel, "dispute-evidence")
    assert step.state == f"{TAKEN} @oncall, {AT_TEN}"
    assert step.buttons == ("Done", "Take over", "Done with a note…", "Skip…")

    clock.forward(minutes=3)
    await take(walk, "second", channel, "dispute-evidence")
    state = walk.step(channel, "dispute-evidence").state
    assert state == f"{TAKEN} @second, 2026-11-24 10:03 UTC"
    assert (await walk.timeline(channel))[-2:] == [
        "@oncall took: Submit dispute evidence",
        "@second took: Submit dispute evidence (from @oncall)",
    ]


async def test_an_owner_takes_it_once(walk: Walk) -> None:
    channel = await walk.declare()
    await take(walk, "second", channel, "alert-team")

    await take(walk, "second", channel, "alert-team")

    assert walk.answers("second", channel) == [
        "“Alert team” is already yours. Nothing was changed; press Done once it is."
    ]
    assert (await walk.timeline(channel)).count("@second took: Alert team") == 1


async def test_of_two_takers_one_owns(walk: Walk) -> None:
    channel = await disputes(walk)
    [button] = [
        button
        for button in walk.slack.find_buttons(action_ids.TASK_TAKE, channel, "oncall")
        if button.block_id == "step:fraud-thresholds"
    ]

    await asyncio.gather(*(walk.slack.press(who, button) for who in ("oncall", "second")))
    await walk.bot.drain()

    state = walk.step(channel, "fraud-thresholds").state
    [owner] = [who for who in ("oncall", "second") if state == f"{TAKEN} @{who}, {AT_TEN}"]
    [other] = {"oncall", "second"} - {owner}
    assert walk.answers(owner, channel) == []
    assert walk.answers(other, channel) == [
        f"@{owner} took “Review fraud thresholds” at 10:00:00 UTC. Nothing was changed; press "
        "again to take it over."
    ]
    assert (await walk.timeline(channel))[-1] == f"@{owner} took: Review fraud thresholds"


async def test_of_two_doers_one_is_told(walk: Walk) -> None:
    channel = await walk.declare()
    button = walk.slack.find_buttons(action_ids.RUN_STEP, channel, "oncall")[0]
    assert button.value == "alert-team"

    await asyncio.gather(*(walk.slack.press(who, button) for who in ("oncall", "second")))
    await walk.bot.drain()

    state = walk.step(channel, "alert-team").state
    [first] = [who for who in ("oncall", "second") if state == f"{DONE} @{who}, {AT_TEN}"]
    [other] = {"oncall", "second"} - {first}
    assert walk.answers(first, channel) == []
    assert walk.answers(other, channel) == [
        f"@{first} already marked “Alert team” as done at 10:00:00 UTC. Nothing was changed."
    ]
    assert (await walk.timeline(channel))[1:] == [f"@{first} did by hand: Alert team"]


async def test_a_note_stands_with_it(walk: Walk) -> None:
    channel = await walk.declare()

    await choose(walk, "oncall", channel, "alert-team", "note")
    await walk.submit("oncall", note="Paged <!channel> & the lead")

    note = "Paged <!channel> & the lead"
    assert walk.step(channel, "alert-team").state == f"{DONE} @oncall, {AT_TEN}: {note}"
    done = f"@oncall did by hand: Alert team (note: {note})"
    assert (await walk.timeline(channel))[-1] == done


async def test_a_skipped_step_says_why(walk: Walk) -> None:
    channel = await walk.declare()

    await choose(walk, "oncall", channel, "alert-team", "skip")
    assert list(await walk.submit_refused("oncall", note=" ")) == ["note"]
    await walk.submit("oncall", note="Everybody is here already")

    skipped = f":heavy_minus_sign: Skipped by @oncall, {AT_TEN}: Everybody is here already"
    assert walk.step(channel, "alert-team").state == skipped
    entry = "@oncall skipped: Alert team (reason: Everybody is here already)"
    assert (await walk.timeline(channel))[-1] == entry


async def test_a_done_step_is_not_skipped(walk: Walk) -> None:
    channel = await walk.declare()
    await choose(walk, "oncall", channel, "alert-team", "skip")
    await walk.press_step("second", "alert-team", channel)

    await walk.submit("oncall", note="Everybody is here already")

    assert walk.answer("oncall") == (
        "@second already marked “Alert team” as done at 10:00:00 UTC. Nothing was changed."
    )
    assert walk.step(channel, "alert-team").state == f"{DONE} @second, {AT_TEN}"


async def test_a_wrong_press_is_reopened(walk: Walk) -> None:
    channel = await walk.declare()
    before = walk.step(channel, "alert-team")
    await walk.press_step("oncall", "alert-team", channel)

    await walk.press("oncall", action_ids.TASK_REOPEN, channel)
    assert walk.step(channel, "alert-team") == before
    await walk.press_step("second", "alert-team", channel)

    assert walk.step(channel, "alert-team").state == f"{DONE} @second, {AT_TEN}"
    assert (await walk.timeline(channel))[1:] == [
        "@oncall did by hand: Alert team",
        "@oncall reopened: Alert team",
        "@second did by hand: Alert team",
    ]


async def test_what_is_open_is_not_reopened(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "alert-team", channel)
    reopen = walk.slack.find_button("Reopen", channel, "second")
    await walk.press("oncall", action_ids.TASK_REOPEN, channel)

    await walk.slack.press("second", reopen)
    await walk.bot.drain()

    assert walk.answer("second") == "“Alert team” is already open. Nothing was changed."


async def test_step_line_shortens_long_note(walk: Walk) -> None:
    channel = await walk.declare()
    note = "x" * 900 + " end"

    await choose(walk, "oncall", channel, "alert-team", "note")
    await walk.submit("oncall", note=note)

    state = walk.step(channel, "alert-team").state
    assert state == f"{DONE} @oncall, {AT_TEN}: {'x' * 149}…"
    assert (await walk.timeline(channel))[-1].endswith(f"(note: {note})")


async def test_guests_may_not_do_it(walk: Walk) -> None:
    channel = await walk.declare()
    before = walk.step(channel, "alert-team")
    walk.slack.add_user(User("guest", "Guest", kind="guest"))
    walk.slack.add_to(channel, "guest")

    await walk.press_step("guest", "alert-team", channel)
    await take(walk, "guest", channel, "alert-team")

    assert walk.step(channel, "alert-team") == before
    refusal = "Guests may not do this. Nothing was done; ask a full member."
    assert walk.answers("guest", channel) == [refusal] * 2


async def test_steps_end_with_the_incident(walk: Walk) -> None:
    channel = await walk.declare()
    before = walk.step(channel, "alert-team").lines
    await choose(walk, "oncall", channel, "alert-team", "skip")
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="It is over")

    await walk.submit("oncall", note="Too late")

    step = walk.step(channel, "Alert team")
    assert (step.lines, step.buttons) == (before, ())
    assert walk.answer("oncall").startswith("INC-1 is resolved. Nothing was done.")


def choices(walk: Walk) -> list[str]:
    """What the form on top offers to choose, with what stands below each."""
    blocks = walk.slack.views("oncall")[-1]["blocks"]
    [element] = [block["element"] for block in blocks if block.get("block_id") == "chosen"]
    parts = [(option["text"], option.get("description")) for option in element["options"]]
    return [" · ".join(part["text"] for part in both if part) for both in parts]


async def test_found_rows_are_chosen_from(walk: Walk) -> None:
    channel = await disputes(walk)
    await walk.press_step("second", "review-orders", channel)

    await walk.press_step("oncall", "block-users", channel)
    titles = choices(walk)
    assert len(titles) == 20
    # The amounts first, the id last.
    one = re.compile(r"\d+ orders · [\d,]+\.\d\d [A-Z]{3}.* · user [0-9a-f-]{36}")
    assert all(one.fullmatch(title) for title in titles)
    await walk.submit("oncall", chosen=["0", "3"], note="At Stripe")

    users = [title[-36:] for title in titles]
    entry = (await walk.timeline(channel))[-1]
    assert entry.startswith("@oncall did by hand: Block suspicious users (note: At Stripe")
    assert [user in entry for user in users[:5]] == [True, False, False, True, False]
    both = f"2 chosen: {titles[0]}; {titles[3]}"
    step = walk.step(channel, "block-users")
    assert step.lines == (f"{DONE} @oncall, {AT_TEN}: At Stripe · {both}",)


async def test_rows_are_those_of_the_form(walk: Walk, bot: Bot) -> None:
    channel = await disputes(walk)
    await walk.press_step("second", "review-orders", channel)
    await walk.press_step("oncall", "block-users", channel)
    first = choices(walk)[0]
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO executions (incident_id, step_id, title, action, params, risk, state,"
            " requested_by, requested_at, read_result) SELECT incident_id, step_id, title, action,"
            " params, risk, state, requested_by, requested_at, jsonb_set(read_result,"
            " '{table,rows}', '[]') FROM executions WHERE step_id = 'review-orders'"
        )

    await walk.submit("oncall", chosen=["0"])

    entry = (await walk.timeline(channel))[-1]
    assert entry.startswith(f"@oncall did by hand: Block suspicious users (note: 1 chosen: {first}")
    await walk.press("oncall", action_ids.TASK_REOPEN, channel)
    await walk.press_step("oncall", "block-users", channel)
    assert list(walk.form().fields) == ["note"]
    found_nothing = f"Review recent orders found nothing to choose from, {AT_TEN}."
    assert walk.form().text.splitlines()[1] == found_nothing


async def test_without_rows_there_is_a_note(walk: Walk) -> None:
    channel = await disputes(walk)

    await walk.press_step("oncall", "block-users", channel)
    assert list(walk.form().fields) == ["note"]
    await walk.submit("oncall")

    assert walk.step(channel, "block-users").state == f"{DONE} @oncall, {AT_TEN}"


async def test_a_restart_changes_nothing(slack: Slack, given: Settings, clock: Clock) -> None:
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        channel = await walk_through(Walk(slack, first))
    async with start_bot(given, clock) as second:
        slack.request_url = f"{second.url}/slack/events"
        walk = Walk(slack, second)
        await walk.press_step("second", "dispute-evidence", channel)

    state = walk.step(channel, "dispute-evidence").state
    assert state == f"{DONE} @second, {AT_TEN}"


async def walk_through(walk: Walk) -> str:
    """Somebody takes a step."""
    channel = await disputes(walk)
    await take(walk, "oncall", channel, "dispute-evidence")
    return channel


async def test_a_long_playbook_has_menus(given: Settings, slack: Slack, clock: Clock) -> None:
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
        told = await walk.timeline(channel)
    assert told[1:] == ["@oncall took: Alert team", "@oncall did by hand: Alert team"]
