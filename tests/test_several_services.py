"""One incident of two services: each keeps its own steps, people, approvers and namespace."""

import pytest

from bot import store
from bot.model import IncidentId
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import Bot, Walk
from tests.refusals import not_an_approver
from tests.two_services import both, declare, payments, playbooks, team

__all__ = ["payments", "playbooks", "team"]

DONE = ":white_check_mark: Done by {}, 2026-11-24 10:00 UTC"
ADDED = (
    ":heavy_plus_sign: @oncall took in Payment Service (payment-service): its responders are "
    "invited, and its playbook is above."
)


def playbook_titles(walk: Walk, channel: str) -> list[str]:
    """The first lines of the messages that are playbooks, or ask for one."""
    lines = [post.heading for post in walk.posts(channel)]
    return [line for line in lines if line.startswith(":notebook: ") and "chose" not in line]


def members(slack: Slack, channel: str) -> set[str]:
    """Who is in a channel, without the bot."""
    found = slack.workspace.channel(channel).members
    return {slack.workspace.users[user].handle for user in found} - {"runbolt"}


async def test_its_playbook_appears_beside(walk: Walk, payments: Cluster) -> None:
    channel = await both(walk)

    assert playbook_titles(walk, channel) == [
        ":notebook: Order Service · Complete Service Outage",
        ":notebook: Payment Service · Complete Service Outage",
    ]
    assert walk.posts(channel)[-1].heading == ADDED
    assert walk.card(channel)["Services"] == "order-service\npayment-service"
    assert " · order-service and payment-service · " in walk.posts("incidents")[0].text
    assert (await walk.timeline(channel))[-1] == "@oncall took in payment-service"


async def test_its_people_are_invited(walk: Walk, slack: Slack, payments: Cluster) -> None:
    channel = await both(walk)

    assert members(slack, channel) == {"oncall", "second", "payments-oncall"}


async def test_steps_of_both_have_one_id_each(walk: Walk, payments: Cluster) -> None:
    channel = await both(walk)

    await walk.press_step("oncall", "payment-service/pods", channel)
    await walk.press_step("payments-oncall", "payment-service/alert-team", channel)

    assert walk.step(channel, "payment-service/pods").verdict == ":white_check_mark: 2 of 2 ready"
    assert walk.step(channel, "payment-service/alert-team").state == DONE.format("@payments-oncall")
    assert walk.step(channel, "pods").verdict == "Check service status"
    assert "Done" in walk.step(channel, "alert-team").buttons
    own, further = [post for post in walk.posts(channel) if post.heading.startswith(":notebook: ")]
    assert (len(own.thread), len(further.thread)) == (0, 1)
    assert (await walk.timeline(channel))[-2:] == [
        "@oncall [payment-service] ran Pods: 2 of 2 ready",
        "@payments-oncall [payment-service] did by hand: Alert team",
    ]


async def test_a_change_needs_its_own_team(walk: Walk, kube: Cluster, payments: Cluster) -> None:
    channel = await both(walk)
    await walk.press_step("oncall", "payment-service/roll-back", channel)
    await walk.submit("oncall", reason="Cards are declined")
    await walk.press_step("oncall", "roll-back", channel)
    await walk.submit("oncall", reason="Orders fail")
    for who in ("payments-oncall", "second"):
        walk.slack.join(who, channel)
    theirs, ours = walk.executions(channel)
    assert (theirs.plan["Service"], ours.plan["Service"]) == ("payment-service", "order-service")
    assert theirs.plan["Target"] == "deployment/payment-service in namespace payments"
    assert "@payment-service-approvers" in theirs.outcome
    assert "@order-service-approvers" in ours.outcome
    numbers = {execution.title: execution for execution in (theirs, ours)}
    assert len(numbers) == 1  # only the service tells them apart

    await walk.press("second", action_ids.APPROVE, channel, "1")
    assert walk.answer("second") == not_an_approver(
        "approved", "payments-oncall", "payments-lead", service="payment-service"
    )
    await walk.press("payments-oncall", action_ids.APPROVE, channel, "2")
    assert walk.answer("payments-oncall") == not_an_approver("approved", "second", "lead")
    assert [each.state for each in walk.executions(channel)] == ["Needs 1 more approval"] * 2

    await walk.press("payments-oncall", action_ids.APPROVE, channel, "1")
    assert [each.state for each in walk.executions(channel)] == [
        "Done and checked",
        "Needs 1 more approval",
    ]
    assert payments.image("payment-service").endswith(":v1.17.3")
    assert kube.image().endswith(":v2.3.1")


async def test_several_playbooks_are_chosen_from(walk: Walk, payments: Cluster) -> None:
    channel = await both(walk, "sev2")
    assert playbook_titles(walk, channel)[1].startswith(
        ":notebook: Which playbook of Payment Service fits? Choose one of those for SEV-2"
    )

    await walk.press(
        "payments-oncall", action_ids.CHOOSE_SCENARIO, channel, "payment-service/high-dispute-rate"
    )

    assert playbook_titles(walk, channel) == [
        ":notebook: Order Service · Complete Service Outage",
        ":notebook: Payment Service · High Dispute Rate",
    ]
    assert walk.posts(channel)[-1].heading == (
        ":notebook: @payments-oncall chose the playbook High Dispute Rate of Payment Service"
    )


async def test_another_playbook_of_a_further_service(walk: Walk, payments: Cluster) -> None:
    channel = await both(walk)

    await walk.say("oncall", "/incident playbook", channel)
    assert not [each for each in walk.form().fields["scenario"].options if "Outage" in each]
    await walk.submit("oncall", scenario="payment-service/slow-response-times")

    assert playbook_titles(walk, channel) == [
        ":notebook: Order Service · Complete Service Outage",
        ":notebook: Payment Service · Slow Response Times",
    ]


async def test_rows_are_chosen_from_its_own_query(walk: Walk, payments: Cluster) -> None:
    channel = await both(walk, "sev2")
    name = "payment-service/high-dispute-rate"
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, name)
    await walk.press_step("oncall", "payment-service/review-orders", channel)

    await walk.press_step("oncall", "payment-service/block-users", channel)

    assert walk.form().fields["chosen"].options != ()


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("add payment-service", "INC-1 already has payment-service. Nothing was changed."),
        ("Order Service", "INC-1 already has order-service. Nothing was changed."),
        (
            "add paymant-service",
            "“paymant-service” is no service. Did you mean `payment-service`? Nothing was done.",
        ),
        ("add moon", "“moon” is no service. Nothing was done."),
        (
            "remove payment-service",
            "A service that an incident took in stays: its people were called, and what was done "
            "to it belongs to the incident. Nothing was changed. If it is well, say so with "
            "`/incident note`.",
        ),
    ],
)
async def test_what_is_not_added(walk: Walk, payments: Cluster, typed: str, answer: str) -> None:
    channel = await both(walk)

    await walk.say("oncall", f"/incident service {typed}", channel)

    assert walk.answer("oncall") == answer
    assert len(playbook_titles(walk, channel)) == 2


async def test_what_it_has_and_may_have(walk: Walk) -> None:
    channel = await declare(walk)

    await walk.say("oncall", "/incident service", channel)

    assert walk.private_post("oncall", channel).lines == (
        "Services of INC-1",
        "•  Order Service (`order-service`) · Complete Service Outage",
        "Add another with `/incident service add payment-service`: its playbook appears in the "
        "channel, and its responders are invited. There are: `payment-service`.",
    )
    await walk.press("oncall", action_ids.ADD_SERVICE, channel, "payment-service")
    assert walk.card(channel)["Services"] == "order-service\npayment-service"


async def test_after_the_end_nothing_is_added(walk: Walk) -> None:
    channel = await declare(walk)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="It is over")

    await walk.say("oncall", "/incident service payment-service", channel)

    assert walk.answer("oncall").startswith("INC-1 is resolved. Nothing was done.")


async def test_the_first_one_is_its_own(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 It times out")
    channel = "inc-1-it-times-out"

    await walk.say("oncall", "/incident service add payment-service", channel)

    assert walk.card(channel)["Small print"].startswith("payment-service · SEV-1")
    assert "Services" not in walk.card(channel)


async def test_both_ask_for_follow_ups_once(walk: Walk, payments: Cluster) -> None:
    channel = await both(walk)
    await walk.say("payments-oncall", "/incident resolve", channel)
    await walk.submit("payments-oncall", resolution="Rolled back")

    titles = [task.title for task in walk.tasks(channel)]
    assert len(titles) == len(set(titles)) == 5


async def test_it_is_an_open_incident_of_each(walk: Walk, bot: Bot, payments: Cluster) -> None:
    await both(walk)

    async with bot.world.pool.connection() as conn:
        found = {
            service: [
                incident.id
                for incident in await store.incidents.list_open(conn, 9, services=(service,))
            ]
            for service in ("order-service", "payment-service", "search")
        }
    mine = [IncidentId(1)]
    assert found == {"order-service": mine, "payment-service": mine, "search": []}
