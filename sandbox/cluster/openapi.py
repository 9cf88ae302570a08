"""The part of OpenAPI v3 that kubectl needs to see that the server validates fields."""

from sandbox.cluster.errors import Obj
from sandbox.cluster.resources import RESOURCES, Resource

ROOT = "/openapi/v3"


def openapi(path: str) -> Obj | None:
    """The index, or the document of one group; None for any other path."""
    groups = dict.fromkeys(_path(resource) for resource in RESOURCES)
    if path == ROOT:
        urls = {group: {"serverRelativeURL": f"{ROOT}/{group}?hash=1"} for group in groups}
        return {"paths": urls}
    group = path.removeprefix(f"{ROOT}/")
    if group not in groups:
        return None
    resources = [
        resource for resource in RESOURCES if _path(resource) == group and "patch" in resource.verbs
    ]
    paths = {
        f"/{group}/namespaces/{{namespace}}/{resource.plural}/{{name}}": _operation(resource)
        for resource in resources
    }
    info = {"title": "Kubernetes", "version": "v1.32.4"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


def _path(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _operation(resource: Resource) -> Obj:
    kind = {"group": resource.group, "kind": resource.kind, "version": resource.version}
    parameter = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
    patch = {"x-kubernetes-group-version-kind": kind, "x-kubernetes-action": "patch"}
    return {"patch": patch | {"parameters": [parameter], "responses": {}}}
