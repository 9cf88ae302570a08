"""Several tasks of a list are ticked and dealt with in one press, and people are called once."""

from typing import Any

import pytest

from bot.views import action_ids
from tests.conftest import Bot, Clock, Walk
from tests.test_post_incident import POST_MORTEM, reminders, resolved
from tests.test_stuck_orders import NOW, all_orders, headings, mark, states, stuck, work_through

HANDLED = f":white_check_mark: Handled by @second, {NOW}"
TAKEN = f":raised_hand: Taken by @second, {NOW}"


async def listed(walk: Walk, channel: str, count: int) -> list[str]:
    """Put so many stuck orders on the list; returns what they are called."""
    await work_through(walk, channel, *range(count))
    return all_orders(walk, channel)


async def open_form(walk: Walk, channel: str, who: str = "second") -> list[str]:
    """Press *Several at once…*; returns the values of the boxes."""
    await walk.press(who, action_ids.TICK_SEVERAL, channel)
    return [box["value"] for box in boxes(walk, who)]


def boxes(walk: Walk, who: str = "second") -> list[dict[str, Any]]:
    """The boxes of the tasks in the form on top."""
    blocks = walk.slack.views(who)[-1]["blocks"]
    groups = [block for block in blocks if block.get("block_id", "").startswith("ticked")]
    return [option for group in groups for option in group["element"]["options"]]


async def test_several_are_handled_at_once(walk: Walk) -> None:
    channel = await stuck(walk)
    orders = await listed(walk, channel, 12)
    edits = len(walk.calls("chat.update"))

    values = await open_form(walk, channel)
    form = walk.form("second")
    assert form.text == (
        "Stuck orders: 12 of 12 are still open. Choose what to do, and tick the tasks: it is done "
        "for all of them at once."
    )
    assert list(form.fields) == ["verb", "everything", "ticked", "ticked:10", "note"]
    assert form.fields["verb"].value == "Handled"
    assert form.fields["everything"].options == ("All 12 that are open",)
    # The age, the amount and the user; below them the order.
    parts = [option["text"]["text"].split(" · ") for option in boxes(walk)]
    assert [f"{amount} · {user}" for _, amount, user in parts] == [
        order.rpartition(" · ")[0] for order in orders
    ]
    below = [option["description"]["text"] for option in boxes(walk)]
    assert below == [order.rpartition(" · ")[2] for order in orders]

    await walk.submit(
        "second", verb="done", note="Refunded", **{"ticked": values[:2], "ticked:10": values[11:]}
    )

    note = f"{HANDLED}: Refunded"
    assert headings(walk, channel) == ["Stuck orders · 3 of 12 handled"]
    assert states(walk, channel) == [note, note, *[""] * 9, note]
    assert len(walk.calls("chat.update")) == edits + 1
    by_hand = [f"@second did by hand: {orders[at]} (note: Refunded)" for at in (0, 1, 11)]
    assert (await walk.timeline(channel))[-3:] == by_hand


async def test_all_are_those_that_were_seen(walk: Walk) -> None:
    channel = await stuck(walk)
    await listed(walk, channel, 3)
    await mark(walk, "oncall", action_ids.TASK_DONE, channel)
    await open_form(walk, channel)
    await work_through(walk, channel, 3)  # a fourth one, which the form does not show

    await walk.submit("second", verb="done", everything=["everything"])

    handled = f":white_check_mark: Handled by @oncall, {NOW}"
    assert states(walk, channel) == [handled, HANDLED, HANDLED, ""]


async def test_people_are_called_once_and_asked_before(walk: Walk) -> None:
    channel = await stuck(walk)
    await walk.press("lead", action_ids.TAKE_COMMAND, channel)
    orders = await listed(walk, channel, 7)
    button = walk.slack.find_buttons(action_ids.TASK_ESCALATE, channel, "second")[0]
    assert button.element["confirm"]["title"]["text"] == "Call somebody now?"
    assert button.element["confirm"]["text"]["text"] == (
        "This notifies the incident commander now (the responders if that is you), who then decide "
        f"about: {orders[0]}"
    )
    before = len(walk.slack.notifications("lead"))

    await open_form(walk, channel)
    [*_, escalate] = walk.slack.views("second")[-1]["blocks"][1]["element"]["options"]
    assert escalate["text"]["text"] == "Escalate"
    assert escalate["description"]["text"] == "This notifies the incident commander at once."
    await walk.submit("second", verb="escalate", everything=["everything"])

    assert len(walk.slack.notifications("lead")) == before + 1
    named = "; ".join(orders[:5])
    assert walk.posts(channel)[-1].lines == (
        f":rotating_light: @lead @second escalated 7 tasks: {named}; and 2 more: decide what to do "
        "about them. They stay on the list until somebody marks them Handled.",
    )
    assert headings(walk, channel) == ["Stuck orders · 0 of 7 handled, 7 escalated"]


async def test_what_somebody_else_has_stays(walk: Walk) -> None:
    channel = await stuck(walk)
    orders = await listed(walk, channel, 3)
    values = await open_form(walk, channel)
    await open_form(walk, channel, "lead")
    await walk.submit("second", verb="take", ticked=values[:2])

    await walk.submit("lead", verb="take", everything=["everything"])
    assert states(walk, channel) == [TAKEN, TAKEN, f":raised_hand: Taken by @lead, {NOW}"]
    assert walk.answer("lead") == (
        "1 was changed. Somebody was faster with 2, and these stay as they are: "
        f"“{orders[0]}”, “{orders[1]}”."
    )

    await open_form(walk, channel)
    await open_form(walk, channel, "lead")
    await walk.submit("second", verb="done", everything=["everything"])
    await walk.submit("lead", verb="done", ticked=values[:2])
    assert states(walk, channel) == [f"{HANDLED}"] * 3
    assert walk.answer("lead") == (
        "Somebody else was faster with all of them. Nothing was changed; look at the list."
    )
    assert walk.slack.find_buttons(action_ids.TICK_SEVERAL, channel, "lead") == []


async def test_follow_ups_are_dealt_with_at_once(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await resolved(walk)
    values = await open_form(walk, channel, "lead")
    assert [box["text"]["text"] for box in boxes(walk, "lead")][1] == POST_MORTEM

    refused = await walk.submit_refused("lead", verb="skip")
    assert refused == {
        "ticked": "Tick at least one, or all of them.",
        "note": "Write why they are skipped.",
    }
    await walk.submit("lead", verb="skip", ticked=values[:4], note="It was an exercise")

    skipped = f":heavy_minus_sign: Skipped by @lead, {NOW}: It was an exercise"
    assert [task.state for task in walk.tasks(channel)] == [*[skipped] * 4, ""]
    clock.forward(hours=48.1)
    await bot.tick()
    assert reminders(walk, channel) == 0


@pytest.mark.parametrize("kind", ["guest", "stranger"])
async def test_outsiders_tick_nothing(walk: Walk, kind: str) -> None:
    channel = await resolved(walk)
    walk.slack.user("outsider").kind = kind  # type: ignore[assignment]
    walk.slack.join("second", channel)
    walk.slack.add_to(channel, "outsider")

    await walk.press("outsider", action_ids.TICK_SEVERAL, channel)

    assert walk.slack.views("outsider") == []
    assert "Nothing was done" in walk.answer("outsider")
