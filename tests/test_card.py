"""The card tells the state at a glance, and proposes a status once after each check."""

import asyncio

import pytest

from bot import rules
from bot.model import EntryKind, Execution, ExecutionState, Status, Temporary
from bot.model.entries import Entry
from bot.views import action_ids
from tests.conftest import Bot, Clock, Walk
from tests.rollbacks import TO_V231, asked, broken
from tests.test_rules import NOW, incident
from tests.test_rules_changes import HOUR, PLAN, done
from tests.test_rules_incidents import entry
from tests.test_updates import update

__all__ = ["asked", "broken"]

PROPOSED = ":bulb: If users are well again, the next status is Monitoring."
NO_LOSS = "No capacity is lost: 3 pods are replaced; none stops before its successor is ready"
ANSWERED = (
    "This was answered already, or something else was changed since: INC-1 is identified. Nothing "
    "was changed."
)


def buttons(walk: Walk, channel: str) -> tuple[str, ...]:
    """What can be pressed on the card."""
    return walk.posts(channel)[0].buttons


async def test_a_card_tells_the_state(walk: Walk, asked: str, bot: Bot, clock: Clock) -> None:
    card = walk.card(asked)
    assert card["Impact"] == "not known yet: press Post update"
    until = "2026-11-24 10:10 UTC (2026-11-24 10:10 UTC)"
    assert card["Waits for approval"] == f"Roll back: {NO_LOSS} · @oncall, until {until}"
    assert not {"Last change", "Last update", "Proposed"} & set(card)

    clock.forward(minutes=2)
    await walk.press("second", action_ids.APPROVE, asked)
    clock.forward(minutes=1)
    long = f"Nobody can buy\n{'<x> ' * 90}"
    await update(walk, asked, impact=long, current="- It crash-loops\n\n- Rolled back")

    card = walk.card(asked)
    told = "as of 2026-11-24 10:03 UTC, @oncall"
    assert card["Impact"] == f"Nobody can buy {'<x> ' * 33}<x… · {told}"
    assert card["Last update"] == "It crash-loops · Rolled back · @oncall, 2026-11-24 10:03 UTC"
    how = "done and checked · @oncall, 2026-11-24 10:02 UTC"
    assert card["Last change"] == f":white_check_mark: Roll back · {how}"
    assert "Waits for approval" not in card
    assert walk.step(asked, "roll-back").state.endswith(" · @oncall, 2026-11-24 10:02 UTC")

    await walk.say("oncall", "/incident resolve", asked)
    await walk.submit("oncall", resolution="Rolled back")
    card = walk.card(asked)
    assert "Last update" not in card
    assert (card["What fixed it"], card["Duration"]) == ("Rolled back", "3 min")
    assert card["Impact"] == f"Nobody can buy {'<x> ' * 33}<x…"
    assert card["Last change"] == f":white_check_mark: Roll back · {how}"


async def test_the_next_status_is_proposed_once(walk: Walk, asked: str, bot: Bot) -> None:
    await update(walk, asked)
    assert "Set to Monitoring" not in buttons(walk, asked)
    messages = len(walk.posts(asked))
    await walk.press("second", action_ids.APPROVE, asked)
    assert walk.card(asked)["Proposed"] == PROPOSED
    assert buttons(walk, asked)[:2] == ("Set to Monitoring", "Not yet")

    await walk.press("second", action_ids.KEEP_STATUS, asked)
    await bot.tick()
    assert "Proposed" not in walk.card(asked)
    assert len(walk.posts(asked)) == messages
    kept = "@second kept the status identified, and did not change it to monitoring after: "
    assert (await walk.timeline(asked))[-1] == f"{kept}{TO_V231}"
    card = walk.posts(asked)[0].ts
    for late in (action_ids.KEEP_STATUS, action_ids.TAKE_STATUS):
        await walk.press("oncall", late, asked, "1:1", card)
        assert walk.answer("oncall") == ANSWERED

    # Another check that went well is another question.
    await walk.press_step("oncall", "rolling-restart", asked)
    await walk.submit("oncall", reason="To be sure")
    assert "Proposed" not in walk.card(asked)
    await walk.press("second", action_ids.APPROVE, asked)
    assert walk.card(asked)["Proposed"].startswith(":bulb: If users")
    messages = len(walk.posts(asked))
    await walk.press("oncall", action_ids.TAKE_STATUS, asked)
    assert len(walk.posts(asked)) == messages
    assert walk.card(asked)["Status"] == "Monitoring\nset by @oncall, 2026-11-24 10:00 UTC"
    assert "Proposed" not in walk.card(asked)
    assert (await walk.timeline(asked))[-1] == (
        "@oncall changed the status from identified to monitoring"
    )


async def test_two_answer_the_next_status_at_once(walk: Walk, asked: str, bot: Bot) -> None:
    await walk.press("second", action_ids.APPROVE, asked)
    [take] = walk.slack.find_buttons(action_ids.TAKE_STATUS, asked, "oncall")
    [keep] = walk.slack.find_buttons(action_ids.KEEP_STATUS, asked, "lead")

    await asyncio.gather(walk.slack.press("oncall", take), walk.slack.press("lead", keep))
    await bot.drain()
    await walk.slack.settled()

    card = walk.card(asked)
    assert "Proposed" not in card
    has_taken = card["Status"].startswith("Monitoring")
    late = walk.answer("lead" if has_taken else "oncall")
    assert late.startswith("This was answered already, or something else was changed since: INC-1")
    [told] = [entry for entry in await walk.timeline(asked) if " the status " in entry]
    assert told.startswith("@oncall changed" if has_taken else "@lead kept")


async def test_another_incident_changed_it_since(
    walk: Walk, asked: str, bot: Bot, clock: Clock
) -> None:
    """What was done and checked is there no more: no status is proposed for it."""
    await walk.press("second", action_ids.APPROVE, asked)
    take = walk.slack.find_buttons(action_ids.TAKE_STATUS, asked, "oncall")[0]
    clock.forward(minutes=2)
    other = await walk.declare("Checkout is down")
    await walk.press_step("oncall", "roll-back", other)
    await walk.submit("oncall", reason="Still slow", to_revision="5")
    await walk.press("second", action_ids.APPROVE, other)
    await bot.tick()

    card = walk.card(asked)
    assert card["Last change"].startswith(":white_check_mark: Roll back · done and checked")
    assert card["Changed since"] == (
        ":warning: by INC-2: Roll order-service back from revision 8 (image v2.3.1) to revision 5 "
        "(image v2.3.0) · done and checked, 2026-11-24 10:02 UTC"
    )
    assert "Proposed" not in card
    assert "Changed since" not in walk.card(other)
    await walk.slack.press("oncall", take)
    await bot.drain()
    assert card["Status"] == walk.card(asked)["Status"] == "Investigating"
    assert walk.card(other)["Proposed"] == PROPOSED


async def test_a_failed_check_leads_back(walk: Walk, asked: str, clock: Clock) -> None:
    await walk.press("second", action_ids.APPROVE, asked)
    await update(walk, asked, status="monitoring", impact="Buying works")
    clock.forward(minutes=2)
    messages = len(walk.posts(asked))
    await walk.press("second", action_ids.UNDO, asked)  # back to what crash-loops

    assert walk.card(asked)["Proposed"] == (
        ":bulb: If users are not well, set the status back to Investigating, or Post update."
    )
    assert buttons(walk, asked)[:2] == ("Set back to Investigating", "Keep Monitoring")
    told = "as of 2026-11-24 10:00 UTC, @oncall, before the last change ended"
    assert walk.card(asked)["Impact"] == f"Buying works · {told}"

    await walk.press("oncall", action_ids.TAKE_STATUS, asked)
    card = walk.card(asked)
    assert card["Status"] == "Investigating\nset by @oncall, 2026-11-24 10:02 UTC"
    assert "Proposed" not in card
    assert len(walk.posts(asked)) == messages + 1  # the undo's request
    assert (await walk.timeline(asked))[-1] == (
        "@oncall changed the status from monitoring to investigating"
    )


PAUSE = PLAN.model_copy(update={"temporary": Temporary(state="paused", lasts=HOUR)})
GOOD = done(3, finished_at=NOW)
FAILED = {"state": ExecutionState.FAILED, "check_passed": False}


@pytest.mark.parametrize(
    ("executions", "expected"),
    [
        ([GOOD], 3),
        ([GOOD, done(4, finished_at=NOW)], 4),
        ([GOOD, done(4, state=ExecutionState.DENIED, check_passed=None)], 3),
        ([GOOD, done(4, finished_at=NOW, action="customer-message")], 3),
        ([GOOD, done(4, finished_at=NOW, **FAILED)], None),
        ([GOOD, done(4, finished_at=NOW, undo_of=3)], None),
        (
            [
                GOOD,
                done(4, finished_at=NOW, undo_of=3, **FAILED),
                done(5, finished_at=NOW, undo_of=4),
            ],
            5,
        ),
        ([GOOD, done(4, state=ExecutionState.PROPOSED, check_passed=None)], None),
        ([GOOD, done(4, state=ExecutionState.INTERRUPTED, check_passed=None)], None),
        ([done(4, finished_at=NOW, plan=PAUSE)], None),
        ([done(3, finished_at=NOW, plan=PAUSE), done(4, finished_at=NOW, undo_of=3)], 4),
    ],
)
def test_what_proposes_a_status(executions: list[Execution], expected: int | None) -> None:
    entries = [_succeeded(each) for each in executions]

    proposed = rules.next_status.proposal(incident(), executions, entries)

    assert (proposed and proposed.execution.id) == expected


@pytest.mark.parametrize("status", [Status.MONITORING, Status.RESOLVED, Status("frozen")])
def test_what_needs_no_proposal(status: Status) -> None:
    assert rules.next_status.proposal(incident(status=status), [GOOD], [_succeeded(GOOD)]) is None


@pytest.mark.parametrize(
    ("status", "answers", "expected"),
    [
        (Status.MONITORING, (), Status.INVESTIGATING),
        (Status.IDENTIFIED, (), Status.INVESTIGATING),
        (Status.INVESTIGATING, (), None),
        (Status.RESOLVED, (), None),
        (Status.MONITORING, (EntryKind.STATUS_KEPT,), None),
        (Status.MONITORING, (EntryKind.UPDATED,), None),
        (Status.MONITORING, (EntryKind.NOTED,), Status.INVESTIGATING),
    ],
)
def test_what_leads_back(
    status: Status, answers: tuple[EntryKind, ...], expected: Status | None
) -> None:
    bad = done(4, finished_at=NOW, **FAILED)
    kept = {"status": "monitoring", "proposed": "investigating", "execution": 4}
    entries = [entry(4, EntryKind.FAILED, execution=4)]
    entries += [entry(5, kind, **kept) for kind in answers]

    proposed = rules.next_status.proposal(incident(status=status), [GOOD, bad], entries)

    assert (proposed and proposed.status) == expected


def _succeeded(execution: Execution) -> Entry:
    return entry(execution.id, EntryKind.SUCCEEDED, execution=execution.id)
