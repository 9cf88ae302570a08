"""/incident contacts: people, groups and pages to click, who is on call, and the runbooks."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.settings import Settings
from sandbox.pagerduty import PagerDuty, Shift
from sandbox.redis import free_port
from sandbox.slack import Slack
from sandbox.slack.model import User
from tests.conftest import SHIPPED, Clock, Walk, block_texts, start_bot
from tests.readers import Post

END = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
CHECK = "[Check PagerDuty](https://app.pagerduty.com/)"
RENEW = "Renew PAGERDUTY_TOKEN: a read-only key is enough."
PAGE = "https://tickettoken.pagerduty.com/users/PUSER01"
MAYA = f"[Maya Okafor]({PAGE}) (Order Service, until 2026-11-24 16:00 UTC)"
IDA = f"[Ida Stein]({PAGE}) (Order Service)"
STRIPE = "[support.stripe.com](https://support.stripe.com)"
RUNBOOKS = (
    "[Database Failover](https://runbooks.example/order-service/database-failover.md)"
    " · [Deployment Rollback](https://runbooks.example/order-service/deployment-rollback.md)"
    " · [Graceful Degradation](https://runbooks.example/GRACEFUL_DEGRADATION_STRATEGIES.md)"
)


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


async def ask(walk: Walk, channel: str = "general") -> Post:
    """What somebody reads after `/incident contacts`."""
    await walk.say("second", "/incident contacts", channel)
    return walk.private_post("second", channel)


def contacts(shown: Post) -> dict[str, str]:
    """The contacts by their roles."""
    return dict(line[3:].split(": ", 1) for line in shown.lines if line.startswith("•  "))


def mentioned(walk: Walk) -> dict[str, str]:
    """The two who are named by handle, as the bot wrote them to Slack: mentions, or mere text."""
    words = "\n".join(block_texts(walk.slack.ephemerals("general", "second")[-1]["blocks"]))
    return dict(re.findall(r"\*(Engineering Lead|DevOps):\* (.+)", words))


def runbooks(shown: Post) -> list[str]:
    """What is said of the runbooks, from their line on."""
    begin = [line.startswith("Related runbooks: ") for line in shown.lines].index(True)
    return list(shown.lines[begin:])


def warnings(shown: Post) -> list[str]:
    """What could not be found out."""
    return [line for line in shown.lines if line.startswith(":warning:")]


def unknown(problem: str, fix: str) -> list[str]:
    """The warning that says why nobody knows who is on call."""
    return [f":warning: PagerDuty {problem}, so it is not known who is on call. {fix}"]


async def test_every_contact_is_clickable(walk: Walk) -> None:
    lead = walk.slack.add_user(User("engineering-lead", "Lea Dahl"))
    group = walk.slack.add_group("devops-team", "oncall", "outsider")

    shown = await ask(walk)

    assert contacts(shown) == {
        "On-Call Engineer": f"{MAYA}, {IDA}",
        "Engineering Lead": "@engineering-lead",
        "DevOps": "@devops-team",
        "Stripe Support": STRIPE,
    }
    assert runbooks(shown) == [f"Related runbooks: {RUNBOOKS}"]
    assert mentioned(walk) == {
        "Engineering Lead": f"<@{lead.id}>",
        "DevOps": f"<!subteam^{group.id}>",
    }


async def test_contacts_disturb_nobody(walk: Walk) -> None:
    walk.slack.add_user(User("engineering-lead", "Lea Dahl"))
    walk.slack.add_group("devops-team", "oncall", "outsider")

    await ask(walk)

    assert walk.posts("general") == []
    assert walk.answers("oncall", "general") == []
    assert all(walk.slack.notifications(who) == [] for who in ("engineering-lead", "outsider"))


async def test_strangers_are_shown_as_written(walk: Walk) -> None:
    walk.slack.add_user(User("engineering-lead", "Gone", deactivated=True))
    walk.slack.add_user(User("devops-team", "A bot", kind="bot"))

    await ask(walk)

    assert mentioned(walk) == {"Engineering Lead": "@engineering-lead", "DevOps": "@devops-team"}


async def test_people_without_groups(walk: Walk) -> None:
    lead = walk.slack.add_user(User("engineering-lead", "Lea Dahl"))
    walk.slack.use_free_plan()

    await ask(walk)

    assert mentioned(walk) == {"Engineering Lead": f"<@{lead.id}>", "DevOps": "@devops-team"}


async def test_a_silent_slack_costs_a_line(walk: Walk) -> None:
    walk.slack.fail("usergroups.list", ratelimited=9, times=None)

    shown = await ask(walk)

    assert warnings(shown) == [
        ":warning: Slack did not say who @engineering-lead, @devops-team are (ratelimited). Try "
        "again in 9 s."
    ]
    assert contacts(shown) == {
        "On-Call Engineer": f"{MAYA}, {IDA}",
        "Engineering Lead": "@engineering-lead",
        "DevOps": "@devops-team",
        "Stripe Support": STRIPE,
    }


async def test_slack_is_asked_once_a_minute(walk: Walk) -> None:
    for _ in range(3):
        await ask(walk)

    assert len(walk.calls("usergroups.list")) == 2  # one of them when the bot started


async def test_only_the_first_level(walk: Walk, pager: PagerDuty) -> None:
    shown = await ask(walk)

    assert contacts(shown)["On-Call Engineer"] == f"{MAYA}, {IDA}"
    assert dict(pager.requests[-1]["query"]) == {"limit": "100", "earliest": "true"}


async def test_of_many_five_are_named(walk: Walk, pager: PagerDuty) -> None:
    pager.shifts = [Shift(f"Person {number}") for number in range(7)]

    people = contacts(await ask(walk))["On-Call Engineer"]

    named = ", ".join(f"[Person {number}]({PAGE}) (Order Service)" for number in range(5))
    assert people == f"{named} and 2 more: name a schedule in RUNBOLT_CONFIG"


@pytest.mark.parametrize(
    ("decided", "on_call"),
    [("{schedule: PSCHED2}", IDA), ("{escalation_policy: PPOLICY}", MAYA)],
)
async def test_the_team_names_a_schedule(
    given: Settings, slack: Slack, clock: Clock, team: Path, decided: str, on_call: str
) -> None:
    decide(team, f"pagerduty: {decided}")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        shown = await ask(Walk(slack, bot))

    assert contacts(shown)["On-Call Engineer"] == on_call


async def test_an_unknown_schedule_is_said(
    given: Settings, slack: Slack, clock: Clock, team: Path
) -> None:
    decide(team, "pagerduty: {schedule: PNONE}")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        shown = await ask(Walk(slack, bot))

    problem = "does not know the schedule or the escalation policy it was asked for"
    assert warnings(shown) == unknown(problem, "Correct its id in RUNBOLT_CONFIG.")


async def test_nobody_on_call_is_said(walk: Walk, pager: PagerDuty) -> None:
    pager.shifts = []

    people = contacts(await ask(walk))["On-Call Engineer"]

    assert people == "[PagerDuty](https://app.pagerduty.com/) says that nobody is on call now"


@pytest.mark.parametrize(
    ("status", "problem", "fix"),
    [
        (401, "refuses the token", RENEW),
        (403, "refuses the token", RENEW),
        (429, "limits the bot's requests at the moment", "Try again in 17 s."),
        (503, "failed with status 503", "Try again in a minute."),
        (302, "failed with status 302", "Try again in a minute."),
    ],
)
async def test_a_refusal_costs_a_line(
    walk: Walk, pager: PagerDuty, status: int, problem: str, fix: str
) -> None:
    pager.status = status

    shown = await ask(walk)

    assert warnings(shown) == unknown(problem, fix)
    assert contacts(shown)["On-Call Engineer"] == CHECK
    assert contacts(shown)["Stripe Support"] == STRIPE


async def test_a_wrong_token_is_refused(walk: Walk, pager: PagerDuty) -> None:
    pager.token = "u+another"

    assert warnings(await ask(walk)) == unknown("refuses the token", RENEW)


@pytest.mark.parametrize("body", ["<html>Sign in</html>", "{}", '{"oncalls": [{"user": 1}]}'])
async def test_another_api_is_said(walk: Walk, pager: PagerDuty, body: str) -> None:
    pager.body = body

    problem = "answered with something other than its API's JSON"
    fix = "Check that PAGERDUTY_API_URL is PagerDuty's."
    assert warnings(await ask(walk)) == unknown(problem, fix)


async def test_an_unreachable_pagerduty_is_said(
    given: Settings, slack: Slack, clock: Clock
) -> None:
    nobody = given.model_copy(update={"pagerduty_api_url": f"http://127.0.0.1:{free_port()}"})
    async with start_bot(nobody, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        shown = await ask(Walk(slack, bot))

    fix = "Check PAGERDUTY_API_URL and the bot's network."
    assert warnings(shown) == unknown("cannot be reached", fix)
    assert contacts(shown)["Stripe Support"] == STRIPE


async def test_a_slow_pagerduty_holds_five_seconds(walk: Walk, pager: PagerDuty) -> None:
    pager.hang = True
    begun = asyncio.get_running_loop().time()

    shown = await ask(walk)

    assert warnings(shown) == unknown("did not answer within 5 s", "Try again.")
    assert contacts(shown)["Stripe Support"] == STRIPE
    assert asyncio.get_running_loop().time() - begun < 15


async def test_no_token_leaves_a_link(
    given: Settings, slack: Slack, clock: Clock, pager: PagerDuty
) -> None:
    async with start_bot(given.model_copy(update={"pagerduty_token": None}), clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        shown = await ask(Walk(slack, bot))

    assert contacts(shown)["On-Call Engineer"] == CHECK
    assert warnings(shown) == []
    assert pager.requests == []


async def test_the_token_stays_secret(
    walk: Walk, pager: PagerDuty, caplog: pytest.LogCaptureFixture
) -> None:
    token, pager.status = pager.token, 500

    shown = await ask(walk)

    assert token not in shown.text
    assert token not in caplog.text


async def test_runbooks_below_the_playbook(walk: Walk) -> None:
    channel = await walk.declare()

    assert playbook(walk, channel).lines[-1] == f"Related runbooks: {RUNBOOKS}"
    assert contacts(await ask(walk, channel))["On-Call Engineer"] == f"{MAYA}, {IDA}"


def playbook(walk: Walk, channel: str) -> Post:
    """The message of the playbook."""
    [shown] = [post for post in walk.posts(channel) if post.heading.startswith(":notebook: Comp")]
    return shown


async def test_runbooks_of_unknown_place(
    given: Settings, slack: Slack, clock: Clock, team: Path
) -> None:
    decide(team, 'runbooks: ""')
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        told = await ask(walk)

    named = [
        "Related runbooks: Database Failover · Deployment Rollback · Graceful Degradation",
        "The addresses of these pages are not known: set `runbooks` in RUNBOLT_CONFIG.",
    ]
    assert runbooks(playbook(walk, channel)) == runbooks(told) == named


async def test_two_playbooks_one_service(
    given: Settings, slack: Slack, clock: Clock, playbooks: Path
) -> None:
    second = SHIPPED.with_name("deployment-rollback.yml").read_text(encoding="utf-8")
    second += "  - {title: Releases, url: https://runbooks.example/releases.md}\n"
    (playbooks / "deployment-rollback.yml").write_text(second, encoding="utf-8")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        shown = await ask(Walk(slack, bot))

    roles = [line.split(":")[0] for line in shown.lines if line.startswith("•")]
    assert shown.heading == "Contacts of Order Service"
    assert roles == ["•  On-Call Engineer", "•  Engineering Lead", "•  DevOps", "•  Stripe Support"]
    releases = "[Releases](https://runbooks.example/releases.md)"
    assert runbooks(shown) == [f"Related runbooks: {RUNBOOKS} · {releases}"]
