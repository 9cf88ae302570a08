"""A simulated PagerDuty REST API (v2): who is on call."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from sandbox.loopback import LoopbackServer

ACCEPT = "application/vnd.pagerduty+json;version=2"
PARAMETERS = {
    *("limit", "offset", "total", "earliest", "since", "until", "time_zone"),
    *("schedule_ids[]", "escalation_policy_ids[]", "user_ids[]", "include[]"),
}
INCLUDED = {"users", "schedules", "escalation_policies"}
MAX_PAGE = 100

Obj = dict[str, Any]


@dataclass
class Shift:
    """One on-call shift; without an end it lasts until it is changed.

    A user's e-mail address is told only to who asks for the whole user.
    """

    name: str
    level: int = 1
    schedule: str | None = "PSCHED1"
    policy: str = "PPOLICY"
    end: str | None = None
    email: str = ""
    user: str = "PUSER01"
    service: str = "Order Service"


@dataclass
class PagerDuty(LoopbackServer):
    """The API on loopback; `status` and `hang` make it fail, `body` replaces its answer.

    One that `ignores_filters` answers with everybody on call, as a proxy may that drops parameters.
    """

    token: str = "u+sandbox-read-only"
    shifts: list[Shift] = field(default_factory=lambda: [Shift("Maya Okafor")])
    status: int | None = None
    hang: bool = False
    body: str | None = None
    ignores_filters: bool = False
    requests: list[Obj] = field(default_factory=list)

    def __post_init__(self) -> None:
        server = web.Server(self._handle, access_log=None)
        super().__init__(web.ServerRunner(server, shutdown_timeout=0.1))

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self.requests.append({"path": request.path, "query": list(request.query.items())})
        if self.hang:
            await asyncio.Event().wait()
        if self.status is not None:
            return _error(self.status, "On purpose")
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if self.body is not None:
            return web.Response(text=self.body)
        return web.json_response(self._page(request))

    def _refusal(self, request: web.BaseRequest) -> web.Response | None:
        if request.headers.get("Authorization") != f"Token token={self.token}":
            return _error(401, "Unauthorized")
        if (request.method, request.path) != ("GET", "/oncalls"):
            return _error(404, "Not Found")
        if request.headers.get("Accept") != ACCEPT:
            return _error(406, "Accept must name version 2 of the API")
        mistakes = list(self._mistakes(request))
        return _error(400, "Invalid Input Provided", mistakes) if mistakes else None

    def _mistakes(self, request: web.BaseRequest) -> list[str]:
        query = request.query
        mistakes = [f"{name} is not a parameter" for name in query if name not in PARAMETERS]
        limit = query.get("limit", "25")
        if not limit.isdecimal() or not 1 <= int(limit) <= MAX_PAGE:
            mistakes.append("Limit must be from 1 to 100")
        if not query.get("offset", "0").isdecimal():
            mistakes.append("Offset must be a number")
        unknown = set(query.getall("include[]", [])) - INCLUDED
        mistakes += [f"Include does not know {name}" for name in sorted(unknown)]
        known = {shift.schedule for shift in self.shifts} | {shift.policy for shift in self.shifts}
        wanted = query.getall("schedule_ids[]", []) + query.getall("escalation_policy_ids[]", [])
        return mistakes + [
            f"{object_id} was not found" for object_id in wanted if object_id not in known
        ]

    def _page(self, request: web.BaseRequest) -> Obj:
        schedules = request.query.getall("schedule_ids[]", [])
        policies = request.query.getall("escalation_policy_ids[]", [])
        shifts = [
            shift
            for shift in self.shifts
            if self.ignores_filters
            or (
                (not schedules or shift.schedule in schedules)
                and (not policies or shift.policy in policies)
            )
        ]
        limit = int(request.query.get("limit", "25"))
        offset = int(request.query.get("offset", "0"))
        whole = "users" in request.query.getall("include[]", [])
        shown = [_as_oncall(shift, whole=whole) for shift in shifts[offset : offset + limit]]
        more = len(shifts) > offset + limit
        return {"oncalls": shown, "limit": limit, "offset": offset, "more": more, "total": None}


def _error(status: int, message: str, errors: list[str] | None = None) -> web.Response:
    headers = {"ratelimit-limit": "960", "ratelimit-remaining": "0", "ratelimit-reset": "17"}
    body: Obj = {"error": {"message": message, "code": 2000 + status, "errors": errors or []}}
    return web.json_response(body, status=status, headers=headers if status == 429 else None)


def _as_oncall(shift: Shift, *, whole: bool) -> Obj:
    user = _reference("user", shift.user, shift.name)
    if whole:
        user |= {"type": "user", "name": shift.name, "email": shift.email}
    schedule = shift.schedule and _reference(
        "schedule", shift.schedule, f"{shift.service}, primary"
    )
    return {
        "escalation_policy": _reference("escalation_policy", shift.policy, shift.service),
        "escalation_level": shift.level,
        "schedule": schedule,
        "user": user,
        "start": "2026-11-24T08:00:00Z",
        "end": shift.end,
    }


def _reference(kind: str, object_id: str, summary: str) -> Obj:
    places = {"escalation_policy": "escalation_policies", "schedule": "schedules", "user": "users"}
    return {
        "id": object_id,
        "type": f"{kind}_reference",
        "summary": summary,
        "self": f"https://api.pagerduty.com/{places[kind]}/{object_id}",
        "html_url": f"https://tickettoken.pagerduty.com/{places[kind]}/{object_id}",
    }
