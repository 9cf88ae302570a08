"""/incident contacts: people, groups and pages to click, who is on call, and the runbooks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.settings import Settings
from sandbox.pagerduty import PagerDuty, Shift
from sandbox.redis import free_port
from sandbox.slack import Slack
from sandbox.slack.model import User
from tests.conftest import SHIPPED, Clock, Walk, start_bot

END = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
HINT = "set `runbooks` in RUNBOLT_CONFIG"


@pytest.fixture
async def pager() -> AsyncIterator[PagerDuty]:
    """Who is on call; the one of the second level is called only when the first does not answer."""
    shifts = [
        Shift("Maya Okafor", end=END.isoformat()),
        Shift("Jonas Weber", level=2),
        Shift("Ida Stein", schedule="PSCHED2", policy="POTHER"),
    ]
    async with PagerDuty(shifts=shifts) as simulated:
        yield simulated


@pytest.fixture
def slack(slack: Slack) -> Slack:
    """A workspace in which nobody is called as the playbook says, until a test says otherwise."""
    kept = ("order-service-approvers", "order-service-responders")
    groups = slack.workspace.groups
    slack.workspace.groups = {
        group_id: group for group_id, group in groups.items() if group.handle in kept
    }
    return slack


@pytest.fixture
def given(given: Settings, pager: PagerDuty) -> Settings:
    """A replica that may ask PagerDuty."""
    told = {"pagerduty_token": pager.token, "pagerduty_api_url": pager.url}
    return given.model_copy(update=told)


def decide(team: Path, line: str) -> None:
    """Let the team decide this, whatever it had decided about it before."""
    key = line.partition(":")[0]
    others = [old for old in team.read_text().splitlines() if not old.startswith(f"{key}:")]
    team.write_text("\n".join([*others, line]))


async def ask(walk: Walk, channel: str = "general") -> str:
    """What somebody reads after `/incident contacts`."""
    await walk.say("second", "/incident contacts", channel)
    return walk.text(channel, "second")


async def test_every_contact_of_the_playbook_is_something_to_click(walk: Walk) -> None:
    lead = walk.slack.add_user(User("engineering-lead", "Lea Dahl"))
    group = walk.slack.add_group("devops-team", "oncall", "outsider")

    seen = await ask(walk)

    assert "•  *On-Call Engineer:* <https://tickettoken.pagerduty.com/users/PUSER01|Maya" in seen
    assert f"Order Service, until <!date^{int(END.timestamp())}^" in seen
    assert f"•  *Engineering Lead:* <@{lead.id}>" in seen
    assert f"•  *DevOps:* <!subteam^{group.id}>" in seen
    assert "•  *Stripe Support:* <https://support.stripe.com|support.stripe.com>" in seen
    assert "<https://runbooks.example/order-service/database-failover.md|Database Failover>" in seen
    assert HINT not in seen
    assert walk.text("general", "oncall") == ""
    assert all(walk.slack.notifications(who) == [] for who in ("engineering-lead", "outsider"))


async def test_whom_nobody_knows_is_shown_as_written(walk: Walk) -> None:
    walk.slack.add_user(User("engineering-lead", "Gone", deactivated=True))
    walk.slack.add_user(User("devops-team", "A bot", kind="bot"))

    seen = await ask(walk)

    assert "*Engineering Lead:* @engineering-lead" in seen
    assert "*DevOps:* @devops-team" in seen


async def test_a_workspace_without_groups_still_knows_its_people(walk: Walk) -> None:
    lead = walk.slack.add_user(User("engineering-lead", "Lea Dahl"))
    walk.slack.use_free_plan()

    assert f"*Engineering Lead:* <@{lead.id}>" in await ask(walk)


async def test_a_slack_that_does_not_say_who_they_are_costs_a_line(walk: Walk) -> None:
    walk.slack.fail("usergroups.list", ratelimited=9, times=None)

    seen = await ask(walk)

    assert "Slack did not say who @engineering-lead, @devops-team are (ratelimited)" in seen
    assert "Maya Okafor" in seen
    assert "support.stripe.com" in seen


async def test_slack_is_asked_once_a_minute(walk: Walk) -> None:
    for _ in range(3):
        await ask(walk)

    assert len(walk.calls("usergroups.list")) == 2  # one of them when the bot started


async def test_only_the_first_level_is_on_call(walk: Walk, pager: PagerDuty) -> None:
    seen = await ask(walk)

    assert "Maya Okafor" in seen
    assert "Ida Stein" in seen
    assert "Jonas Weber" not in seen
    assert dict(pager.requests[-1]["query"]) == {"limit": "100", "earliest": "true"}


@pytest.mark.parametrize(
    ("decided", "there", "absent"),
    [
        ("{schedule: PSCHED2}", "Ida Stein", "Maya Okafor"),
        ("{escalation_policy: PPOLICY}", "Maya Okafor", "Ida Stein"),
    ],
)
async def test_the_team_names_whose_being_on_call_it_means(
    given: Settings,
    slack: Slack,
    clock: Clock,
    team: Path,
    decided: str,
    there: str,
    absent: str,
) -> None:
    decide(team, f"pagerduty: {decided}")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        seen = await ask(Walk(slack, bot))

    assert there in seen
    assert absent not in seen


async def test_a_schedule_that_is_not_there_is_said(
    given: Settings, slack: Slack, clock: Clock, team: Path
) -> None:
    decide(team, "pagerduty: {schedule: PNONE}")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        seen = await ask(Walk(slack, bot))

    assert "PagerDuty does not know the schedule or the escalation policy" in seen
    assert "Correct pagerduty in RUNBOLT_CONFIG." in seen


async def test_nobody_on_call_is_said(walk: Walk, pager: PagerDuty) -> None:
    pager.shifts = []

    assert "<https://app.pagerduty.com/|PagerDuty> says that nobody is on call now" in await ask(
        walk
    )


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "PagerDuty refuses the token"),
        (403, "Renew PAGERDUTY_TOKEN"),
        (429, "PagerDuty limits the bot's requests at the moment, so it is not known who is on"),
        (429, "Try again in 17 s."),
        (503, "PagerDuty failed with status 503"),
        (302, "PagerDuty failed with status 302"),
    ],
)
async def test_a_refusal_costs_a_line_and_the_rest_is_shown(
    walk: Walk, pager: PagerDuty, status: int, sentence: str
) -> None:
    pager.status = status

    seen = await ask(walk)

    assert sentence in seen
    assert "*On-Call Engineer:* <https://app.pagerduty.com/|Check PagerDuty>" in seen
    assert "support.stripe.com" in seen


async def test_a_wrong_token_is_refused(walk: Walk, pager: PagerDuty) -> None:
    pager.token = "u+another"

    assert "PagerDuty refuses the token" in await ask(walk)


@pytest.mark.parametrize("body", ["<html>Sign in</html>", "{}", '{"oncalls": [{"user": 1}]}'])
async def test_what_is_no_answer_of_its_api_is_said(
    walk: Walk, pager: PagerDuty, body: str
) -> None:
    pager.body = body

    assert "Check that PAGERDUTY_API_URL is PagerDuty's." in await ask(walk)


async def test_an_unreachable_pagerduty_is_said(
    given: Settings, slack: Slack, clock: Clock
) -> None:
    nobody = given.model_copy(update={"pagerduty_api_url": f"http://127.0.0.1:{free_port()}"})
    async with start_bot(nobody, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        seen = await ask(Walk(slack, bot))

    assert "PagerDuty cannot be reached, so it is not known who is on call." in seen
    assert "support.stripe.com" in seen


async def test_a_slow_pagerduty_holds_the_answer_for_five_seconds_at_most(
    walk: Walk, pager: PagerDuty
) -> None:
    pager.hang = True
    begun = asyncio.get_running_loop().time()

    seen = await ask(walk)

    assert "PagerDuty did not answer within 5 s" in seen
    assert "support.stripe.com" in seen
    assert asyncio.get_running_loop().time() - begun < 15


async def test_without_a_token_there_is_the_link(
    given: Settings, slack: Slack, clock: Clock, pager: PagerDuty
) -> None:
    async with start_bot(given.model_copy(update={"pagerduty_token": None}), clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        seen = await ask(Walk(slack, bot))

    assert "*On-Call Engineer:* <https://app.pagerduty.com/|Check PagerDuty>" in seen
    assert ":warning:" not in seen
    assert pager.requests == []


async def test_the_token_is_in_no_log_and_no_answer(
    walk: Walk, pager: PagerDuty, caplog: pytest.LogCaptureFixture
) -> None:
    token, pager.status = pager.token, 500

    seen = await ask(walk)

    assert token not in seen
    assert token not in caplog.text


async def test_runbooks_are_linked_below_the_playbook(walk: Walk) -> None:
    channel = await walk.declare()

    seen = walk.text(channel)
    assert "*Related runbooks:* <https://runbooks.example/order-service/database-fail" in seen
    assert "<https://runbooks.example/GRACEFUL_DEGRADATION_STRATEGIES.md|Graceful Deg" in seen
    assert "Maya Okafor" in await ask(walk, channel)


async def test_runbooks_of_unknown_place_are_named_with_a_hint(
    given: Settings, slack: Slack, clock: Clock, team: Path
) -> None:
    decide(team, 'runbooks: ""')
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        told = await ask(walk)

    named = "*Related runbooks:* Database Failover · Deployment Rollback · Graceful Degradation"
    for seen in (walk.text(channel), told):
        assert named in seen
        assert HINT in seen


async def test_a_service_of_two_playbooks_is_told_once(
    given: Settings, slack: Slack, clock: Clock, playbooks: Path
) -> None:
    second = SHIPPED.with_name("deployment-rollback.yml").read_text(encoding="utf-8")
    second += "  - {title: Releases, url: https://runbooks.example/releases.md}\n"
    (playbooks / "deployment-rollback.yml").write_text(second, encoding="utf-8")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        seen = await ask(Walk(slack, bot))

    assert seen.count("*Contacts of") == 1
    assert seen.count("*Stripe Support:*") == 1
    assert seen.count("|Database Failover>") == 1
    assert "|Releases>" in seen
