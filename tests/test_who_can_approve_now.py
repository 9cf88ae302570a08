"""A request names who can approve it now; if nobody else is on call, the policy decides."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot import rules
from bot.model import AloneChoice, Availability, Duty, UserError
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.pagerduty import PagerDuty, Shift
from sandbox.slack import Slack, User
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.rollbacks import DONE, WAITS, broken, patches
from tests.test_on_call_approvers import NO_APPROVER, given, on_call, pager, replace_in, shift, team
from tests.test_policy import add_line, stored
from tests.test_rules import request

__all__ = ["broken", "given", "on_call", "pager", "team"]

GROUP = "order-service-approvers"
POLICY = "{escalation_policy: PPAY}"
UNTIL = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
ANYONE = f"anyone of @{GROUP}"
NOW = ":busts_in_silhouette: Can approve now: "
CALLED = (
    ":mega: Nobody else is on call, so the next level was asked: its people can approve this "
    "request."
)
ALONE = (
    ":hourglass: Nobody else is on call, so this waits until somebody named above answers: call "
    "them by phone."
)


async def ask(walk: Walk) -> str:
    """The channel of an incident in which a rollback waits."""
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    return channel


def replies(walk: Walk, channel: str) -> list[str]:
    """What is said in the request's thread."""
    return [reply.text for reply in walk.execution(channel).thread]


async def test_who_is_on_call_is_named_first(walk: Walk, pager: PagerDuty, broken: Cluster) -> None:
    pager.shifts = [shift("outsider", end=UNTIL.isoformat()), shift("oncall")]

    channel = await ask(walk)

    assert walk.execution(channel).notes == (
        f"{NOW}@outsider (on call for Order Service, primary until 2026-11-24 18:00 UTC), or "
        f"{ANYONE}",
    )
    assert replies(walk, channel) == [
        ":telephone_receiver: @outsider You are on call, so you can approve this. Look at it above."
    ]
    outsider = walk.slack.user("outsider").id
    assert outsider in walk.slack.workspace.channel(channel).members
    assert f"<@{outsider}>" in walk.slack.notifications("outsider")[-1]["text"]


async def test_who_cannot_act_is_not_named(walk: Walk, pager: PagerDuty, broken: Cluster) -> None:
    pager.shifts = [shift("outsider"), shift("second")]
    walk.slack.user("outsider").deactivated = True
    walk.slack.set_group(GROUP, "oncall")

    channel = await ask(walk)

    [named, gap] = walk.execution(channel).notes
    assert named == f"{NOW}@second (on call for Order Service, primary)"
    assert gap == (
        ":warning: Slack knows nobody by the e-mail address of Outsider, who is on call: add it "
        "under `people` in RUNBOLT_CONFIG."
    )


async def test_a_silent_pagerduty_is_said(walk: Walk, pager: PagerDuty, broken: Cluster) -> None:
    pager.status = 503

    channel = await ask(walk)

    assert walk.execution(channel).notes == (
        f"{NOW}{ANYONE}",
        ":warning: PagerDuty failed with status 503, so only the written list counts now. Try "
        "again in a minute.",
    )
    assert replies(walk, channel) == []


async def test_the_reminder_looks_again(
    walk: Walk, bot: Bot, pager: PagerDuty, clock: Clock, broken: Cluster
) -> None:
    channel = await ask(walk)
    pager.shifts = [shift("lead")]
    clock.forward(minutes=5.1)

    await bot.tick()

    assert walk.execution(channel).notes == (
        f"{NOW}@lead (on call for Order Service, primary), or {ANYONE}",
    )
    assert replies(walk, channel)[-1].startswith(f":bell: @{GROUP} @lead Half of its time is over")


async def test_many_people_fit_into_a_message(
    walk: Walk, pager: PagerDuty, broken: Cluster
) -> None:
    for number in range(30):
        walk.slack.add_user(User(f"person{number}", f"Person {number}"))
    pager.shifts = [shift(f"person{number}") for number in range(30)]

    channel = await ask(walk)

    line = walk.execution(channel).notes[0]
    assert line.count("on call for") == 5
    assert line.endswith(f" and 3 more, or {ANYONE}")  # eight were looked up


@pytest.mark.parametrize("on_call", [POLICY])
async def test_alone_on_call_waits(walk: Walk, pager: PagerDuty, broken: Cluster) -> None:
    pager.shifts = [shift("oncall"), shift("outsider", level=2)]

    channel = await ask(walk)

    assert walk.execution(channel).notes == (f"{NOW}{ANYONE}", ALONE)
    walk.slack.join("outsider", channel)
    await walk.press("outsider", action_ids.APPROVE, channel)
    assert walk.answer("outsider") == NO_APPROVER


@pytest.fixture
def escalating(team: Path) -> None:
    add_line(team, "policy: {when_alone: {destructive: next_level}}")


@pytest.mark.usefixtures("escalating")
@pytest.mark.parametrize("on_call", [POLICY])
class TestNextLevel:
    """A policy whose next level is asked when nobody else is on call."""

    async def test_it_is_called_and_approves(
        self, walk: Walk, bot: Bot, pager: PagerDuty, broken: Cluster
    ) -> None:
        pager.shifts = [
            shift("oncall"),
            Shift("Gone", policy="PPAY", level=2, email="gone@x.example", user="PGONE"),
            shift("outsider", level=3),
        ]

        channel = await ask(walk)

        assert walk.execution(channel).notes == (
            f"{NOW}@outsider (on call for Order Service), or {ANYONE}",
            CALLED,
        )
        assert replies(walk, channel) == [
            ":telephone_receiver: @outsider Nobody else is on call, so you are asked: you can "
            "approve this. Look at it above."
        ]
        assert walk.slack.user("outsider").id in walk.slack.workspace.channel(channel).members
        assert (await stored(bot)).called == (Duty(escalation_policy="PPAY", levels=3),)
        assert [entry for entry in await walk.timeline(channel) if "next level" in entry] == [
            "the clock asked the next level, since nobody else is on call: Roll order-service back "
            "from revision 7 (image v2.4.0) to revision 6 (image v2.3.1) (@outsider, on call for "
            "Order Service)"
        ]
        await walk.press("outsider", action_ids.APPROVE, channel)
        assert walk.execution(channel).state == DONE

    async def test_it_is_read_again_at_the_click(
        self, walk: Walk, pager: PagerDuty, broken: Cluster
    ) -> None:
        pager.shifts = [shift("oncall"), shift("outsider", level=2)]
        channel = await ask(walk)
        pager.shifts = [shift("oncall"), shift("lead", level=2)]

        await walk.press("outsider", action_ids.APPROVE, channel)

        assert walk.answer("outsider") == NO_APPROVER
        assert patches(broken) == 0

    async def test_it_counts_for_this_request_alone(
        self, walk: Walk, pager: PagerDuty, broken: Cluster
    ) -> None:
        pager.shifts = [shift("oncall"), shift("outsider", level=2)]
        channel = await ask(walk)
        await walk.press("second", action_ids.DENY, channel)
        await walk.submit("second", reason="Not yet")
        pager.shifts = [shift("second"), shift("outsider", level=2)]
        await walk.ask_for_rollback(channel)

        await walk.press("outsider", action_ids.APPROVE, channel)

        assert walk.answer("outsider") == NO_APPROVER
        assert walk.execution(channel).state == WAITS

    async def test_nobody_is_called_in_company(
        self, walk: Walk, bot: Bot, pager: PagerDuty, broken: Cluster
    ) -> None:
        pager.shifts = [shift("oncall"), shift("second"), shift("outsider", level=2)]

        channel = await ask(walk)

        assert (await stored(bot)).called == ()
        assert len(walk.execution(channel).notes) == 1

    async def test_a_silent_pagerduty_calls_nobody(
        self, walk: Walk, bot: Bot, pager: PagerDuty, broken: Cluster
    ) -> None:
        pager.status = 500

        await ask(walk)

        assert (await stored(bot)).called == ()

    async def test_no_further_level_is_said(
        self, walk: Walk, pager: PagerDuty, broken: Cluster
    ) -> None:
        pager.shifts = [shift("oncall")]

        channel = await ask(walk)

        assert walk.execution(channel).notes[-1] == (
            ":mega: Nobody else is on call, and no further level of the escalation policy has "
            "somebody who can approve."
        )

    async def test_the_call_lasts_to_the_reminder(
        self, walk: Walk, bot: Bot, pager: PagerDuty, clock: Clock, broken: Cluster
    ) -> None:
        pager.shifts = [shift("oncall"), shift("outsider", level=2)]
        channel = await ask(walk)
        clock.forward(minutes=5.1)

        await bot.tick()

        assert walk.execution(channel).notes[1] == CALLED
        called = [entry for entry in await walk.timeline(channel) if "next level" in entry]
        assert len(called) == 1
        assert "@outsider Half of its time" in replies(walk, channel)[-1]


@pytest.mark.parametrize(
    ("on_call", "choice", "told"),
    [
        ("{schedule: PA}", "next_level", "names no escalation_policy, so there is no next level"),
        (POLICY, "break_glass", "break_glass, but policy.break_glass is off"),
        (POLICY, "sleep", "expects"),
    ],
)
async def test_what_cannot_happen_starts_nothing(
    given: Settings, clock: Clock, team: Path, choice: str, told: str
) -> None:
    line = add_line(team, f"policy: {{when_alone: {{change: {choice}}}}}")

    with pytest.raises(UserError) as refused:
        async with start_bot(given, clock):
            pass

    assert f"runbolt.yml:{line}:23: policy.when_alone.change: " in str(refused.value)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("alone", "early"),
    [(None, False), *((choice, choice is AloneChoice.BREAK_GLASS) for choice in AloneChoice)],
)
def test_the_glass_may_be_broken_early(alone: AloneChoice | None, *, early: bool) -> None:
    seen = Availability(at=UNTIL, alone=alone)

    execution = request().model_copy(update={"available": seen})

    assert rules.availability.may_break_glass_early(execution) is early
    assert not rules.availability.may_break_glass_early(request())


async def test_a_list_of_people_names_them(
    slack: Slack, given: Settings, clock: Clock, team: Path, broken: Cluster
) -> None:
    users = [slack.user(who).id for who in ("oncall", "lead", "outsider")]
    replace_in(team, "groups: [order-service-approvers]", f"users: [{', '.join(users)}]")
    slack.user("lead").deactivated = True
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await ask(walk)

        assert walk.execution(channel).notes == (
            f"{NOW}@outsider (on call for Order Service, primary)",
        )
