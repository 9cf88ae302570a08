"""Declaring by what is seen: symptoms are ticked, severity and playbook follow or are overruled."""

from typing import Any

import pytest

from bot.model import Severity
from bot.rules.incidents import all_scenarios, best_matches, unambiguous
from bot.views import action_ids, modals
from tests.conftest import Walk
from tests.test_rules import BOOK

OUTAGE = "symptoms:0:order-service/complete-service-outage"
PAYMENT = "symptoms:0:order-service/payment-refund-failures"
DISPUTES = "symptoms:0:order-service/high-dispute-rate"
SLOW = "symptoms:0:order-service/slow-response-times"
NOTHING_TICKED = (
    ":mag: Tick what you see: the form then proposes the playbook that fits, and its severity. Or"
    " choose both at the end."
)
WHICH = (
    ":notebook: Which playbook fits? Choose one of those for SEV-2: its steps then appear here as"
    " buttons. For all playbooks: `/incident playbook`."
)


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


def proposal(walk: Walk) -> str:
    """What the form on top proposes."""
    return walk.form().text


def looks_like(title: str, severity: str, minutes: int, because: str = "") -> str:
    """The proposal of one playbook."""
    return (
        f":mag: This looks like {title}, {severity}{because}: first response within {minutes} min."
        " The incident is declared as that, unless you choose otherwise at the end."
    )


def declared(walk: Walk, channel: str) -> tuple[str, str, str]:
    """Severity and title of the incident, and its playbook."""
    shown = walk.card(channel)
    playbook = walk.posts(channel)[1].heading
    return shown["Severity"], shown["Title"], playbook


def channels(walk: Walk) -> list[str]:
    return [
        channel["name"]
        for channel in walk.slack.channels("oncall")
        if channel["name"].startswith("inc-")
    ]


async def test_words_alone_open_the_form(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing & <nobody> buys")

    assert walk.form().fields["title"].value == "Orders are failing & <nobody> buys"
    assert walk.calls("conversations.create") == []


@pytest.mark.parametrize("title", ["500 errors everywhere", "several orders hang", "sevenths"])
async def test_likenesses_of_severities_are_titles(walk: Walk, title: str) -> None:
    await walk.say("oncall", f"/incident declare {title}")

    assert walk.form().fields["title"].value == title


async def test_every_symptom_is_offered(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")

    offered = [
        (field.label, field.options)
        for name, field in walk.form().fields.items()
        if name.startswith("symptoms:")
    ]
    [book] = walk.bot.world.playbooks
    assert offered == [
        (f"{scenario.severity.label} · {scenario.title}", scenario.symptoms)
        for scenario in book.scenarios
    ]
    assert proposal(walk) == NOTHING_TICKED


async def test_one_severe_symptom_is_enough(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    await tick(walk, OUTAGE, "Health checks failing")
    await tick(walk, PAYMENT, "Stripe webhook errors", "Refunds not processing")
    because = " (a symptom of SEV-1 is ticked too)"
    assert proposal(walk) == looks_like("Payment/Refund Failures", "SEV-1", 15, because)

    await walk.submit("oncall")

    assert declared(walk, "inc-1-orders-are-failing") == (
        "SEV-1",
        "Orders are failing",
        ":notebook: Payment/Refund Failures",
    )


async def test_ticks_declare_what_fits(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    await tick(walk, OUTAGE, "No orders being processed", "Health checks failing")
    await tick(walk, SLOW, "Timeouts on some requests")
    assert proposal(walk) == looks_like("Complete Service Outage", "SEV-1", 15)

    await walk.submit("oncall")

    channel = "inc-1-orders-are-failing"
    assert declared(walk, channel) == (
        "SEV-1",
        "Orders are failing",
        ":notebook: Complete Service Outage",
    )
    assert walk.posts(channel)[1].lines[1:5] == (
        "Symptoms",
        ":ballot_box_with_check: Health checks failing",
        ":ballot_box_with_check: No orders being processed",
        "•  5xx errors on all endpoints",
    )
    assert await walk.timeline(channel) == [
        "@oncall declared SEV-1: Orders are failing (symptoms: No orders being processed; "
        "Health checks failing; Timeouts on some requests)"
    ]


async def test_the_proposal_stands_above_symptoms(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    await tick(walk, OUTAGE, "Health checks failing")

    kinds = [
        (block["type"], block["block_id"]) for block in walk.slack.views("oncall")[-1]["blocks"]
    ]
    assert kinds[0] == ("input", "title")
    assert kinds[1][0] == "section"
    assert kinds[2] == ("input", OUTAGE)


async def test_ticking_keeps_what_was_typed(walk: Walk) -> None:
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

    assert declared(walk, "inc-1-it-crawls") == (
        "SEV-3",
        "It crawls",
        ":notebook: Slow Response Times",
    )


async def test_the_playbook_gives_a_title(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    await tick(walk, SLOW, "Under-pressure alerts")
    await walk.submit("oncall")

    assert channels(walk) == ["inc-1-slow-response-times"]


async def test_of_ties_the_worst_is_declared(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Something burns")
    await tick(walk, SLOW, "Under-pressure alerts")
    await tick(walk, OUTAGE, "Health checks failing")

    assert proposal(walk).splitlines() == [
        ":mag: These fit equally well, the most severe first:",
        "•  SEV-1 Complete Service Outage",
        "•  SEV-3 Slow Response Times",
        "The incident is declared as SEV-1, unless you choose otherwise at the end.",
    ]
    await walk.submit("oncall")
    assert declared(walk, "inc-1-something-burns") == (
        "SEV-1",
        "Something burns",
        ":notebook: Complete Service Outage",
    )


async def test_people_decide_equal_ties(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Money")
    await tick(walk, PAYMENT, "Refunds not processing")
    await tick(walk, DISPUTES, "Fraud alerts from Stripe")
    await walk.submit("oncall")

    assert declared(walk, "inc-1-money") == ("SEV-2", "Money", WHICH)


@pytest.mark.parametrize(
    ("chosen", "severity", "playbook"),
    [
        ({"severity": "sev1"}, "SEV-1", "Slow Response Times"),
        ({"scenario": "order-service/high-dispute-rate"}, "SEV-2", "High Dispute Rate"),
        (
            {"severity": "sev4", "scenario": "order-service/high-dispute-rate"},
            "SEV-4",
            "High Dispute Rate",
        ),
    ],
)
async def test_people_overrule_the_proposal(
    walk: Walk, chosen: dict[str, str], severity: str, playbook: str
) -> None:
    await walk.say("oncall", "/incident declare It is bad")
    await tick(walk, SLOW, "Timeouts on some requests")

    await walk.submit("oncall", **chosen)

    assert declared(walk, "inc-1-it-is-bad") == (severity, "It is bad", f":notebook: {playbook}")


async def test_unticking_takes_the_proposal_back(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    await tick(walk, SLOW, "Under-pressure alerts")
    await tick(walk, SLOW)

    assert proposal(walk) == NOTHING_TICKED
    assert await walk.submit_refused("oncall") == {
        "severity": "Tick what you see above, or choose how bad it is."
    }


async def test_crossing_ticks_are_shown(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    walk.slack.fail("views.update", error="hash_conflict", times=1)
    await tick(walk, OUTAGE, "Health checks failing")

    assert proposal(walk) == looks_like("Complete Service Outage", "SEV-1", 15)


async def test_the_later_tick_wins(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    shown = looks_like("Complete Service Outage", "SEV-1", 15)
    slow = walk.slack.fail("views.update", hang=True, times=1)
    view = walk.slack.views("oncall")[-1]["id"]
    place = {"action_id": action_ids.TICK_SYMPTOM, "view_id": view}
    await walk.slack.press("oncall", **place, block_id=SLOW, value=["Under-pressure alerts"])
    await walk.slack.wait_for(lambda: slow.times == 0)
    await walk.slack.press("oncall", **place, block_id=SLOW, value=[])
    await walk.slack.press("oncall", **place, block_id=OUTAGE, value=["Health checks failing"])
    await walk.slack.wait_for(lambda: proposal(walk) == shown)

    slow.heal()
    await walk.bot.drain()

    assert proposal(walk) == looks_like("Complete Service Outage", "SEV-1", 15)


async def test_stale_forms_declare_the_ticked(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare Orders are failing")
    walk.slack.fail("views.update", error="internal_error", times=None)
    await tick(walk, OUTAGE, "Health checks failing")
    assert proposal(walk) == NOTHING_TICKED

    await walk.submit("oncall")

    assert declared(walk, "inc-1-orders-are-failing") == (
        "SEV-1",
        "Orders are failing",
        ":notebook: Complete Service Outage",
    )
    assert all(call.arguments["hash"] for call in walk.calls("views.update"))


async def test_messages_are_declared_by_symptoms(walk: Walk) -> None:
    await walk.say("second", "checkout answers 500", "incidents")
    ts = walk.slack.messages("incidents", "oncall")[-1]["ts"]
    await walk.slack.shortcut("oncall", action_ids.DECLARE_FROM_MESSAGE, channel="incidents", ts=ts)
    await walk.bot.drain()
    await tick(walk, OUTAGE, "5xx errors on all endpoints")
    await walk.submit("oncall")

    [found] = [shown for shown in walk.slack.channels("oncall") if shown["name"].startswith("inc-")]
    assert found["name"] == "inc-1-checkout-answers-500"
    assert "Where it began" in [mark["title"] for mark in found["bookmarks"]]


async def test_too_old_clicks_are_answered(walk: Walk) -> None:
    walk.slack.fail("views.open", error="expired_trigger_id", times=1)
    await walk.say("oncall", "/incident declare Orders are failing")

    assert walk.answer("oncall") == (
        "Slack did not open the form (expired_trigger_id), so nothing was done. Slack waits three "
        "seconds for a form, and they had passed: press again."
    )
    assert walk.slack.views("oncall") == []


async def test_typed_words_stay_typed(walk: Walk) -> None:
    channel = await walk.declare("R&amp;D &lt;b&gt; & <i>")

    assert walk.card(channel)["Title"] == "R&amp;D &lt;b&gt; & <i>"
    await walk.say("oncall", "/incident note a &amp; b", channel)
    assert walk.posts(channel)[-1].lines == (":memo: @oncall: a &amp; b",)


def test_many_symptoms_take_several_elements() -> None:
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


def test_matches_are_counted_per_playbook() -> None:
    first = all_scenarios([BOOK])[0]

    found = best_matches([BOOK], {first.name: ("a",), "gone/long-ago": ("a", "b")})

    assert found == (first,)
    assert unambiguous(found) == first
    assert best_matches([BOOK], {}) == ()
    assert unambiguous(()) is None
    assert first.scenario.severity is Severity.SEV1
