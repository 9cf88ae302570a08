"""A request as the API server reads it: user, verb and resource."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from sandbox.cluster.errors import bad_request, method_not_allowed
from sandbox.cluster.resources import Resource, find_resource

READ_OPTIONS = {"pretty", "timeout"}
LIST_OPTIONS = READ_OPTIONS | {
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "includeObject",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
}
OPTIONS = {
    "get": READ_OPTIONS | {"includeObject", "resourceVersion"},
    "list": LIST_OPTIONS,
    "watch": LIST_OPTIONS,
}
LOG_OPTIONS = READ_OPTIONS | {
    "container",
    "follow",
    "insecureSkipTLSVerifyBackend",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "tailLines",
    "timestamps",
}
EXEC_OPTIONS = READ_OPTIONS | {
    "command",
    "container",
    "dryRun",
    "stderr",
    "stdin",
    "stdout",
    "tty",
}
BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass
class Request:
    """One line of the audit log."""

    time: datetime
    user: str
    verb: str
    path: str
    query: dict[str, str]
    body: Any = None
    status: int = 0
    dry_run: bool = False
    changed: bool = False


@dataclass
class Target:
    """The resource that a request addresses."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: dict[str, str] = field(default_factory=dict)

    @property
    def resource_path(self) -> str:
        """The resource as RBAC names it: `pods`, `pods/log`."""
        return "/".join(filter(None, (self.resource.plural, self.subresource)))

    def flag(self, name: str) -> bool:
        """A boolean option; raises ApiError (400)."""
        text = self.query.get(name, "false")
        if text.lower() not in ("true", "false", "1", "0", ""):
            raise bad_request(f'strconv.ParseBool: parsing "{text}": invalid syntax')
        return text.lower() in ("true", "1", "")

    def number(self, name: str, least: int | None = 0) -> int | None:
        """A whole-number option; raises ApiError (400)."""
        text = self.query.get(name)
        if text is None:
            return None
        try:
            number = int(text)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
        if least is not None and number < least:
            raise bad_request(f"{name}: Invalid value: {number}: must be at least {least}")
        return number


class NoSuchPath(Exception):
    """The path does not exist; a real server says so in plain text."""


def query_values(request: web.Request) -> dict[str, list[str]]:
    """The query as a real server reads it, without pairs that have `;` or a broken `%`."""
    pairs = request.raw_path.partition("?")[2].split("&")
    accepted = [pair for pair in pairs if ";" not in pair and not BROKEN_ESCAPE.search(pair)]
    return parse_qs("&".join(accepted), keep_blank_values=True)


def parse_target(request: web.Request, path: str) -> Target:
    """Parse method, path and query; raises NoSuchPath or ApiError."""
    resource, namespace, rest = _locate(path)
    name = rest[0] if rest else ""
    target = Target("", resource, namespace, name, rest[1] if len(rest) > 1 else "")
    target.query = {name: values[0] for name, values in query_values(request).items()}
    target.verb = _verb(request.method, target)
    _check_path(target, rest)
    _check_options(target)
    return target


def _locate(path: str) -> tuple[Resource, str, list[str]]:
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        raise NoSuchPath
    if not all(parts):
        raise NoSuchPath
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    resource = find_resource(group, version, parts[0])
    if resource is None or (namespace and not resource.namespaced):
        raise NoSuchPath
    return resource, namespace, parts[1:]


def _verb(method: str, target: Target) -> str:
    if target.subresource:
        verbs = {"POST": "create"} | OBJECT_VERBS
    else:
        verbs = OBJECT_VERBS if target.name else COLLECTION_VERBS
    verb = verbs.get(method)
    if verb is None:
        raise method_not_allowed()
    if verb == "list" and target.flag("watch"):
        return "watch"
    return verb


def _check_path(target: Target, rest: list[str]) -> None:
    resource = target.resource
    if len(rest) > 2 or (target.name and resource.namespaced and not target.namespace):
        raise NoSuchPath
    if not target.subresource:
        if target.verb not in resource.verbs:
            raise method_not_allowed()
        if resource.namespaced and not target.namespace and target.verb not in ("list", "watch"):
            raise method_not_allowed()
        return
    verbs = resource.subresource_verbs(target.subresource)
    if not verbs:
        raise NoSuchPath
    if target.verb not in verbs:
        raise method_not_allowed()


def _check_options(target: Target) -> None:
    """Refuse misspelt options of a read, which a real server ignores as it does those of a write.

    A write is told them all, and must change what it changes on a real server. A read changes
    nothing, so here a mistake is better told.
    """
    known = {"log": LOG_OPTIONS, "exec": EXEC_OPTIONS}.get(target.subresource)
    known = known or OPTIONS.get(target.verb)
    unknown = sorted(set(target.query) - known) if known else []
    if unknown:
        raise bad_request(f"unknown query parameter: {', '.join(unknown)}")
