"""Who is on call, from PagerDuty's REST API (v2), which is only read."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Annotated

import aiohttp
from pydantic import AfterValidator, AwareDatetime, BaseModel

from bot import config
from bot.model import Duty, OnCall, OnDuty, UserError
from bot.model.text import printable

TIMEOUT_SECONDS = 5.0
PAGE_SIZE = 100  # PagerDuty's maximum
MAX_PAGES = 5
LAST_LEVEL = 20  # of an escalation policy, by PagerDuty's own limit
ACCEPT = "application/vnd.pagerduty+json;version=2"


class PagerDutyError(UserError):
    """PagerDuty did not say who is on call; the `problem` follows its name, the `fix` ends it."""

    def __init__(self, problem: str, fix: str) -> None:
        self.problem = problem
        self.fix = fix
        super().__init__(f"PagerDuty {problem}, so it is not known who is on call. {fix}")


class _Reference(BaseModel):
    id: str = ""
    summary: Annotated[str, AfterValidator(printable)]
    html_url: str | None = None


class _User(_Reference):
    email: str = ""


class _OnCallEntry(BaseModel):
    user: _User
    escalation_policy: _Reference
    escalation_level: int
    schedule: _Reference | None = None
    end: AwareDatetime | None = None


class _OnCallsResponse(BaseModel):
    """The part of the response that is read."""

    oncalls: tuple[_OnCallEntry, ...]
    more: bool = False


class PagerDuty:
    """PagerDuty's API. Opens a connection for each request, as requests are rare."""

    def __init__(self, token: str, api_url: str) -> None:
        self._headers = {"Accept": ACCEPT, "Authorization": f"Token token={token}"}
        self._url = f"{api_url.rstrip('/')}/oncalls"

    async def on_call(self, source: config.OnCallSource) -> tuple[OnCall, ...]:
        """The people on call at the first level, each once. Raises PagerDutyError."""
        params = [("limit", str(PAGE_SIZE)), ("earliest", "true")]
        if source.schedule:
            params.append(("schedule_ids[]", source.schedule))
        if source.escalation_policy:
            params.append(("escalation_policy_ids[]", source.escalation_policy))
        async with _in_time(TIMEOUT_SECONDS), self._session() as session:
            return _first_level((await self._get(session, params)).oncalls)

    async def on_duty(
        self, duty: Duty, seconds: float, *, every_level: bool = False
    ) -> tuple[OnDuty, ...]:
        """Who is on call for this now, the first level first; raises PagerDutyError.

        With `every_level`, those of the levels beyond too. Nothing of it is kept.
        """
        levels = LAST_LEVEL if every_level else duty.levels
        entries: list[_OnCallEntry] = []
        async with _in_time(seconds), self._session() as session:
            for page in range(MAX_PAGES):
                params = _duty_params(duty, page * PAGE_SIZE)
                answer = await self._get(session, params)
                entries += answer.oncalls
                if not answer.more:
                    return _on_duty(duty, entries, levels)
        problem = f"says that more than {MAX_PAGES * PAGE_SIZE} people are on call"
        raise PagerDutyError(f"{problem} for {duty.name}", "Name another one in RUNBOLT_CONFIG.")

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=self._headers)

    async def _get(
        self, session: aiohttp.ClientSession, params: Sequence[tuple[str, str]]
    ) -> _OnCallsResponse:
        # A redirect would carry the token elsewhere.
        async with session.get(self._url, params=params, allow_redirects=False) as response:
            if response.status != 200:
                raise _status_error(response.status, response.headers)
            return _parse(await response.read())


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    """Raises PagerDutyError where it takes longer, or PagerDuty cannot be reached."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise PagerDutyError(f"did not answer within {seconds:g} s", "Try again.") from error
    except aiohttp.ClientError as error:
        fix = "Check PAGERDUTY_API_URL and the bot's network."
        raise PagerDutyError("cannot be reached", fix) from error


def _duty_params(duty: Duty, offset: int) -> list[tuple[str, str]]:
    """What is asked: who is on call now, which is the default, with their e-mail addresses."""
    wanted = (
        ("schedule_ids[]", duty.schedule)
        if duty.schedule
        else ("escalation_policy_ids[]", duty.escalation_policy)
    )
    page = [("limit", str(PAGE_SIZE)), ("offset", str(offset))]
    return [*page, ("earliest", "true"), ("include[]", "users"), wanted]


def _on_duty(duty: Duty, entries: Sequence[_OnCallEntry], levels: int) -> tuple[OnDuty, ...]:
    """Those on call for this duty, each once; what was not asked for makes nobody an approver."""
    found: dict[str, OnDuty] = {}
    for entry in sorted(entries, key=attrgetter("escalation_level")):
        of = entry.schedule if duty.schedule else entry.escalation_policy
        is_asked_for = of is not None and of.id == (duty.schedule or duty.escalation_policy)
        if of is None or not is_asked_for:
            continue
        # A schedule has no levels: whoever is on call for it may be of any level of a policy.
        if duty.schedule or 1 <= entry.escalation_level <= levels:
            found.setdefault(entry.user.id or entry.user.summary, _as_on_duty(of.summary, entry))
    return tuple(found.values())


def _as_on_duty(name: str, entry: _OnCallEntry) -> OnDuty:
    return OnDuty(
        name=entry.user.summary,
        email=entry.user.email.strip().lower(),
        duty=name,
        level=entry.escalation_level,
        until=entry.end,
    )


def _parse(body: bytes) -> _OnCallsResponse:
    """What a response says; raises PagerDutyError."""
    try:
        return _OnCallsResponse.model_validate_json(body)
    except ValueError as error:
        fix = "Check that PAGERDUTY_API_URL is PagerDuty's."
        raise PagerDutyError("answered with something other than its API's JSON", fix) from error


def _first_level(entries: Sequence[_OnCallEntry]) -> tuple[OnCall, ...]:
    by_name = {entry.user.summary: entry for entry in entries if entry.escalation_level == 1}
    return tuple(
        OnCall(
            name=entry.user.summary,
            page=entry.user.html_url,
            policy=entry.escalation_policy.summary,
            until=entry.end,
        )
        for entry in by_name.values()
    )


def _status_error(status: int, headers: Mapping[str, str]) -> PagerDutyError:
    match status:
        case 401 | 403:
            return PagerDutyError(
                "refuses the token", "Renew PAGERDUTY_TOKEN: a read-only key is enough."
            )
        case 429:
            seconds = headers.get("ratelimit-reset", "60")
            return PagerDutyError(
                "limits the bot's requests at the moment", f"Try again in {seconds} s."
            )
        case 400 | 404:
            problem = "does not know the schedule or the escalation policy it was asked for"
            return PagerDutyError(problem, "Correct its id in RUNBOLT_CONFIG.")
        case _:
            return PagerDutyError(f"failed with status {status}", "Try again in a minute.")
