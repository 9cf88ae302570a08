"""Who is on call, from PagerDuty's REST API (v2), which is only read."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import aiohttp
from pydantic import AfterValidator, BaseModel

from bot import config
from bot.model import OnCall, UserError
from bot.model.text import printable

TIMEOUT_SECONDS = 5.0
PAGE_SIZE = 100  # PagerDuty's maximum
ACCEPT = "application/vnd.pagerduty+json;version=2"


class PagerDutyError(UserError):
    """PagerDuty did not say who is on call."""


class _Reference(BaseModel):
    summary: Annotated[str, AfterValidator(printable)]
    html_url: str | None = None


class _OnCallEntry(BaseModel):
    user: _Reference
    escalation_policy: _Reference
    escalation_level: int
    end: datetime | None = None


class _OnCallsResponse(BaseModel):
    """The part of the response that is read."""

    oncalls: tuple[_OnCallEntry, ...]


class PagerDuty:
    """PagerDuty's API. Opens a connection for each request, as requests are rare."""

    def __init__(self, token: str, api_url: str) -> None:
        self._headers = {"Accept": ACCEPT, "Authorization": f"Token token={token}"}
        self._url = f"{api_url.rstrip('/')}/oncalls"

    async def on_call(self, source: config.OnCallSource) -> tuple[OnCall, ...]:
        """The people on call at the first level, each once. Raises PagerDutyError."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                entries = await self._get(source)
        except TimeoutError as error:
            raise _error(f"did not answer within {TIMEOUT_SECONDS:g} s", "Try again.") from error
        except aiohttp.ClientError as error:
            fix = "Check PAGERDUTY_API_URL and the bot's network."
            raise _error("cannot be reached", fix) from error
        return _first_level(entries)

    async def _get(self, source: config.OnCallSource) -> tuple[_OnCallEntry, ...]:
        params = {"limit": str(PAGE_SIZE), "earliest": "true"}
        if source.schedule:
            params["schedule_ids[]"] = source.schedule
        if source.escalation_policy:
            params["escalation_policy_ids[]"] = source.escalation_policy
        async with (
            aiohttp.ClientSession(headers=self._headers) as session,
            # A redirect would carry the token elsewhere.
            session.get(self._url, params=params, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise _status_error(response.status, response.headers)
            return _parse(await response.read())


def _parse(body: bytes) -> tuple[_OnCallEntry, ...]:
    """The entries of a response; raises PagerDutyError."""
    try:
        return _OnCallsResponse.model_validate_json(body).oncalls
    except ValueError as error:
        fix = "Check that PAGERDUTY_API_URL is PagerDuty's."
        raise _error("answered with something other than its API's JSON", fix) from error


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
            return _error("refuses the token", "Renew PAGERDUTY_TOKEN: a read-only key is enough.")
        case 429:
            seconds = headers.get("ratelimit-reset", "60")
            return _error("limits the bot's requests at the moment", f"Try again in {seconds} s.")
        case 400 | 404:
            problem = "does not know the schedule or the escalation policy it was asked for"
            return _error(problem, "Correct pagerduty in RUNBOLT_CONFIG.")
        case _:
            return _error(f"failed with status {status}", "Try again in a minute.")


def _error(problem: str, fix: str) -> PagerDutyError:
    return PagerDutyError(f"PagerDuty {problem}, so it is not known who is on call. {fix}")
