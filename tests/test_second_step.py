"""An approval that counts only once it is confirmed outside Slack, by the same person, once."""

import asyncio
import hmac
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from psycopg.errors import RaiseException

from bot import store
from bot.model import Approval, ExecutionState, UserError, UserId
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.rollbacks import DONE, TO_V231, WAITS, asked, broken, patches
from tests.test_on_call_approvers import replace_in
from tests.test_policy import add_line, stored
from tests.test_web import get

__all__ = ["asked", "broken"]

SECRET = "0123456789abcdef0123456789abcdef"
SIGN_IN = (
    "sign_in: {url: 'https://runbolt.firm.example', proxies: [127.0.0.1/32], "
    "secret: SIGN_IN_SECRET}"
)
SECOND = "second@tickettoken.example"
LEAD = "lead@tickettoken.example"
LINK = re.compile(r"https://runbolt\.firm\.example(/approve/[\w-]{43})$")
CSRF = re.compile(r'name="csrf" value="(\w+)"')
EXPIRED = "This link has expired. Nothing was approved; press Approve in Slack again."
INVALID = "This link is not valid, or a newer one took its place. Nothing was approved."


class Answer(NamedTuple):
    """What a browser gets."""

    status: int
    html: str
    headers: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """What the page says became of it; empty where it shows the plan."""
        found = re.search(r'<p role="status">(.*?)</p>', self.html)
        return found[1].replace("&#39;", "'") if found else ""


class Browser:
    """A browser behind the firm's sign-in, as the proxy passes its requests on."""

    def __init__(self, bot: Bot, email: str, **more: str) -> None:
        self.bot = bot
        self.headers = {"X-Forwarded-Email": email, "X-Runbolt-Secret": SECRET, **more}

    async def ask(self, method: str, path: str, **sent: Any) -> Answer:
        """Send a request."""
        async with (
            aiohttp.ClientSession(headers=self.headers) as session,
            session.request(method, f"{self.bot.url}{path}", **sent) as response,
        ):
            return Answer(response.status, await response.text(), response.headers)

    async def open(self, path: str) -> Answer:
        """Open a page."""
        return await self.ask("GET", path)

    async def press(self, path: str, page: Answer | None = None) -> Answer:
        """Press the button of the page, as it was when it was opened."""
        form = CSRF.search((page or await self.open(path)).html)
        answer = await self.ask("POST", path, data={"csrf": form[1] if form else "none"})
        await self.bot.drain()
        return answer


@pytest.fixture
def team(team: Path) -> Path:
    add_line(team, SIGN_IN)
    add_line(team, "policy: {second_step: {destructive: link}}")
    return team


@pytest.fixture
def given(given: Settings) -> Settings:
    return given.model_copy(update={"environ": {"SIGN_IN_SECRET": SECRET}})


@pytest.fixture
def browser(bot: Bot) -> Browser:
    """That of second."""
    return Browser(bot, SECOND)


async def press_approve(walk: Walk, channel: str, who: str = "second") -> str:
    """Press *Approve* in Slack; returns the path of the link that this person alone gets."""
    await walk.press(who, action_ids.APPROVE, channel)
    *_, notice = walk.slack.ephemerals(channel, who)
    urls = [element["url"] for block in notice["blocks"] for element in block.get("elements", [])]
    [found] = [LINK.search(url) for url in urls]
    assert found is not None
    return found[1]


async def test_it_counts_once_confirmed(
    walk: Walk, bot: Bot, browser: Browser, broken: Cluster, asked: str
) -> None:
    path = await press_approve(walk, asked)
    waiting = walk.execution(asked)
    assert (waiting.state, waiting.approvals, patches(broken)) == (WAITS, (), 0)
    assert waiting.notes == (
        ":lock: An approval counts once it is confirmed outside Slack too.",
        ":lock: @second approved in Slack, and can confirm it outside until 2026-11-24 10:05 UTC. "
        "Until then it does not count.",
    )
    page = await browser.open(path)
    plan_digest = (await stored(bot)).plan_digest or ""
    assert page.status == 200
    for shown in (TO_V231, "deployment/order-service", "Maya Okafor", plan_digest):
        assert shown in page.html
    assert patches(broken) == 0

    answer = await browser.press(path, page)

    assert (answer.status, answer.sentence) == (
        200,
        "Your approval of “Roll back” counts. Slack shows what becomes of it.",
    )
    assert walk.execution(asked).state == DONE
    assert patches(broken) == 1
    [approval] = (await stored(bot)).approvals
    assert (approval.by, approval.plan_digest) == (walk.slack.user("second").id, plan_digest)
    told = [entry for entry in await walk.timeline(asked) if "pproved" in entry]
    assert told == [
        f"@second approved in Slack, which counts once they confirm it outside: {TO_V231}",
        f"@second approved: {TO_V231} (confirmed outside Slack)",
    ]


async def test_a_link_works_once(walk: Walk, browser: Browser, broken: Cluster, asked: str) -> None:
    path = await press_approve(walk, asked)
    page = await browser.open(path)

    await asyncio.gather(*(browser.press(path, page) for _ in range(6)))
    replayed = await browser.press(path, page)

    assert patches(broken) == 1
    assert replayed.status == 403
    assert replayed.sentence.startswith("Already approved by @Jonas Weber at 2026-11-24 10:00:00")
    refused = [entry for entry in await walk.timeline(asked) if "was refused" in entry]
    assert len(refused) == 6


async def test_opening_it_changes_nothing(
    walk: Walk, browser: Browser, broken: Cluster, asked: str
) -> None:
    path = await press_approve(walk, asked)
    before = await walk.timeline(asked)

    for _ in range(3):
        await browser.open(path)

    assert (await walk.timeline(asked), walk.execution(asked).state) == (before, WAITS)


async def test_somebody_else_is_refused(
    walk: Walk, bot: Bot, browser: Browser, broken: Cluster, asked: str
) -> None:
    path = await press_approve(walk, asked)
    page, lead = await browser.open(path), Browser(bot, LEAD)

    seen, pressed = await lead.open(path), await lead.press(path, page)

    sentence = (
        "This link is @Jonas Weber's, and you are signed in as somebody else. Nothing was approved."
    )
    assert (seen.status, seen.sentence) == (403, sentence)
    assert TO_V231 not in seen.html
    assert pressed.status == 403
    assert "This form is not of this page" in pressed.sentence  # its token is the person's
    assert patches(broken) == 0


async def test_a_forged_form_of_somebody_else_is_recorded(
    walk: Walk, bot: Bot, broken: Cluster, asked: str
) -> None:
    path = await press_approve(walk, asked)
    lead = Browser(bot, LEAD)
    token = path.rpartition("/")[2]
    page = Answer(200, f'name="csrf" value="{csrf(token, LEAD)}"', {})

    answer = await lead.press(path, page)

    assert answer.status == 403
    [*_, entry] = await walk.timeline(asked)
    assert entry.startswith(f"@lead was refused: {TO_V231} (answer: “This link is @second's")
    assert patches(broken) == 0


def csrf(token: str, email: str) -> str:
    """What the page of this person would have: only who knows the secret can make it."""
    return hmac.new(SECRET.encode(), f"csrf|{token}|{email}".encode(), "sha256").hexdigest()


async def test_a_link_lasts_five_minutes(
    walk: Walk, browser: Browser, clock: Clock, broken: Cluster, asked: str
) -> None:
    path = await press_approve(walk, asked)
    page = await browser.open(path)
    clock.forward(minutes=5)

    answer = await browser.press(path, page)

    assert (answer.status, answer.sentence) == (403, EXPIRED)
    assert (await browser.open(path)).sentence == EXPIRED
    again = await press_approve(walk, asked)
    assert (await browser.press(path, page)).sentence == INVALID
    assert (await browser.press(again)).status == 200
    assert patches(broken) == 1


async def test_what_is_decided_meanwhile_stays(
    walk: Walk, browser: Browser, broken: Cluster, asked: str
) -> None:
    path = await press_approve(walk, asked)
    page = await browser.open(path)
    await walk.press("lead", action_ids.DENY, asked)
    await walk.submit("lead", reason="Not now")

    answer = await browser.press(path, page)

    assert answer.sentence == "Already denied by @Priya Raman. Nothing more was approved."
    assert walk.execution(asked).state == "Denied"
    assert patches(broken) == 0


async def test_a_resolved_incident_voids_it(
    walk: Walk, browser: Browser, broken: Cluster, asked: str
) -> None:
    path = await press_approve(walk, asked)
    page = await browser.open(path)
    await walk.say("oncall", "/incident resolve", asked)
    await walk.submit("oncall", resolution="It went away")

    answer = await browser.press(path, page)

    assert "void, because the incident was resolved" in answer.sentence
    assert patches(broken) == 0


async def test_the_request_expires_first(
    walk: Walk, bot: Bot, browser: Browser, clock: Clock, broken: Cluster, asked: str
) -> None:
    clock.forward(minutes=8)
    path = await press_approve(walk, asked)
    page = await browser.open(path)
    clock.forward(minutes=2)

    answer, _ = await asyncio.gather(browser.press(path, page), bot.tick())

    assert "expired" in answer.sentence
    assert patches(broken) == 0
    assert (await stored(bot)).state is ExecutionState.EXPIRED


async def test_who_left_meanwhile_is_refused(
    walk: Walk, browser: Browser, broken: Cluster, asked: str
) -> None:
    path = await press_approve(walk, asked)
    page = await browser.open(path)
    walk.slack.set_group("order-service-approvers", "lead")

    answer = await browser.press(path, page)

    assert answer.sentence.startswith(
        "You are not an approver of order-service. Nothing was approved"
    )
    assert patches(broken) == 0


async def test_the_asker_gets_no_link(walk: Walk, asked: str) -> None:
    await walk.press("oncall", action_ids.APPROVE, asked)

    assert walk.answer("oncall").startswith("You requested this yourself")


@pytest.mark.parametrize(
    "change",
    [
        {"X-Runbolt-Secret": "another"},
        {"X-Runbolt-Secret": ""},
        {"X-Forwarded-Email": ""},
        {"X-Forwarded-Email": "second@tickettoken.example@evil.example"},
        {"X-Forwarded-Email": "@tickettoken.example"},
    ],
)
async def test_without_the_sign_in_nothing_is_shown(
    walk: Walk, bot: Bot, asked: str, change: dict[str, str]
) -> None:
    path = await press_approve(walk, asked)
    outside = Browser(bot, SECOND)
    outside.headers |= change

    for method in ("GET", "POST"):
        answer = await outside.ask(method, path)
        assert (answer.status, answer.html) == (403, "not through the firm's sign-in")


async def test_two_addresses_are_a_forgery(walk: Walk, bot: Bot, asked: str) -> None:
    path = await press_approve(walk, asked)
    twice = [("X-Runbolt-Secret", SECRET), *(("X-Forwarded-Email", one) for one in (SECOND, LEAD))]

    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{bot.url}{path}", headers=twice) as got,
    ):
        assert got.status == 403


async def test_only_the_proxy_is_believed(
    slack: Slack, given: Settings, clock: Clock, team: Path, broken: Cluster
) -> None:
    replace_in(team, "127.0.0.1/32", "10.9.0.0/16")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.ask_for_rollback(channel)
        path = await press_approve(walk, channel)

        claimed = Browser(bot, SECOND, **{"X-Forwarded-For": "10.9.0.1"})

        assert (await claimed.open(path)).status == 403


@pytest.mark.parametrize("body", [b"", b"csrf=", b"csrf=a&csrf=b", b"\xff", b"csrf=" + b"0" * 64])
async def test_a_foreign_form_is_refused(
    walk: Walk, browser: Browser, broken: Cluster, asked: str, body: bytes
) -> None:
    path = await press_approve(walk, asked)

    answer = await browser.ask("POST", path, data=body)

    assert (answer.status, answer.sentence) == (
        403,
        "This form is not of this page. Open the link again.",
    )
    assert patches(broken) == 0


async def test_another_site_is_refused(
    walk: Walk, bot: Bot, browser: Browser, broken: Cluster, asked: str
) -> None:
    path = await press_approve(walk, asked)
    page = await browser.open(path)

    answer = await Browser(bot, SECOND, **{"Sec-Fetch-Site": "cross-site"}).press(path, page)

    assert answer.status == 403
    assert patches(broken) == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/approve/" + "x" * 43, 403),
        ("GET", "/approve/" + "x" * 42, 404),
        ("GET", "/approve/" + "x" * 44, 404),
        ("GET", "/approve/", 404),
        ("PUT", "/approve/" + "x" * 43, 404),
        ("HEAD", "/approve/" + "x" * 43, 404),
    ],
)
async def test_unknown_links(browser: Browser, method: str, path: str, status: int) -> None:
    answer = await browser.ask(method, path)

    assert answer.status == status
    if status == 403:
        assert answer.sentence == INVALID


async def test_a_large_form_is_refused(walk: Walk, browser: Browser, asked: str) -> None:
    path = await press_approve(walk, asked)

    assert (await browser.ask("POST", path, data=b"x" * 5000)).status == 413


async def test_the_page_is_closed_to_frames_and_caches(
    walk: Walk, browser: Browser, asked: str
) -> None:
    page = await browser.open(await press_approve(walk, asked))

    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "script" not in page.html
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert 'name="viewport"' in page.html


async def test_what_people_wrote_is_escaped(walk: Walk, browser: Browser, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)
    await walk.submit("oncall", reason="<img src=x onerror=alert(1)>")

    page = await browser.open(await press_approve(walk, channel))

    assert "&lt;img src=x onerror=alert(1)&gt;" in page.html
    assert "<img" not in page.html


async def test_only_a_hash_is_stored(walk: Walk, bot: Bot, asked: str) -> None:
    token = (await press_approve(walk, asked)).rpartition("/")[2]

    async with bot.world.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT t::text FROM confirmations AS t UNION ALL SELECT t::text FROM executions AS t"
            " UNION ALL SELECT t::text FROM timeline AS t"
            " UNION ALL SELECT t::text FROM messages AS t"
        )
        rows = await cursor.fetchall()

    assert len(rows) > 4
    assert [row for row in rows if token in row[0]] == []


async def test_an_older_version_counts_nothing(walk: Walk, bot: Bot, asked: str) -> None:
    """The release before knows no second step, and would count the press in Slack."""
    request = await stored(bot)
    second = UserId(walk.slack.user("second").id)
    approval = Approval(by=second, at=bot.world.now(), plan_digest=request.plan_digest or "")

    async def count() -> None:
        async with bot.world.pool.connection() as conn:
            state = ExecutionState.APPROVED
            await store.executions.set_approvals(conn, request.id, (approval,), state)

    with pytest.raises(RaiseException, match="lacks its second step"):
        await count()

    assert (await stored(bot)).state is ExecutionState.PROPOSED


async def test_other_risks_need_no_second_step(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "rolling-restart", channel)
    await walk.submit("oncall", reason="It hangs")

    await walk.press("second", action_ids.APPROVE, channel)

    assert walk.execution(channel).state == DONE


async def test_without_a_sign_in_there_is_no_page(
    slack: Slack, given: Settings, clock: Clock, team: Path
) -> None:
    replace_in(team, SIGN_IN, "")
    replace_in(team, "destructive: link", "destructive: none")
    async with start_bot(given, clock) as bot:
        assert (await Browser(bot, SECOND).open("/approve/" + "x" * 43)).status == 404
        assert await get(f"{bot.url}/healthz") == (200, "ok")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (SIGN_IN, "# no sign-in", "policy.second_step.destructive: a link needs the firm's own"),
        ("SIGN_IN_SECRET", "NO_SECRET", "sign_in.secret: NO_SECRET is not set"),
        ("127.0.0.1/32", "everywhere", "sign_in.proxies.0: "),
        ("https://", "http://", "sign_in.url: "),
        ("{second_step", "{approvals: {destructive: 0}, second_step", "no approval to confirm"),
        ("destructive: link", "destructive: fax", "policy.second_step.destructive: expects"),
    ],
)
async def test_a_wrong_sign_in_starts_nothing(
    given: Settings, clock: Clock, team: Path, old: str, new: str, told: str
) -> None:
    replace_in(team, old, new)

    with pytest.raises(UserError, match=rf"runbolt\.yml:\d+:\d+: .*{re.escape(told)}"):
        async with start_bot(given, clock):
            pass


async def test_a_short_secret_starts_nothing(given: Settings, clock: Clock) -> None:
    weak = given.model_copy(update={"environ": {"SIGN_IN_SECRET": "short"}})

    with pytest.raises(UserError, match="fewer than 16 characters"):
        async with start_bot(weak, clock):
            pass
