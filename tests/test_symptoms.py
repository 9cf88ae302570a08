"""Declaring by what is seen: symptoms are ticked, severity and playbook follow or are overruled."""

from typing import Any

import pytest

from bot.model import Severity
from bot.rules.incidents import all_scenarios, best_matches, unambiguous
from bot.views import action_ids, modals
from sandbox.slack import Refusal
from tests.conftest import Walk, block_texts
from tests.test_rules import BOOK

OUTAGE = "symptoms:0:order-service/complete-service-outage"
PAYMENT = "symptoms:0:order-service/payment-refund-failures"
DISPUTES = "symptoms:0:order-service/high-dispute-rate"
SLOW = "symptoms:0:order-service/slow-response-times"


async def tick(walk: Walk, group: str, *symptoms: str, who: str = "oncall") -> None:
    """Tick these of one group, as they stand after the last click."""
    view = walk.slack.views(who)[-1]
    await walk.slack.press(
        who,
        action_id=action_ids.TICK_SYMPTOM,
        view_id=view["id"],
        block_id=group,
        value=list(symptoms),
    )
    await walk.bot.drain()


def form(walk: Walk, who: str = "oncall") -> str:
    """All that stands in the form on top."""
    return "\n".join(block_texts(walk.slack.views(who)[-1]["blocks"]))


def channels(walk: Walk) -> list[str]:
    return [
        channel["name"]
        for channel in walk.slack.channels("oncall")
        if channel["name"].startswith("inc-")
    ]


async def test_words_without_a_severity_open_the_form_with_them_filled_in(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing & <nobody> buys")

    view = walk.slack.views("oncall")[-1]
    title = next(block for block in view["blocks"] if block["block_id"] == "title")
    assert title["element"]["initial_value"] == "Orders are failing & <nobody> buys"
    assert walk.calls("conversations.create") == []


@pytest.mark.parametrize("title", ["500 errors everywhere", "several orders hang", "sevenths"])
async def test_what_only_begins_like_a_severity_is_a_title(walk: Walk, title: str) -> None:
    await walk.say("oncall", f"/incident declare {title}")

    assert len(walk.slack.views("oncall")) == 1


async def test_every_symptom_of_every_scenario_can_be_ticked(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")

    seen = form(walk)
    for book in walk.bot.world.playbooks:
        for scenario in book.scenarios:
            assert f"{scenario.severity.label} · {scenario.title}" in seen
            for symptom in scenario.symptoms:
                assert symptom in seen


async def test_one_symptom_of_something_worse_is_enough(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    await tick(walk, OUTAGE, "Health checks failing")
    await tick(walk, PAYMENT, "Stripe webhook errors", "Refunds not processing")
    seen = form(walk)
    assert "This looks like *Payment/Refund Failures*, *SEV-1* (a symptom of SEV-1 is" in seen

    await walk.submit("oncall")

    seen = walk.text("inc-1-orders-are-failing")
    assert "SEV-1 · INC-1 · Orders are failing" in seen
    assert "Payment/Refund Failures" in seen


async def test_ticks_and_one_click_declare_what_they_look_like(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    await tick(walk, OUTAGE, "No orders being processed", "Health checks failing")
    await tick(walk, SLOW, "Timeouts on some requests")
    assert "This looks like *Complete Service Outage*, *SEV-1*" in form(walk)

    await walk.submit("oncall")

    seen = walk.text("inc-1-orders-are-failing")
    assert "SEV-1 · INC-1 · Orders are failing" in seen
    assert "Complete Service Outage" in seen
    assert ":ballot_box_with_check: No orders being processed" in seen
    assert "•  5xx errors on all endpoints" in seen
    await walk.say("oncall", "/incident timeline", "inc-1-orders-are-failing")
    told = "symptoms: No orders being processed; Health checks failing; Timeouts on some requests"
    assert told in walk.text("inc-1-orders-are-failing")


async def test_what_it_looks_like_stands_above_the_symptoms(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    await tick(walk, OUTAGE, "Health checks failing")

    seen = form(walk)
    assert seen.index("What is wrong?") < seen.index("This looks like *Complete Service Outage*")
    assert seen.index("This looks like") < seen.index("No orders being processed")


async def test_what_was_typed_stays_while_symptoms_are_ticked(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    view = walk.slack.views("oncall")[-1]
    await walk.slack.press(
        "oncall",
        action_id=action_ids.TICK_SYMPTOM,
        view_id=view["id"],
        block_id=SLOW,
        value=["P95 latency > 1s"],
        values={"title": {"title": "It crawls"}},
    )
    await walk.bot.drain()

    await walk.submit("oncall")

    assert "SEV-3 · INC-1 · It crawls" in walk.text("inc-1-it-crawls")


async def test_without_a_title_the_playbook_gives_it(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    await tick(walk, SLOW, "Under-pressure alerts")
    await walk.submit("oncall")

    assert channels(walk) == ["inc-1-slow-response-times"]


async def test_ties_are_listed_worst_first_and_the_worst_is_declared(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Something burns")
    await tick(walk, SLOW, "Under-pressure alerts")
    await tick(walk, OUTAGE, "Health checks failing")

    seen = form(walk)
    listed = [line for line in seen.splitlines() if line.startswith("•")]
    assert listed == ["•  *SEV-1* Complete Service Outage", "•  *SEV-3* Slow Response Times"]
    await walk.submit("oncall")
    assert "SEV-1 · INC-1" in walk.text("inc-1-something-burns")


async def test_a_tie_of_two_equally_bad_is_left_to_people(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Money")
    await tick(walk, PAYMENT, "Refunds not processing")
    await tick(walk, DISPUTES, "Fraud alerts from Stripe")
    await walk.submit("oncall")

    seen = walk.text("inc-1-money")
    assert "SEV-2 · INC-1" in seen
    assert "Which playbook fits?" in seen


async def test_people_overrule_severity_and_playbook(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Slow, and worse")
    await tick(walk, SLOW, "Timeouts on some requests")
    await walk.submit("oncall", severity="sev1")
    seen = walk.text("inc-1-slow-and-worse")
    assert "SEV-1 · INC-1" in seen
    assert "Slow Response Times" in seen

    await walk.say("oncall", "/incident declare Fraud")
    await tick(walk, SLOW, "Timeouts on some requests")
    await walk.submit("oncall", scenario="order-service/high-dispute-rate")
    seen = walk.text("inc-2-fraud")
    assert "SEV-2 · INC-2" in seen
    assert "High Dispute Rate" in seen


async def test_unticking_takes_the_proposal_back(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    await tick(walk, SLOW, "Under-pressure alerts")
    await tick(walk, SLOW)

    assert "Tick what you see" in form(walk)
    with pytest.raises(Refusal) as refused:
        await walk.submit("oncall")
    assert list(refused.value.errors) == ["severity"]


async def test_a_tick_that_crosses_the_drawing_of_the_one_before_is_drawn(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    walk.slack.fail("views.update", error="hash_conflict", times=1)
    await tick(walk, OUTAGE, "Health checks failing")

    assert "This looks like *Complete Service Outage*" in form(walk)


async def test_of_two_ticks_at_once_the_later_has_the_last_word(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    slow = walk.slack.fail("views.update", hang=True, times=1)
    view = walk.slack.views("oncall")[-1]["id"]
    place = {"action_id": action_ids.TICK_SYMPTOM, "view_id": view}
    await walk.slack.press("oncall", **place, block_id=SLOW, value=["Under-pressure alerts"])
    await walk.slack.wait_for(lambda: slow.times == 0)
    await walk.slack.press("oncall", **place, block_id=SLOW, value=[])
    await walk.slack.press("oncall", **place, block_id=OUTAGE, value=["Health checks failing"])
    await walk.slack.wait_for(lambda: "This looks like *Complete Service Outage*" in form(walk))

    slow.heal()
    await walk.bot.drain()

    assert "This looks like *Complete Service Outage*" in form(walk)


async def test_a_form_that_is_never_drawn_anew_still_declares_what_is_ticked(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    walk.slack.fail("views.update", error="internal_error", times=None)
    await tick(walk, OUTAGE, "Health checks failing")
    assert "Tick what you see" in form(walk)

    await walk.submit("oncall")

    assert "SEV-1 · INC-1" in walk.text("inc-1-orders-are-failing")
    assert all(call.arguments["hash"] for call in walk.calls("views.update"))


async def test_the_form_from_a_message_asks_for_symptoms_too(walk: Walk) -> None:
    await walk.say("second", "checkout answers 500", "incidents")
    ts = walk.slack.messages("incidents", "oncall")[-1]["ts"]
    await walk.slack.shortcut("oncall", action_ids.DECLARE_FROM_MESSAGE, channel="incidents", ts=ts)
    await walk.bot.drain()
    await tick(walk, OUTAGE, "5xx errors on all endpoints")
    await walk.submit("oncall")

    name = channels(walk)[0]
    assert name == "inc-1-checkout-answers-500"
    found = next(channel for channel in walk.slack.channels("oncall") if channel["name"] == name)
    assert any("Where it began" in str(mark) for mark in found["bookmarks"])


async def test_a_too_old_click_opens_nothing_and_is_answered(walk: Walk) -> None:
    walk.slack.fail("views.open", error="expired_trigger_id", times=1)
    await walk.say("oncall", "/incident declare Orders are failing")

    assert "Slack did not open the form (expired_trigger_id)" in walk.text("general", "oncall")


async def test_what_is_typed_comes_out_as_typed(walk: Walk) -> None:
    channel = await walk.declare("R&amp;D &lt;b&gt; & <i>")

    assert "R&amp;D &lt;b&gt; & <i>" in walk.text(channel)
    await walk.say("oncall", "/incident note a &amp; b", channel)
    assert "a &amp;amp; b" in walk.text(channel)  # as Slack is told of a typed &amp;


def test_more_symptoms_than_one_element_takes_are_asked_in_several() -> None:
    many = tuple(f"Symptom {number}" for number in range(23))
    crowded = BOOK.scenarios[0].model_copy(update={"symptoms": many})
    book = BOOK.model_copy(update={"scenarios": (crowded,)})

    view: dict[str, Any] = modals.declare(all_scenarios([book]), metadata="")

    groups = [
        block for block in view["blocks"] if block.get("block_id", "").startswith("symptoms:")
    ]
    assert [len(group["element"]["options"]) for group in groups] == [10, 10, 3]
    assert len({group["block_id"] for group in groups}) == 3


def test_the_worst_is_asked_for_first() -> None:
    seen = [
        scenario.model_copy(update={"symptoms": (scenario.id,)})
        for scenario in reversed(BOOK.scenarios)
    ]
    book = BOOK.model_copy(update={"scenarios": tuple(seen)})

    view: dict[str, Any] = modals.declare(all_scenarios([book]), metadata="")

    groups = [
        block for block in view["blocks"] if block.get("block_id", "").startswith("symptoms:")
    ]
    labels = [group["label"]["text"] for group in groups]
    assert labels == ["SEV-1 · outage", "SEV-2 · disputes", "SEV-2 · refunds"]


def test_what_is_likely_is_counted_per_playbook() -> None:
    first = all_scenarios([BOOK])[0]

    found = best_matches([BOOK], {first.name: ("a",), "gone/long-ago": ("a", "b")})

    assert found == (first,)
    assert unambiguous(found) == first
    assert best_matches([BOOK], {}) == ()
    assert unambiguous(()) is None
    assert first.scenario.severity is Severity.SEV1
