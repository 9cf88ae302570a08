"""The HTTP handler: it authenticates, checks and dispatches each request."""

import asyncio
import json
import uuid
from typing import Any

import yaml
from aiohttp import web

from sandbox.cluster import protobuf, reads, writes
from sandbox.cluster.access import review_access, review_rules
from sandbox.cluster.discovery import HEALTH, discover
from sandbox.cluster.errors import (
    ApiError,
    Obj,
    bad_request,
    forbidden,
    unauthorized,
    unsupported_media_type,
)
from sandbox.cluster.execs import execute
from sandbox.cluster.faults import Fault
from sandbox.cluster.openapi import openapi
from sandbox.cluster.options import check_options, options_in_body, options_in_query
from sandbox.cluster.patches import TYPES
from sandbox.cluster.podlogs import LogStream
from sandbox.cluster.requests import NoSuchPath, Request, Target, parse_target, query_values
from sandbox.cluster.resources import ACCESS_REVIEWS, DEPLOYMENTS, RULES_REVIEWS
from sandbox.cluster.scale import scale_of
from sandbox.cluster.serverside import APPLY_PATCH
from sandbox.cluster.state import State
from sandbox.cluster.watching import Watch
from sandbox.cluster.writes import Write

USERS = "/users/"
PUBLIC = (*HEALTH, "/version")
MAX_BODY_BYTES = 3 * 1024 * 1024
DELETES = ("delete", "deletecollection")
RECORD = web.RequestKey("record", Request)


def application(state: State) -> web.Application:
    """The API server as a web application."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", Handler(state).handle)
    app.on_response_prepare.append(_note_status)
    return app


async def _note_status(request: web.Request, response: web.StreamResponse) -> None:
    record = request.get(RECORD)
    if record:
        record.status = response.status
    response.headers["Audit-Id"] = str(uuid.uuid4())
    response.headers.setdefault("Cache-Control", "no-cache, private")


class Handler:
    """Answers every HTTP request."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; an error is sent as a Status object."""
        path, claimed = _split_user(request.path)
        query = {name: values[0] for name, values in query_values(request).items()}
        record = Request(self.state.clock.now(), "", request.method.lower(), path, query)
        request[RECORD] = record
        self.state.requests.append(record)
        try:
            return await self._answer(request, record, claimed)
        except ApiError as refusal:
            return _error_response(refusal)
        except NoSuchPath:
            return web.Response(status=404, text="404 page not found\n")
        except web.HTTPRequestEntityTooLarge:
            message = f"Request entity too large: limit is {MAX_BODY_BYTES}"
            return _error_response(ApiError(413, "RequestEntityTooLarge", message))

    async def _answer(
        self, request: web.Request, record: Request, claimed: str
    ) -> web.StreamResponse:
        path = record.path
        record.user = self._authenticate(request, claimed, path)
        if path in HEALTH:
            return web.Response(text="ok")
        document = discover(path, request.host) or openapi(path)
        if document is not None:
            return await self._discovery(request, record, document)
        target = parse_target(request, path)
        record.verb = target.verb
        self.state.access.check(record.user, target)
        dry_run = await _asks_for_dry_run(request, target)
        faults = self.state.faults.of(target.verb, path, dry_run=dry_run)
        answering = self._answer_with(faults, request, record, target)
        if any(fault.carries_on for fault in faults):
            return await asyncio.shield(self.state.keep(answering))
        return await answering

    async def _answer_with(
        self, faults: list[Fault], request: web.Request, record: Request, target: Target
    ) -> web.StreamResponse:
        for fault in faults:
            if not fault.after:
                await fault.strike()
        response = await self._dispatch(request, record, target)
        for fault in faults:
            if fault.after:
                await fault.strike()
        return response

    def _authenticate(self, request: web.Request, claimed: str, path: str) -> str:
        header = request.headers.get("Authorization", "")
        if header:
            user = self.state.access.authenticate(header)
            if claimed not in ("", user):
                raise unauthorized()
            return user
        if claimed and self.state.access.has_token(claimed):
            return claimed
        if path in PUBLIC and not claimed:
            return "system:anonymous"
        raise unauthorized()

    async def _discovery(
        self, request: web.Request, record: Request, document: Obj
    ) -> web.StreamResponse:
        if request.method != "GET":
            message = f'User "{record.user}" cannot {record.verb} path "{record.path}"'
            raise forbidden("", "", "", message)
        record.verb = "get"
        for fault in self.state.faults.of("get", record.path, dry_run=False):
            await fault.strike()
        return web.json_response(document)

    async def _dispatch(
        self, request: web.Request, record: Request, target: Target
    ) -> web.StreamResponse:
        if target.subresource == "log":
            return await LogStream(self.state, request, target).send()
        if target.subresource == "exec":
            return await execute(self.state, request, target)
        if target.verb == "watch":
            return await Watch(self.state, request, target).run()
        if target.verb == "list":
            objects = reads.list_objects(self.state, target)
            return web.json_response(reads.as_requested(self.state, request, target, objects))
        if target.verb == "get":
            return self._get(request, target)
        return await self._write(request, record, target)

    def _get(self, request: web.Request, target: Target) -> web.Response:
        obj = reads.get(self.state, target)
        if target.subresource == "scale":
            return web.json_response(scale_of(obj))
        return web.json_response(reads.as_requested(self.state, request, target, obj))

    async def _write(
        self, request: web.Request, record: Request, target: Target
    ) -> web.StreamResponse:
        content_type = _content_type(request, target)
        options, record.body = await _read_options(request, target)
        body, record.dry_run = record.body, bool(options.get("dryRun"))
        if target.resource in (ACCESS_REVIEWS, RULES_REVIEWS):
            return self._review(record.user, target, body)
        write = Write(self.state, target, options, request.headers.get("User-Agent", ""))
        # Nothing awaits from here on, so what moves the version is this write.
        before = self.state.store.version
        try:
            answer = _perform(write, content_type, body)
        finally:
            # A refusal may come late: of a collection, some are deleted by then.
            record.changed = self.state.store.version != before
        return self._write_response(request, write, answer)

    def _write_response(self, request: web.Request, write: Write, answer: Obj) -> web.Response:
        target = write.target
        if answer["kind"] == target.resource.kind:
            answer = reads.as_requested(self.state, request, target, answer)
        response = web.json_response(answer, status=_code(write, answer))
        for warning in write.warnings:
            quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{quoted}"')
        return response

    def _review(self, user: str, target: Target, body: Any) -> web.Response:
        if not isinstance(body, dict):
            raise bad_request("the body of a review is an object")
        review = review_access if target.resource is ACCESS_REVIEWS else review_rules
        reviewed = review(self.state.access, user, body)
        kind = {"kind": target.resource.kind, "apiVersion": target.resource.api_version}
        return web.json_response(kind | {"metadata": {}} | reviewed, status=201)


def _perform(write: Write, content_type: str, body: Any) -> Obj:
    match write.target.verb:
        case "create":
            return writes.create(write, body)
        case "update":
            return writes.update(write, body)
        case "patch":
            return writes.patch(write, content_type, body)
        case "deletecollection":
            return writes.delete_collection(write)
    return writes.delete(write)


def _code(write: Write, answer: Obj) -> int:
    if write.target.verb == "create":
        return 201
    # Of a deletion that takes its time the server says so, if told that nothing shall be orphaned.
    takes_time = write.options.get("orphanDependents") is False and write.target.verb == "delete"
    return 202 if takes_time and answer["metadata"].get("deletionGracePeriodSeconds") else 200


def _split_user(path: str) -> tuple[str, str]:
    """Split the user off a path: kubectl sends no token over plain HTTP."""
    if not path.startswith(USERS):
        return path, ""
    user, _, rest = path.removeprefix(USERS).partition("/")
    return f"/{rest}", user


def _content_type(request: web.Request, target: Target) -> str:
    accepted: tuple[str, ...] = TYPES if target.verb == "patch" else ("application/json",)
    if target.verb == "patch" and target.resource is DEPLOYMENTS and not target.subresource:
        accepted += (APPLY_PATCH,)
    if target.resource in (ACCESS_REVIEWS, RULES_REVIEWS):
        accepted += (protobuf.CONTENT_TYPE,)
    # Without the header a body is JSON; only a patch must say what it is.
    is_named = "Content-Type" in request.headers or target.verb == "patch"
    content_type = request.content_type if is_named else "application/json"
    has_no_body = target.verb in DELETES and not request.can_read_body
    if not has_no_body and content_type not in accepted:
        raise unsupported_media_type(accepted)
    return content_type


async def _asks_for_dry_run(request: web.Request, target: Target) -> bool:
    """Whether it is a dry run; a request whose options are wrong is none, and is refused later."""
    if target.verb not in (*DELETES, "create", "patch", "update"):
        return False
    try:
        options, _ = await _read_options(request, target)
    except ApiError:
        return False
    return bool(options.get("dryRun"))


async def _read_options(request: web.Request, target: Target) -> tuple[Obj, Any]:
    """The options and the body of a write; the body is None when there is none."""
    raw, verb = await request.read(), target.verb
    if raw and verb in DELETES:
        body = _decoded(request, raw)
        options = options_in_body(body)
    else:
        options, body = options_in_query(verb, query_values(request)), None
    check_options(verb, options, applies=request.content_type == APPLY_PATCH)
    return options, body if verb in DELETES else _decoded(request, raw)


def _decoded(request: web.Request, raw: bytes) -> Any:
    if not raw:
        raise bad_request("the request has no body")
    if request.content_type == protobuf.CONTENT_TYPE:
        return protobuf.decode_review(raw)
    if request.content_type == APPLY_PATCH:
        return _decoded_yaml(raw)
    try:
        return json.loads(raw.decode(errors="replace"), parse_constant=_refuse_constant)
    except ValueError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None


def _decoded_yaml(raw: bytes) -> Any:
    try:
        return yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from None


def _refuse_constant(name: str) -> Any:
    """Python reads NaN and Infinity, which are no JSON."""
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


def _error_response(refusal: ApiError) -> web.Response:
    response = web.json_response(refusal.body(), status=refusal.code)
    if refusal.code in (429, 503):
        response.headers["Retry-After"] = "1"
    return response
