"""The discovery API: version, groups and resources."""

from sandbox.cluster.errors import Obj
from sandbox.cluster.resources import GROUPS, RESOURCES, Resource

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.4",
    "gitCommit": "59526cd4867447956156ae3a602fcbac10a2c335",
    "gitTreeState": "clean",
    "buildDate": "2025-04-22T16:02:27Z",
    "goVersion": "go1.23.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
HEALTH = ("/healthz", "/livez", "/readyz")


def discover(path: str, address: str) -> Obj | None:
    """The answer for a discovery path; None for any other path."""
    path = path.rstrip("/")
    if path == "/version":
        return VERSION
    if path == "/api":
        return _core(address)
    if path == "/apis":
        groups = [_group(group) for group in dict.fromkeys(group for group, _ in GROUPS)]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if path == "/api/v1":
        return _resources("", "v1")
    for group, version in GROUPS:
        if path == f"/apis/{group}":
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group)
        if path == f"/apis/{group}/{version}":
            return _resources(group, version)
    return None


def _core(address: str) -> Obj:
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def _group(group: str) -> Obj:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for name, version in GROUPS
        if name == group
    ]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version: str) -> Obj:
    resources = [
        resource for resource in RESOURCES if (resource.group, resource.version) == (group, version)
    ]
    entries = [entry for resource in resources for entry in _entries(resource)]
    name = f"{group}/{version}" if group else version
    start = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if group else {})
    return start | {"groupVersion": name, "resources": entries}


def _entries(resource: Resource) -> list[Obj]:
    main: Obj = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        main["shortNames"] = list(resource.short)
    if resource.categories:
        main["categories"] = list(resource.categories)
    return [main, *(_subresource(resource, *subresource) for subresource in resource.subresources)]


def _subresource(resource: Resource, name: str, kind: str, verbs: tuple[str, ...]) -> Obj:
    entry: Obj = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": list(verbs),
    }
    return entry | ({"group": "autoscaling", "version": "v1"} if kind == "Scale" else {})
