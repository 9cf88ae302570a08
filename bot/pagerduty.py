"""The one door to PagerDuty: who is on call now, asked of its REST API (v2), which only reads."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import aiohttp
from pydantic import BaseModel

from bot import config
from bot.model import OnCall, UserError

SECONDS = 5.0
MOST = 100  # what one page holds, as PagerDuty says it
ACCEPT = "application/vnd.pagerduty+json;version=2"


class PagerDutyError(UserError):
    """PagerDuty did not say who is on call."""


class _Named(BaseModel):
    summary: str
    html_url: str | None = None


class _Shift(BaseModel):
    user: _Named
    escalation_policy: _Named
    escalation_level: int
    end: datetime | None = None


class _Answer(BaseModel):
    """The part that is read of PagerDuty's own answer, which has much more."""

    oncalls: tuple[_Shift, ...]


class PagerDuty:
    """A connection for each question, which is asked rarely. Raises PagerDutyError."""

    def __init__(self, token: str, api_url: str, asked: config.PagerDuty) -> None:
        self._headers = {"Accept": ACCEPT, "Authorization": f"Token token={token}"}
        self._url = f"{api_url.rstrip('/')}/oncalls"
        self._asked = asked

    async def on_call(self) -> tuple[OnCall, ...]:
        """Who is on call at the first level, each once; empty where nobody is."""
        try:
            async with asyncio.timeout(SECONDS):
                shifts = await self._get()
        except TimeoutError as error:
            raise _mistake(f"gave no answer within {SECONDS:g} s", "Try again.") from error
        except aiohttp.ClientError as error:
            fix = "Check PAGERDUTY_API_URL and the bot's network."
            raise _mistake("cannot be reached", fix) from error
        return _first_level(shifts)

    async def _get(self) -> tuple[_Shift, ...]:
        asked: dict[str, str] = {"limit": str(MOST), "earliest": "true"}
        if self._asked.schedule:
            asked["schedule_ids[]"] = self._asked.schedule
        if self._asked.escalation_policy:
            asked["escalation_policy_ids[]"] = self._asked.escalation_policy
        async with (
            aiohttp.ClientSession(headers=self._headers) as session,
            # A redirect would carry the token elsewhere.
            session.get(self._url, params=asked, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise _refusal(response.status, response.headers)
            return _read(await response.read())


def _read(body: bytes) -> tuple[_Shift, ...]:
    try:
        return _Answer.model_validate_json(body).oncalls
    except ValueError as error:
        fix = "Check that PAGERDUTY_API_URL is PagerDuty's."
        raise _mistake("answered something else than JSON of its API", fix) from error


def _first_level(shifts: Sequence[_Shift]) -> tuple[OnCall, ...]:
    first = {shift.user.summary: shift for shift in shifts if shift.escalation_level == 1}
    return tuple(
        OnCall(
            name=shift.user.summary,
            page=shift.user.html_url,
            policy=shift.escalation_policy.summary,
            until=shift.end,
        )
        for shift in first.values()
    )


def _refusal(status: int, headers: Mapping[str, str]) -> PagerDutyError:
    match status:
        case 401 | 403:
            said, fix = "refuses the token", "Renew PAGERDUTY_TOKEN; a read-only key is enough."
        case 429:
            seconds = headers.get("ratelimit-reset", "60")
            said, fix = "is asked too often at the moment", f"Try again in {seconds} s."
        case 400 | 404:
            said = "does not know the schedule or the escalation policy it was asked for"
            fix = "Correct pagerduty in RUNBOLT_CONFIG."
        case _:
            said, fix = f"failed with status {status}", "Try again in a minute."
    return _mistake(said, fix)


def _mistake(said: str, fix: str) -> PagerDutyError:
    return PagerDutyError(f"PagerDuty {said}, so it is not known who is on call. {fix}")
