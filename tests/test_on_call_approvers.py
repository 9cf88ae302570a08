"""Approvers by what they are on call for: read at the click, and only as far as it is known."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.model import Approval, UserError
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.pagerduty import PagerDuty, Shift
from sandbox.redis import free_port
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.refusals import not_an_approver
from tests.rollbacks import DONE, WAITS, broken, patches
from tests.test_policy import add_line, stored

__all__ = ["broken"]

NO_APPROVER = not_an_approver("approved", "second", "lead")
ONLY_WRITTEN = "so only the written list counts now."
SCHEDULE = "{schedule: PNIGHT}"
TWO_LEVELS = "{escalation_policy: PPAY, levels: 2}"


def shift(who: str, **where: str | int) -> Shift:
    """A shift of somebody whom Slack knows by the same address."""
    place = {"schedule": "PNIGHT", "policy": "PPAY", "user": f"P{who.upper()}", **where}
    return Shift(who.capitalize(), email=f"{who}@tickettoken.example", **place)  # type: ignore[arg-type]


@pytest.fixture
async def pager() -> AsyncIterator[PagerDuty]:
    """At night: outsider is on call, behind them somebody whom Slack knows by another address."""
    shifts = [shift("outsider"), shift("stranger", level=2, schedule="PSECOND")]
    async with PagerDuty(shifts=shifts) as simulated:
        yield simulated


@pytest.fixture
def on_call() -> str:
    """What the team names."""
    return SCHEDULE


@pytest.fixture
def team(team: Path, on_call: str) -> Path:
    """A team whose list has a group, and whoever is on call."""
    replace_in(
        team, "[order-service-approvers]}", f"[order-service-approvers], on_call: [{on_call}]}}"
    )
    return team


def replace_in(team: Path, old: str, new: str) -> None:
    """Let the team decide something else."""
    team.write_text(team.read_text().replace(old, new))


def team_lines(team: Path, until: str) -> list[str]:
    """The lines of the team's file up to the one that begins so."""
    lines = team.read_text().splitlines()
    [last] = [number for number, line in enumerate(lines) if line.startswith(until)]
    return lines[: last + 1]


@pytest.fixture
def given(given: Settings, pager: PagerDuty) -> Settings:
    told = {"pagerduty_token": pager.token, "pagerduty_api_url": pager.url}
    return given.model_copy(update=told)


@pytest.fixture
async def asked(walk: Walk, broken: Cluster) -> str:
    """The channel of an incident in which a rollback waits; outsider reads along."""
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    walk.slack.join("outsider", channel)
    return channel


async def test_who_is_on_call_approves(
    walk: Walk, bot: Bot, asked: str, broken: Cluster, clock: Clock
) -> None:
    await walk.press("outsider", action_ids.APPROVE, asked)

    request = await stored(bot)
    assert walk.execution(asked).state == DONE
    assert patches(broken) == 1
    assert request.approvals == (
        Approval(
            by=request.approvals[0].by,
            at=clock.time,
            plan_digest=request.plan_digest or "",
            group="Order Service, primary",
        ),
    )


async def test_a_shift_that_ended_approves_nothing(
    walk: Walk, pager: PagerDuty, asked: str, broken: Cluster
) -> None:
    pager.shifts = [shift("lead")]

    await walk.press("outsider", action_ids.APPROVE, asked)

    assert walk.answer("outsider") == NO_APPROVER
    assert walk.execution(asked).state == WAITS
    assert patches(broken) == 0


async def test_the_asker_on_call_is_refused(walk: Walk, pager: PagerDuty, asked: str) -> None:
    pager.shifts = [shift("oncall")]

    await walk.press("oncall", action_ids.APPROVE, asked)

    assert walk.answer("oncall").startswith("You requested this yourself")


async def test_a_guest_on_call_is_refused(walk: Walk, asked: str) -> None:
    walk.slack.user("outsider").kind = "guest"

    await walk.press("outsider", action_ids.APPROVE, asked)

    assert walk.answer("outsider") == "Guests may not do this. Nothing was done; ask a full member."
    assert walk.execution(asked).state == WAITS


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (401, f"refuses the token, {ONLY_WRITTEN} Renew PAGERDUTY_TOKEN: a read-only key"),
        (
            404,
            f"does not know the schedule or the escalation policy it was asked for, {ONLY_WRITTEN}",
        ),
        (429, f"limits the bot's requests at the moment, {ONLY_WRITTEN} Try again in 17 s."),
        (503, f"failed with status 503, {ONLY_WRITTEN}"),
    ],
)
async def test_a_refusal_leaves_the_written_list(
    walk: Walk, pager: PagerDuty, asked: str, status: int, problem: str
) -> None:
    pager.status = status

    await walk.press("outsider", action_ids.APPROVE, asked)
    assert walk.answer("outsider").startswith(f"{NO_APPROVER} PagerDuty {problem}")
    assert walk.execution(asked).state == WAITS

    await walk.press("second", action_ids.APPROVE, asked)
    assert walk.execution(asked).state == DONE


@pytest.mark.parametrize("body", ["<html>Sign in</html>", "{}", '{"oncalls": [{"user": 1}]}'])
async def test_nonsense_makes_nobody_an_approver(
    walk: Walk, pager: PagerDuty, asked: str, body: str
) -> None:
    pager.body = body

    await walk.press("outsider", action_ids.APPROVE, asked)

    told = f"PagerDuty answered with something other than its API's JSON, {ONLY_WRITTEN}"
    assert told in walk.answer("outsider")
    assert walk.execution(asked).state == WAITS


async def test_what_was_not_asked_for_is_no_right(walk: Walk, pager: PagerDuty, asked: str) -> None:
    """A proxy that drops the parameters would have everybody on call approve."""
    pager.shifts = [shift("lead"), shift("outsider", schedule="POTHER")]
    pager.ignores_filters = True

    await walk.press("outsider", action_ids.APPROVE, asked)

    assert walk.answer("outsider") == NO_APPROVER


async def test_a_silent_pagerduty_costs_two_seconds(
    walk: Walk, pager: PagerDuty, asked: str
) -> None:
    pager.hang = True
    begun = asyncio.get_running_loop().time()

    await walk.press("outsider", action_ids.APPROVE, asked)

    assert asyncio.get_running_loop().time() - begun < 5
    assert walk.answer("outsider") == (
        f"{NO_APPROVER} PagerDuty did not answer within 2 s, {ONLY_WRITTEN} Try again."
    )


async def test_an_unreachable_pagerduty_is_said(
    walk: Walk, bot: Bot, asked: str, given: Settings, clock: Clock
) -> None:
    nobody = given.model_copy(update={"pagerduty_api_url": f"http://127.0.0.1:{free_port()}"})
    async with start_bot(nobody, clock) as other:
        walk.slack.request_url = f"{other.url}/slack/events"
        await Walk(walk.slack, other).press("outsider", action_ids.APPROVE, asked)

    assert f"PagerDuty cannot be reached, {ONLY_WRITTEN}" in walk.answer("outsider")


async def test_who_has_another_address_is_named(walk: Walk, pager: PagerDuty, asked: str) -> None:
    pager.shifts = [Shift("Jonas Weber", email="jonas@home.example", schedule="PNIGHT")]

    await walk.press("outsider", action_ids.APPROVE, asked)

    assert walk.answer("outsider") == (
        f"{NO_APPROVER} Slack knows nobody by the e-mail address of Jonas Weber, who is on call: "
        "add it under people in RUNBOLT_CONFIG."
    )


async def test_the_team_says_who_it_is(
    walk: Walk, asked: str, pager: PagerDuty, given: Settings, clock: Clock, team: Path
) -> None:
    user = walk.slack.user("outsider").id
    add_line(team, f"people: {{Jonas@Home.example: {user}}}")
    pager.shifts = [Shift("Jonas Weber", email="jonas@HOME.example", schedule="PNIGHT")]
    async with start_bot(given, clock) as other:
        walk.slack.request_url = f"{other.url}/slack/events"
        later = Walk(walk.slack, other)
        await later.press("outsider", action_ids.APPROVE, asked)
        assert later.execution(asked).state == DONE


async def test_a_missing_scope_is_named(walk: Walk, asked: str) -> None:
    walk.slack.revoke("users:read.email")

    await walk.press("outsider", action_ids.APPROVE, asked)

    assert walk.answer("outsider") == (
        f"{NO_APPROVER} Slack did not say who is on call (missing_scope), {ONLY_WRITTEN} The app "
        "of SLACK_BOT_TOKEN lacks the scope users:read.email: add what app-manifest.yml has, under "
        "OAuth & Permissions, and install the app again."
    )


@pytest.mark.parametrize("on_call", [TWO_LEVELS])
@pytest.mark.parametrize(("level", "may"), [(1, True), (2, True), (3, False)])
async def test_the_first_levels_of_a_policy(
    walk: Walk, pager: PagerDuty, asked: str, level: int, *, may: bool
) -> None:
    pager.shifts = [shift("lead"), shift("outsider", level=level, schedule="PTHIRD")]

    await walk.press("outsider", action_ids.APPROVE, asked)

    assert (walk.execution(asked).state == DONE) is may


@pytest.mark.parametrize("on_call", [TWO_LEVELS])
async def test_every_page_is_read(walk: Walk, pager: PagerDuty, asked: str) -> None:
    crowd = [Shift(f"Person {number}", policy="PPAY", user=f"P{number}") for number in range(120)]
    pager.shifts = [*crowd, shift("outsider")]

    await walk.press("outsider", action_ids.APPROVE, asked)

    assert walk.execution(asked).state == DONE


async def test_two_schedules_fail_each_alone(
    walk: Walk, asked: str, given: Settings, clock: Clock, team: Path
) -> None:
    replace_in(team, SCHEDULE, f"{SCHEDULE}, {{schedule: PGONE}}")
    async with start_bot(given, clock) as other:
        walk.slack.request_url = f"{other.url}/slack/events"
        later = Walk(walk.slack, other)
        await later.press("outsider", action_ids.APPROVE, asked)
        assert later.execution(asked).state == DONE


async def test_an_unknown_schedule_is_warned_of(
    given: Settings, clock: Clock, pager: PagerDuty, caplog: pytest.LogCaptureFixture
) -> None:
    pager.shifts = [shift("lead", schedule="POTHER")]

    with caplog.at_level(logging.WARNING, "bot.on_call"):
        async with start_bot(given, clock) as bot:
            await bot.drain()

    assert [record.getMessage() for record in caplog.records if record.name == "bot.on_call"] == [
        "on_call names the schedule PNIGHT: PagerDuty does not know the schedule or the escalation "
        "policy it was asked for, so nobody is an approver by it. Correct its id in "
        "RUNBOLT_CONFIG."
    ]


@pytest.mark.parametrize(
    ("on_call", "column", "told"),
    [
        (SCHEDULE, 48, "approvers.on_call: PAGERDUTY_TOKEN is not set"),
        ("{schedule: PA, escalation_policy: PB}", 58, "expects a schedule or an escalation_policy"),
        ("{}", 58, "expects a schedule or an escalation_policy"),
        ("{schedule: PA, levels: 2}", 58, "levels are those of an escalation_policy"),
        ("{escalation_policy: PB, levels: 0}", 82, "expects at least 1"),
    ],
)
async def test_a_wrong_list_starts_nothing(
    given: Settings, clock: Clock, team: Path, column: int, told: str
) -> None:
    line = len(team_lines(team, until="approvers"))
    with pytest.raises(UserError) as refused:
        async with start_bot(given.model_copy(update={"pagerduty_token": None}), clock):
            pass

    assert f"runbolt.yml:{line}:{column}: " in str(refused.value)
    assert told in str(refused.value)
