"""The playbook of an incident is chosen, and chosen otherwise; nothing that was done gets lost."""

from pathlib import Path

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Walk

OUTAGE = "order-service/complete-service-outage"
PAYMENTS = "order-service/payment-refund-failures"
SLOW = "order-service/slow-response-times"
GATES = "tickets/gates"
OTHER = """
service: tickets
title: Ticket Service
severities:
  sev1: {meaning: Nobody gets in, response: 3 min}
  sev2: {meaning: Some do not get in, response: 7 min}
  sev3: {meaning: Queues at the door, response: 50 min}
  sev4: {meaning: Ugly tickets, response: 5 h}
scenarios:
  - id: gates
    title: Gates
    severity: sev2
    symptoms: [Gates stay shut]
    steps:
      - {id: alert-team, title: Call the gates, phase: immediate, action: manual}
      - id: pods
        title: History
        phase: immediate
        action: rollout-history
        params: {deployment: order-service}
"""


@pytest.fixture
def playbooks(playbooks: Path) -> Path:
    """The shipped playbook, and one of another service whose steps have the same ids."""
    (playbooks / "tickets.yml").write_text(OTHER, encoding="utf-8")
    return playbooks


async def choose(walk: Walk, channel: str, name: str, who: str = "oncall") -> None:
    """Say `/incident playbook`, and choose one."""
    await walk.say(who, "/incident playbook", channel)
    await walk.submit(who, scenario=name)


async def offered(walk: Walk, channel: str) -> list[str]:
    """What `/incident playbook` offers."""
    await walk.say("oncall", "/incident playbook", channel)
    [field] = [
        block for block in walk.slack.views("oncall")[-1]["blocks"] if block["type"] == "input"
    ]
    return [option["text"]["text"] for option in field["element"]["options"]]


async def test_a_worse_incident_gets_the_worse_playbook(walk: Walk) -> None:
    channel = await walk.declare("It is slow", "sev3")
    assert ":notebook: Slow Response Times" in walk.text(channel)
    assert "Roll back" not in walk.buttons(channel)

    await walk.say("second", "/incident severity sev1", channel)
    seen = walk.text(channel)
    assert "The playbook *Slow Response Times* is for SEV-3. With `/incident playbook`" in seen
    await choose(walk, channel, OUTAGE)

    seen = walk.text(channel)
    assert ":notebook: Complete Service Outage" in seen
    assert ":notebook: Slow Response Times" not in seen
    assert {"Pods", "Logs", "Roll back"} <= set(walk.buttons(channel))
    oncall = walk.slack.user("oncall").id
    assert f"<@{oncall}> chose the playbook *Complete Service Outage*" in seen
    await walk.say("second", "/incident timeline", channel)
    told = str(walk.slack.ephemerals(channel, "second")[-1])
    assert "chose the playbook Complete Service Outage" in told


async def test_those_for_the_severity_come_first(walk: Walk) -> None:
    channel = await walk.declare("It is slow", "sev3")
    await walk.say("second", "/incident severity sev2", channel)

    assert await offered(walk, channel) == [
        "SEV-2 · Payment/Refund Failures (order-service)",
        "SEV-2 · High Dispute Rate (order-service)",
        "SEV-2 · Gates (tickets)",
        "SEV-1 · Complete Service Outage (order-service)",
    ]


async def test_where_none_is_written_for_the_severity_nothing_is_hinted_at(walk: Walk) -> None:
    channel = await walk.declare("It is slow", "sev3")

    await walk.say("second", "/incident severity sev4", channel)  # none is written for it

    assert "/incident playbook" not in walk.text(channel)


async def test_what_was_not_yet_chosen_can_be_chosen_so_too(walk: Walk) -> None:
    channel = await walk.declare("Refunds hang", "sev2")

    await choose(walk, channel, OUTAGE)

    assert ":notebook: Complete Service Outage" in walk.text(channel)


async def test_of_two_who_choose_at_once_the_first_one_has_it(walk: Walk) -> None:
    channel = await walk.declare()
    for who in ("oncall", "second"):
        await walk.say(who, "/incident playbook", channel)

    await walk.submit("oncall", scenario=PAYMENTS)
    await walk.submit("second", scenario=SLOW)

    assert ":notebook: Payment/Refund Failures" in walk.text(channel)
    told = str(walk.slack.ephemerals(channel, "second"))
    assert "“Payment/Refund Failures” was already chosen. Nothing was changed." in told
    assert "use `/incident playbook`" in told


async def test_a_request_under_way_stays_usable(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare()
    await walk.press_step("oncall", "pods", channel)
    await walk.ask_for_rollback(channel)

    await choose(walk, channel, SLOW)

    seen = walk.text(channel)
    assert "Approve" in walk.buttons(channel)
    assert "details in the thread" not in seen  # the step is gone, its answer is in the thread
    assert "CrashLoopBackOff" in seen
    await walk.press("second", action_ids.APPROVE, channel)
    assert "Done and checked" in walk.text(channel)
    assert kube.image().endswith(":v2.3.1")

    await choose(walk, channel, OUTAGE)
    assert "details in the thread" in walk.text(channel)


async def test_a_step_of_before_is_refused_with_the_way_back(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)
    await choose(walk, channel, SLOW, who="second")

    await walk.submit("oncall", reason="It began with v2.4.0")

    told = str(walk.slack.ephemerals(channel, "oncall"))
    assert "If another playbook has it, choose that one with `/incident playbook`." in told


async def test_steps_of_the_same_name_are_not_taken_for_each_other(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "pods", channel)
    await walk.press_step("oncall", "alert-team", channel)
    assert "Done by" in walk.text(channel)
    assert "details in the thread" in walk.text(channel)

    await choose(walk, channel, GATES)

    assert "Call the gates" in walk.text(channel)
    assert "Done by" not in walk.text(channel)
    assert "details in the thread" not in walk.text(channel)
    await walk.press_step("second", "alert-team", channel)
    assert walk.text(channel).count("Done by") == 1
    await choose(walk, channel, OUTAGE)
    assert walk.text(channel).count("Done by") == 1


async def test_a_checklist_keeps_its_name(walk: Walk) -> None:
    channel = await walk.declare("Refunds hang", "sev2")
    await choose(walk, channel, PAYMENTS)
    await walk.press_step("oncall", "stuck-orders", channel)
    await walk.press("oncall", action_ids.WORK_THROUGH, channel)
    await walk.submit("oncall", chosen=["0", "1"])

    await choose(walk, channel, GATES)

    assert "*Stuck orders*" in walk.text(channel)
    [first, _] = walk.slack.find_buttons(action_ids.TASK_DONE, channel, "oncall")
    await walk.slack.press("oncall", first)
    await walk.bot.drain()
    await walk.say("oncall", "/incident resolve", channel)
    assert "*Stuck orders*: 1 of 2" in str(walk.slack.views("oncall")[-1])


async def test_after_the_end_nothing_is_chosen(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="It is over")

    await walk.say("oncall", "/incident playbook", channel)

    assert "is resolved. Nothing was done" in walk.text(channel, "oncall")


async def test_another_word_for_it_is_understood(walk: Walk) -> None:
    await walk.say("oncall", "/incident scenario")

    assert "Did you mean `/incident playbook`?" in walk.text("general", "oncall")
