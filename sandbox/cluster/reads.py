"""Get and list: selectors, pages, and the format that the client accepts."""

import base64
import json
from typing import Any

from aiohttp import web

from sandbox.cluster.errors import Obj, bad_request, not_acceptable, not_found
from sandbox.cluster.metrics import metrics_of
from sandbox.cluster.requests import Target
from sandbox.cluster.resources import NODE_METRICS, POD_METRICS
from sandbox.cluster.selectors import Test, field_test, label_test
from sandbox.cluster.state import State
from sandbox.cluster.tables import table


def wants_table(request: web.Request) -> bool:
    """Whether the client prefers a Table; raises ApiError (406) when it accepts neither form."""
    for clause in request.headers.get("Accept", "*/*").split(","):
        kind, *parameters = (part.strip() for part in clause.split(";"))
        options = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        if kind not in ("application/json", "application/*", "*/*", ""):
            continue
        if options.get("as") == "Table" and options.get("v") == "v1":
            return True
        if "as" not in options:
            return False
    raise not_acceptable()


def as_requested(state: State, request: web.Request, target: Target, body: Obj) -> Obj:
    """An object or a list in the format that the client accepts."""
    if not wants_table(request) or target.resource in (POD_METRICS, NODE_METRICS):
        return body
    listed = "items" in body
    version = body["metadata"].get("resourceVersion", "")
    objects = body["items"] if listed else [body]
    rendered = table(target.resource, objects, version, state.clock.now())
    rendered["metadata"] |= {
        key: body["metadata"][key]
        for key in ("continue", "remainingItemCount")
        if listed and key in body["metadata"]
    }
    if target.query.get("includeObject") == "Object":
        for row, obj in zip(rendered["rows"], objects, strict=True):
            row["object"] = obj
    return rendered


def get(state: State, target: Target) -> Obj:
    """One object; raises ApiError (404)."""
    if target.resource in (POD_METRICS, NODE_METRICS):
        matching = [
            obj
            for obj in metrics_of(state, target.resource, target.namespace)
            if obj["metadata"]["name"] == target.name
        ]
        if not matching:
            raise not_found(target.resource.group, target.resource.plural, target.name)
        return matching[0]
    return state.store.get(target.resource, target.namespace, target.name)


def request_test(target: Target) -> Test:
    """The test for the objects that a request's namespace and selectors match."""
    labels = label_test(target.query.get("labelSelector", ""))
    fields = field_test(target.resource.plural, target.query.get("fieldSelector", ""))

    def test(obj: Obj) -> bool:
        at_home = target.namespace in ("", obj["metadata"].get("namespace", ""))
        return at_home and labels(obj) and fields(obj)

    return test


def select_objects(state: State, target: Target) -> list[Obj]:
    """The objects that match a request's selectors."""
    test = request_test(target)
    if target.resource in (POD_METRICS, NODE_METRICS):
        return [obj for obj in metrics_of(state, target.resource, target.namespace) if test(obj)]
    return [obj for obj in state.store.list(target.resource, target.namespace) if test(obj)]


def list_objects(state: State, target: Target) -> Obj:
    """A list, or one page of it."""
    target.number("resourceVersion")
    objects = select_objects(state, target)
    meta: dict[str, Any] = {"resourceVersion": str(state.store.version)}
    # A real server has no objection to negative numbers here, and makes nothing of them.
    target.number("timeoutSeconds", least=None)
    limit = max(0, target.number("limit", least=None) or 0)
    if token := target.query.get("continue"):
        after = _read_token(token)
        objects = [obj for obj in objects if _sort_key(obj) > after]
    if limit and len(objects) > limit:
        meta["continue"] = _token(objects[limit - 1], state.store.version)
        # With a selector the real server does not know how many are left either.
        if not target.query.get("labelSelector") and not target.query.get("fieldSelector"):
            meta["remainingItemCount"] = len(objects) - limit
        objects = objects[:limit]
    resource = target.resource
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": meta,
        "items": objects,
    }


def _sort_key(obj: Obj) -> list[str]:
    return [obj["metadata"].get("namespace", ""), obj["metadata"]["name"]]


def _token(obj: Obj, version: int) -> str:
    content = {"v": "meta.k8s.io/v1", "rv": version, "start": _sort_key(obj)}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _read_token(token: str) -> list[str]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return [str(part) for part in content["start"]]
    except (ValueError, KeyError, TypeError):
        raise bad_request("continue key is not valid") from None


def container_of(pod: Obj, wanted: str | None) -> str:
    """The container's name; raises ApiError (400) when it is unknown or one of several."""
    names = [str(container["name"]) for container in pod["spec"]["containers"]]
    inits = [str(container["name"]) for container in pod["spec"].get("initContainers") or []]
    name = pod["metadata"]["name"]
    if wanted:
        if wanted not in (*names, *inits):
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(names) > 1:
        listed = f"[{' '.join(names)}]"
        if inits:
            listed += f" or one of the init containers: [{' '.join(inits)}]"
        raise bad_request(
            f"a container name must be specified for pod {name}, choose one of: {listed}"
        )
    return names[0]
