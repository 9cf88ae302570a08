"""The Web API: authentication, scopes, rate limits, and the answer of each method."""

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from sandbox.slack.args import Args, check_names
from sandbox.slack.core import Core
from sandbox.slack.errors import Obj, SlackError
from sandbox.slack.faults import Fault
from sandbox.slack.limits import RateLimited
from sandbox.slack.methods import BY_APP_TOKEN, METHODS, Method
from sandbox.slack.model import Call

MAX_CALLS = 5_000
UNAVAILABLE = "<!doctype html><title>Slack</title><h1>Something is wrong on our side</h1>"
# Slack takes these with every method, and its SDK sends them along.
NOT_ARGUMENTS = ("token", "team_id")


class Api:
    """Answers `POST /api/METHOD` and records every call."""

    def __init__(self, core: Core, latency: float) -> None:
        self.core = core
        self.latency = latency
        self.in_flight = 0

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        arguments, token = await _read(request)
        call = Call(time.time(), request.match_info["method"], arguments or {})
        started = time.perf_counter()
        self.in_flight += 1
        call.in_flight = self.in_flight
        self._remember(call)
        try:
            await asyncio.sleep(self.latency / 2)
            if arguments is None:
                return _respond(call, {"ok": False, "error": "invalid_json"})
            response = await self._answer(call, token)
            await asyncio.sleep(self.latency / 2)
            return response
        finally:
            self.in_flight -= 1
            call.seconds = time.perf_counter() - started

    def _remember(self, call: Call) -> None:
        calls = self.core.workspace.calls
        calls.append(call)
        del calls[:-MAX_CALLS]

    async def _answer(self, call: Call, token: str) -> web.Response:
        fault = self.core.faults.take(call.method)
        if fault is None:
            return self._perform(call, token)
        done = self._perform(call, token) if fault.after else None
        if fault.hang:
            await fault.healed.wait()
            return done or self._perform(call, token)
        return self._fault_response(call, fault)

    def _perform(self, call: Call, token: str) -> web.Response:
        try:
            answer = {"ok": True, **self._call(call.method, call.arguments, token)}
        except RateLimited as limited:
            return _rate_limited(call, limited.seconds)
        except SlackError as refused:
            answer = refused.answer
        return _respond(call, answer)

    def _call(self, name: str, arguments: Obj, token: str) -> Obj:
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        self._check_token(name, token)
        self._check_scope(method)
        channel = str(arguments.get("channel", "")) if method.per_channel else ""
        self.core.limits.take(name, method.tier, channel)
        check_names(arguments, method.required, method.known)
        return method.handler(self.core, Args(arguments))

    def _check_token(self, name: str, token: str) -> None:
        if not token:
            raise SlackError("not_authed")
        if token not in (self.core.bot_token, self.core.app_token):
            raise SlackError("invalid_auth")
        if (token == self.core.app_token) != (name in BY_APP_TOKEN):
            raise SlackError("not_allowed_token_type")

    def _check_scope(self, method: Method) -> None:
        granted = self.core.manifest.scopes | {"connections:write"}
        if method.scopes and not granted.intersection(method.scopes):
            raise self._missing_scope(method)

    def _missing_scope(self, method: Method) -> SlackError:
        provided = ",".join(sorted(self.core.manifest.scopes))
        return SlackError("missing_scope", needed=",".join(method.scopes), provided=provided)

    def _fault_response(self, call: Call, fault: Fault) -> web.Response:
        if fault.ratelimited is not None:
            return _rate_limited(call, fault.ratelimited)
        if fault.status is not None or fault.body is not None:
            return _page(call, fault)
        refused = SlackError(fault.error or "internal_error")
        if refused.code == "missing_scope" and METHODS[call.method].scopes:
            refused = self._missing_scope(METHODS[call.method])
        return _respond(call, refused.answer)


async def _read(request: web.Request) -> tuple[Obj | None, str]:
    """The arguments of a call from query and body (None if not valid JSON), and its token."""
    arguments: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        body = await _json(request)
        if body is None:
            return None, ""
        arguments |= body
    elif request.can_read_body:
        arguments |= dict((await request.post()).items())
    token = str(arguments.get("token", ""))
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        token = header.removeprefix("Bearer ").strip()
    return {k: v for k, v in arguments.items() if k not in NOT_ARGUMENTS and v is not None}, token


async def _json(request: web.Request) -> Obj | None:
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _respond(call: Call, answer: Obj, status: int = 200, **headers: str) -> web.Response:
    call.answer, call.status = json.loads(json.dumps(answer)), status
    return web.json_response(answer, status=status, headers=headers)


def _rate_limited(call: Call, seconds: int) -> web.Response:
    answer = {"ok": False, "error": "ratelimited"}
    return _respond(call, answer, 429, **{"Retry-After": str(seconds)})


def _page(call: Call, fault: Fault) -> web.Response:
    """What a proxy or a broken server answers in Slack's place."""
    status = fault.status or 200
    call.answer, call.status = {"ok": False, "error": f"http_{status}"}, status
    body = UNAVAILABLE if fault.body is None else fault.body
    kind = "text/html" if body.startswith("<") else "application/json"
    return web.Response(status=status, text=body, content_type=kind)
