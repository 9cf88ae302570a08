"""Create, update, patch and delete, with everything that may refuse them."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.cluster import defaults
from sandbox.cluster.clock import stamp
from sandbox.cluster.controllers import leave_last, let_go
from sandbox.cluster.errors import (
    ApiError,
    Obj,
    Problem,
    about,
    bad_request,
    conflict,
    invalid,
    not_found,
)
from sandbox.cluster.patches import apply_patch
from sandbox.cluster.quotas import check_quota
from sandbox.cluster.reads import selected
from sandbox.cluster.replicasets import delete_pod
from sandbox.cluster.requests import Target
from sandbox.cluster.resources import NAMESPACES, PODS, Resource
from sandbox.cluster.scale import scale_of, scaled
from sandbox.cluster.schema import prune, prune_kind
from sandbox.cluster.state import State
from sandbox.cluster.store import born, fresh
from sandbox.cluster.validation import check, check_shape

KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
PROPAGATION = ("Background", "Foreground", "Orphan")
VALIDATION = ("Ignore", "Strict", "Warn")


@dataclass
class Write:
    """One write: where it goes, and how much of it is meant."""

    state: State
    target: Target
    dry: bool
    warnings: list[str] = field(default_factory=list)

    @property
    def resource(self) -> Resource:
        """The resource that is written."""
        return self.target.resource

    def current(self) -> Obj:
        """The object as it is."""
        return self.state.store.get(self.resource, self.target.namespace, self.target.name)

    def strictness(self) -> str:
        """What happens to fields that nobody knows."""
        asked = self.target.query.get("fieldValidation") or "Warn"
        if asked not in VALIDATION:
            wrong = Problem.unsupported("fieldValidation", asked, VALIDATION)
            raise invalid("meta.k8s.io", "CreateOptions", "", [wrong])
        return asked

    def known_fields(self, sent: Obj, kind: str = "") -> tuple[Obj, str]:
        """What was sent without unknown fields, and the complaint that Strict makes of them."""
        kept, unknown = prune_kind(kind, "v1", sent) if kind else prune(self.resource, sent)
        complaints = [f'unknown field "{path}"' for path in unknown]
        strictness = self.strictness()
        if strictness == "Warn":
            self.warnings += complaints
        return kept, ", ".join(complaints) if strictness == "Strict" else ""


def create(write: Write, body: Any) -> Obj:
    """Add an object."""
    target, resource, store = write.target, write.resource, write.state.store
    sent = _decoded(write, body)
    meta = sent["metadata"]
    if resource.namespaced:
        _same_namespace(meta, target)
        if store.find(NAMESPACES, "", target.namespace) is None:
            raise not_found("", "namespaces", target.namespace)
        meta["namespace"] = target.namespace
    if meta.get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    for key in (*KEPT, "resourceVersion"):
        meta.pop(key, None)
    sent.pop("status", None)
    made = born(resource, _complete(resource, sent), "")
    made["metadata"].pop("creationTimestamp")
    check(resource, made, None)
    return _add(write, made)


def _add(write: Write, made: Obj) -> Obj:
    resource, store = write.resource, write.state.store
    if resource is PODS:
        check_quota(store, made)
        made["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
    if "spec" in made and resource.group == "apps":
        made["metadata"]["generation"] = 1
        made["status"] = {}
    if not write.dry:
        return store.create(resource, made)
    meta = made["metadata"]
    if store.find(resource, meta.get("namespace", ""), meta["name"]):
        # Also a rehearsal says that the name is taken.
        return store.create(resource, made)
    return born(resource, made, stamp(write.state.clock.now()))


def _decoded(write: Write, body: Any) -> Obj:
    resource = write.resource
    sent = _object(body, resource.kind)
    claims = (sent.get("apiVersion") or resource.api_version, sent.get("kind") or resource.kind)
    if claims != (resource.api_version, resource.kind):
        raise bad_request(
            f"{claims[1]} in version {claims[0]!r} cannot be handled as a {resource.kind}: "
            f"no kind {claims[1]!r} is registered for this path"
        )
    kept, complaint = write.known_fields(sent)
    if complaint:
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: strict decoding error: {complaint}"
        )
    kept["metadata"] = kept.get("metadata") or {}
    return kept


def _object(body: Any, kind: str) -> Obj:
    if not isinstance(body, dict):
        raise bad_request(f"couldn't get version/kind; json parse error: {kind} is no object")
    return body


def _same_object(meta: Obj, target: Target) -> None:
    sent, name = meta.get("name", ""), target.name
    if sent != name:
        raise bad_request(
            f"the name of the object ({sent}) does not match the name on the URL ({name})"
        )
    _same_namespace(meta, target)


def _same_namespace(meta: Obj, target: Target) -> None:
    if meta.get("namespace") not in (None, "", target.namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _complete(resource: Resource, obj: Obj) -> Obj:
    check_shape(resource, obj)
    done = fresh(obj)
    defaults.complete(resource.kind, done)
    return done


def update(write: Write, body: Any) -> Obj:
    """Replace an object, its status or its scale."""
    before = write.current()
    if write.target.subresource == "scale":
        sent, complaint = write.known_fields(_object(body, "Scale"), "Scale")
        if complaint:
            raise bad_request(
                'Scale in version "v1" cannot be handled as a Scale: '
                f"strict decoding error: {complaint}"
            )
        return _rescale(write, before, sent)
    return _replace(write, before, _decoded(write, body))


def patch(write: Write, content_type: str, body: Any) -> Obj:
    """Change a part of an object, its status or its scale."""
    before = write.current()
    scale = write.target.subresource == "scale"
    patched = apply_patch(content_type, scale_of(before) if scale else before, body)
    sent, complaint = write.known_fields(patched, "Scale" if scale else "")
    if complaint:
        shown = body if isinstance(body, list) else _go_map(body)
        wrong = Problem.value("patch", str(shown), f"strict decoding error: {complaint}")
        raise invalid("", "", "", [wrong])
    kind = ("Scale", "autoscaling/v1") if scale else (before["kind"], before["apiVersion"])
    if (sent.get("kind"), sent.get("apiVersion")) != kind:
        raise bad_request(f"the kind and the version of a {kind[0]} cannot be patched")
    sent["metadata"] = sent.get("metadata") or {}
    return _rescale(write, before, sent) if scale else _replace(write, before, sent)


def _go_map(value: Any) -> str:
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go_map(one)}' for key, one in value.items())}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go_map, value))}]"
    return "<nil>" if value is None else str(value)


def _rescale(write: Write, before: Obj, sent: Obj) -> Obj:
    _same_object(sent.get("metadata") or {}, write.target)
    made = scaled(before, sent)
    return scale_of(_commit(write, made, before))


def _replace(write: Write, before: Obj, sent: Obj) -> Obj:
    meta = sent["metadata"]
    _same_object(meta, write.target)
    if write.target.subresource == "status":
        made = fresh(before) | {"status": sent.get("status") or {}}
        made["metadata"]["resourceVersion"] = meta.get("resourceVersion")
        return _commit(write, made, before)
    made = _complete(write.resource, sent)
    made["status"] = before.get("status", {})
    _keep_identity(made["metadata"], before["metadata"])
    return _commit(write, made, before)


def _keep_identity(meta: Obj, old: Obj) -> None:
    if meta.get("uid") not in (None, old["uid"]):
        raise ApiError(
            409,
            "Conflict",
            f"Precondition failed: UID in precondition: {meta['uid']}, "
            f"UID in object meta: {old['uid']}",
        )
    for key in (*KEPT, "name", "namespace"):
        if key in old:
            meta[key] = old[key]
        else:
            meta.pop(key, None)


def _commit(write: Write, made: Obj, before: Obj) -> Obj:
    resource = write.resource
    check(resource, made, before)
    grown = resource.group == "apps" and made.get("spec") != before.get("spec")
    if grown:
        made["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
    held = before["metadata"]["resourceVersion"]
    if made["metadata"].get("resourceVersion") not in (None, "", held):
        raise conflict(resource.group, resource.plural, before["metadata"]["name"])
    made["metadata"]["resourceVersion"] = held
    return made if write.dry else write.state.store.update(resource, made)


def delete(write: Write, options: Any) -> Obj:
    """Take one object away, or begin to."""
    return _delete(write, write.current(), _delete_options(write.target, options))


def delete_collection(write: Write, options: Any) -> Obj:
    """Take everything away that the selectors name."""
    asked = _delete_options(write.target, options)
    gone = [_delete(write, one, asked) for one in selected(write.state, write.target)]
    resource = write.resource
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(write.state.store.version)},
        "items": gone,
    }


def _delete_options(target: Target, body: Any) -> Obj:
    options, unknown = prune_kind(
        "DeleteOptions", "v1", _object({} if body is None else body, "DeleteOptions")
    )
    if unknown:
        raise bad_request(f'strict decoding error: unknown field "{unknown[0]}"')
    if (grace := target.number("gracePeriodSeconds")) is not None:
        options["gracePeriodSeconds"] = grace
    if policy := target.query.get("propagationPolicy"):
        options["propagationPolicy"] = policy
    policy = options.get("propagationPolicy")
    problems = []
    if policy and policy not in PROPAGATION:
        problems.append(Problem.unsupported("propagationPolicy", policy, PROPAGATION))
    if (options.get("gracePeriodSeconds") or 0) < 0:
        wrong = options["gracePeriodSeconds"]
        problems.append(Problem.value("gracePeriodSeconds", wrong, "must be at least 0"))
    if problems:
        raise invalid("meta.k8s.io", "DeleteOptions", "", problems)
    return options


def _delete(write: Write, obj: Obj, options: Obj) -> Obj:
    resource, meta = write.resource, obj["metadata"]
    for field_name, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted = (options.get("preconditions") or {}).get(field_name)
        if wanted not in (None, meta[field_name]):
            why = (
                f"Precondition failed: {label} in precondition: {wanted}, "
                f"{label} in object meta: {meta[field_name]}"
            )
            raise conflict(resource.group, resource.plural, meta["name"], why)
    if write.dry:
        return obj if resource is PODS else _deleted(resource, obj)
    if resource is PODS:
        store, clock = write.state.store, write.state.clock
        return delete_pod(store, clock, obj, options.get("gracePeriodSeconds"))
    return _delete_owner(write, obj, options.get("propagationPolicy"))


def _delete_owner(write: Write, obj: Obj, policy: str | None) -> Obj:
    store, resource = write.state.store, write.resource
    if policy == "Foreground" and resource.group == "apps":
        return leave_last(store, write.state.clock, resource, obj)
    if policy == "Orphan":
        let_go(store, obj)
    store.remove(resource, obj)
    return _deleted(resource, obj)


def _deleted(resource: Resource, obj: Obj) -> Obj:
    meta = obj["metadata"]
    status: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    details = about(resource.group, resource.plural, meta["name"], uid=meta["uid"])
    return status | {"details": details}
