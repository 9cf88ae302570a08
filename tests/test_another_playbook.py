"""The playbook of an incident is chosen, and chosen otherwise; nothing that was done gets lost."""

from pathlib import Path

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Walk
from tests.readers import Item, Post
from tests.shop_playbooks import TICKETS_HEAD

OUTAGE = "order-service/complete-service-outage"
PAYMENTS = "order-service/payment-refund-failures"
SLOW = "order-service/slow-response-times"
GATES = "tickets/gates"
OTHER = f"""{TICKETS_HEAD}\
  - id: gates
    title: Gates
    severity: sev2
    symptoms: [Gates stay shut]
    steps:
      - {{id: alert-team, title: Call the gates, phase: immediate, action: manual}}
      - id: pods
        title: History
        phase: immediate
        action: rollout-history
        params: {{deployment: order-service}}
"""


@pytest.fixture
def playbooks(playbooks: Path) -> Path:
    """The shipped playbook, and one of another service whose steps have the same ids."""
    (playbooks / "tickets.yml").write_text(OTHER, encoding="utf-8")
    return playbooks


RAN_PODS = "Pods · @oncall, 2026-11-24 10:00 UTC"
READ = "@oncall, 2026-11-24 10:00 UTC · details in the thread"
DONE = ":white_check_mark: Done by {}, 2026-11-24 10:00 UTC"
CHOSEN = ":notebook: @oncall chose the playbook {}"


def playbook(walk: Walk, channel: str) -> Post:
    """The message of the playbook, which is the second of the channel."""
    return walk.posts(channel)[1]


async def choose(walk: Walk, channel: str, name: str, who: str = "oncall") -> None:
    """Say `/incident playbook`, and choose one."""
    await walk.say(who, "/incident playbook", channel)
    await walk.submit(who, scenario=name)


async def test_a_worse_incident_gets_another(walk: Walk) -> None:
    channel = await walk.declare("order-service: it is slow", "sev3")
    assert playbook(walk, channel).heading == ":notebook: Slow Response Times"
    assert playbook(walk, channel).buttons == (
        *("Pod resource usage", "Long queries", "Scale up", "Kill long queries"),
        "Find missing indexes",
    )

    await walk.say("second", "/incident severity sev1", channel)
    assert walk.posts(channel)[-1].lines == (
        ":vertical_traffic_light: @second changed the severity from SEV-3 to SEV-1",
        "The playbook Slow Response Times is for SEV-3. With `/incident playbook` you can choose "
        "one for SEV-1, or any other.",
    )
    await choose(walk, channel, OUTAGE)

    assert playbook(walk, channel).heading == ":notebook: Complete Service Outage"
    assert playbook(walk, channel).buttons == (
        *("Done", "Take", "Done with a note…", "Skip…"),
        *("Pods", "Logs", "Check dependencies", "Roll back", "Database connections"),
        *("Rolling restart", "Increase memory limit", "Delete pods"),
    )
    assert walk.posts(channel)[-1].heading == CHOSEN.format("Complete Service Outage")
    entry = "@oncall chose the playbook Complete Service Outage"
    assert (await walk.timeline(channel))[-1] == entry


async def test_fitting_playbooks_come_first(walk: Walk) -> None:
    channel = await walk.declare("order-service: it is slow", "sev3")
    await walk.say("second", "/incident severity sev2", channel)

    await walk.say("oncall", "/incident playbook", channel)
    assert walk.form().fields["scenario"].options == (
        "SEV-2 · Payment/Refund Failures (order-service)",
        "SEV-2 · High Dispute Rate (order-service)",
        "SEV-1 · Complete Service Outage (order-service)",
        "SEV-2 · Gates (tickets)",
    )


async def test_no_hint_without_playbooks(walk: Walk) -> None:
    channel = await walk.declare("order-service: it is slow", "sev3")

    await walk.say("second", "/incident severity sev4", channel)  # none is written for it

    assert walk.posts(channel)[-1].lines == (
        ":vertical_traffic_light: @second changed the severity from SEV-3 to SEV-4",
    )


async def test_a_first_choice_by_command(walk: Walk) -> None:
    channel = await walk.declare("Refunds hang", "sev2")

    await choose(walk, channel, OUTAGE)

    assert playbook(walk, channel).heading == ":notebook: Complete Service Outage"


async def test_the_first_choice_wins(walk: Walk) -> None:
    channel = await walk.declare("order-service: orders are failing")
    for who in ("oncall", "second"):
        await walk.say(who, "/incident playbook", channel)

    await walk.submit("oncall", scenario=PAYMENTS)
    await walk.submit("second", scenario=SLOW)

    assert playbook(walk, channel).heading == ":notebook: Payment/Refund Failures"
    assert walk.answers("second", channel) == [
        "“Payment/Refund Failures” was already chosen. Nothing was changed. To choose another one, "
        "use `/incident playbook`."
    ]


async def test_open_requests_stay_usable(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare("order-service: orders are failing")
    await walk.press_step("oncall", "pods", channel)
    await walk.ask_for_rollback(channel)

    await choose(walk, channel, SLOW)

    assert playbook(walk, channel).heading == ":notebook: Slow Response Times"
    assert [reply.heading for reply in playbook(walk, channel).thread] == [RAN_PODS]
    assert walk.execution(channel).buttons == ("Approve", "Deny…", "Withdraw…")
    await walk.press("second", action_ids.APPROVE, channel)
    assert walk.execution(channel).state == "Done and checked"
    assert kube.image().endswith(":v2.3.1")

    await choose(walk, channel, OUTAGE)
    assert walk.step(channel, "pods").state == READ


async def test_former_steps_are_refused(walk: Walk) -> None:
    channel = await walk.declare("order-service: orders are failing")
    await walk.press_step("oncall", "roll-back", channel)
    await choose(walk, channel, SLOW, who="second")

    await walk.submit("oncall", reason="It began with v2.4.0")

    assert walk.answers("oncall", channel) == [
        "This step is not in the incident's playbook. Nothing was done. If another playbook has "
        "it, choose that one with `/incident playbook`."
    ]
    assert walk.executions(channel) == []


async def test_steps_of_the_same_id(walk: Walk) -> None:
    channel = await walk.declare("order-service: orders are failing")
    await walk.press_step("oncall", "pods", channel)
    await walk.press_step("oncall", "alert-team", channel)
    assert walk.step(channel, "alert-team").state == DONE.format("@oncall")
    assert walk.step(channel, "pods").state == READ

    await choose(walk, channel, GATES)

    assert walk.step(channel, "alert-team") == Item(
        "Call the gates", (), ("Done", "Take", "Done with a note…", "Skip…")
    )
    assert walk.step(channel, "pods") == Item("History", (), ("History",))
    await walk.press_step("second", "alert-team", channel)
    assert walk.step(channel, "alert-team").state == DONE.format("@second")
    await choose(walk, channel, OUTAGE)
    assert walk.step(channel, "alert-team").state == DONE.format("@oncall")


async def test_a_checklist_keeps_its_name(walk: Walk) -> None:
    channel = await walk.declare("Refunds hang", "sev2")
    await choose(walk, channel, PAYMENTS)
    await walk.press_step("oncall", "stuck-orders", channel)
    await walk.press("oncall", action_ids.WORK_THROUGH, channel)
    await walk.submit("oncall", chosen=["0", "1"])

    await choose(walk, channel, GATES)

    assert playbook(walk, channel).heading == ":notebook: Gates"
    first = walk.slack.find_buttons(action_ids.TASK_DONE, channel, "oncall")[-2]
    await walk.slack.press("oncall", first)
    await walk.bot.drain()
    await walk.say("oncall", "/incident resolve", channel)
    assert walk.form().text.splitlines()[1:] == [
        ":ballot_box_with_check: Stuck orders: 1 of 2 on the list is still open. Resolving does "
        "not close it: you can still use the list afterwards."
    ]


async def test_after_the_end_nothing_is_chosen(walk: Walk) -> None:
    channel = await walk.declare("order-service: orders are failing")
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="It is over")

    await walk.say("oncall", "/incident playbook", channel)

    assert walk.answers("oncall", channel) == [
        "INC-1 is resolved. Nothing was done. If the problem is back, declare a new incident with "
        "`/incident declare`."
    ]
    assert walk.slack.views("oncall") == []


async def test_another_word_is_understood(walk: Walk) -> None:
    await walk.say("oncall", "/incident scenario")

    assert walk.answers("oncall", "general") == [
        "Unknown command “scenario”. Did you mean `/incident playbook`? Nothing was done. "
        "Commands: contacts, customer, declare, help, note, playbook, resolve, role, service, "
        "severity, status, timeline, update."
    ]
