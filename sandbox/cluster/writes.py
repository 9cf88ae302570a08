"""Create, update, patch and delete, with every check of a real server."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.cluster import defaults, serverside
from sandbox.cluster.admission import admit_pod
from sandbox.cluster.clock import stamp
from sandbox.cluster.controllers import (
    FINALIZERS,
    delete_in_foreground,
    orphan_dependents,
    with_finalizer,
)
from sandbox.cluster.errors import (
    ApiError,
    FieldError,
    Obj,
    bad_request,
    conflict,
    invalid,
    not_found,
    status_details,
)
from sandbox.cluster.managed_fields import Path, Writer, leaves_of
from sandbox.cluster.patches import (
    JSON_PATCH,
    STRATEGIC_PATCH,
    apply_patch,
    unknown_in_operations,
)
from sandbox.cluster.reads import list_objects
from sandbox.cluster.replicasets import delete_pod, terminating
from sandbox.cluster.requests import Target
from sandbox.cluster.resources import NAMESPACES, PODS, Resource
from sandbox.cluster.scale import scale_of, with_scale
from sandbox.cluster.schema import prune, prune_kind
from sandbox.cluster.state import State
from sandbox.cluster.store import editable_copy, with_server_fields
from sandbox.cluster.validation import check, check_required_parts

PRECONDITIONS = (
    ("uid", "UID", "deleted and then recreated"),
    ("resourceVersion", "ResourceVersion", "modified"),
)
SERVER_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)


@dataclass
class Write:
    """One write: its target and its options."""

    state: State
    target: Target
    options: Obj
    user_agent: str = ""
    applied: frozenset[Path] = frozenset()
    warnings: list[str] = field(default_factory=list)

    @property
    def dry_run(self) -> bool:
        """Whether it is a dry run."""
        return bool(self.options.get("dryRun"))

    @property
    def resource(self) -> Resource:
        """The resource that is written."""
        return self.target.resource

    @property
    def writer(self) -> Writer:
        """Who owns what is written: the field manager, or else the client's name."""
        manager = self.options.get("fieldManager") or self.user_agent.partition("/")[0]
        operation = "Apply" if self.applied else "Update"
        return Writer(manager, self.target.subresource, operation, self.applied)

    def current(self) -> Obj:
        """The object as it is now; raises ApiError (404)."""
        return self.state.store.get(self.resource, self.target.namespace, self.target.name)

    def check_policies(self) -> None:
        """Raise ApiError (422) when a policy of the cluster denies the write."""
        for policy in self.state.policies:
            policy.check(self.resource, self.target.name)

    def field_validation(self) -> str:
        """How unknown fields are handled: Ignore, Warn or Strict."""
        return self.options.get("fieldValidation") or "Warn"

    def known_fields(
        self, sent: Obj, kind: str = "", earlier: Sequence[str] = ()
    ) -> tuple[Obj, str]:
        """The sent object without unknown fields, and the error text that Strict makes of them.

        `odd` are complaints of what is wrong already.
        """
        kept, unknown = prune_kind(kind, "v1", sent) if kind else prune(self.resource, sent)
        complaints = [*earlier, *(f'unknown field "{path}"' for path in unknown)]
        strictness = self.field_validation()
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
    for key in (*SERVER_FIELDS, "resourceVersion"):
        meta.pop(key, None)
    sent.pop("status", None)
    added = with_server_fields(resource, _complete(resource, sent), "")
    added["metadata"].pop("creationTimestamp")
    check(resource, added, None)
    return _add(write, added)


def _add(write: Write, added: Obj) -> Obj:
    resource, store = write.resource, write.state.store
    write.check_policies()
    if resource is PODS:
        admit_pod(store, added)
        added["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
    if "spec" in added and resource.group == "apps":
        added["metadata"]["generation"] = 1
        added["status"] = {}
    if not write.dry_run:
        return store.create(resource, added, write.writer)
    meta = added["metadata"]
    if store.find(resource, meta.get("namespace", ""), meta["name"]):
        # Also a rehearsal says that the name is taken.
        return store.create(resource, added)
    made = with_server_fields(resource, added, stamp(write.state.clock.now()))
    return store.with_owners(resource, made, None, write.writer)


def _decoded(write: Write, body: Any) -> Obj:
    resource = write.resource
    sent = _object(body, resource.kind)
    claims = (sent.get("apiVersion") or resource.api_version, sent.get("kind") or resource.kind)
    if claims != (resource.api_version, resource.kind):
        raise bad_request(
            f"{claims[1]} in version {claims[0]!r} cannot be handled as a {resource.kind}: "
            f"no kind {claims[1]!r} is registered for this path"
        )
    known, complaint = write.known_fields(sent)
    if complaint:
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: strict decoding error: {complaint}"
        )
    known["metadata"] = known.get("metadata") or {}
    return known


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
    check_required_parts(resource, obj)
    completed = editable_copy(obj)
    defaults.apply_defaults(resource.kind, completed)
    return completed


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
    if content_type == serverside.APPLY_PATCH:
        return _apply(write, body)
    before = write.current()
    scale = write.target.subresource == "scale"
    patched = apply_patch(content_type, scale_of(before) if scale else before, body)
    sent = _known_patch(write, content_type, body, patched)
    kind = ("Scale", "autoscaling/v1") if scale else (before["kind"], before["apiVersion"])
    if (sent.get("kind"), sent.get("apiVersion")) != kind:
        raise bad_request(f"the kind and the version of a {kind[0]} cannot be patched")
    sent["metadata"] = sent.get("metadata") or {}
    if write.resource.plural in write.state.taken_back:
        sent["spec"] = editable_copy(before)["spec"]
    return _rescale(write, before, sent) if scale else _replace(write, before, sent)


def _apply(write: Write, body: Any) -> Obj:
    """Apply an object on the server: create it, or merge it into what is there."""
    sent = _decoded(write, body)
    _same_object(sent["metadata"], write.target)
    if sent["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    write.applied = frozenset(leaves_of(sent))
    before = write.state.store.find(write.resource, write.target.namespace, write.target.name)
    if before is None:
        return create(write, body)
    if not write.options.get("force"):
        serverside.check_conflicts(before, sent, write.writer)
    return _replace(write, before, serverside.merged(before, sent, write.writer))


def _known_patch(write: Write, content_type: str, body: Any, patched: Obj) -> Obj:
    """The patched object without unknown fields; raises ApiError (422) if validation is strict."""
    complaints = unknown_in_operations(body) if content_type == JSON_PATCH else []
    kind = "Scale" if write.target.subresource == "scale" else ""
    sent, complaint = write.known_fields(patched, kind, complaints)
    if complaint:
        strategic = content_type == STRATEGIC_PATCH
        patch_text = _go_map(body) if strategic else _go_json(patched)
        wrong = FieldError.invalid("patch", patch_text, f"strict decoding error: {complaint}")
        raise invalid("", "", "", [wrong])
    return sent


def _go_json(obj: Obj) -> str:
    return json.dumps(dict(sorted(obj.items())), separators=(",", ":"))


def _go_map(value: Any) -> str:
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go_map(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go_map, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)


def _rescale(write: Write, before: Obj, sent: Obj) -> Obj:
    meta = sent.get("metadata") or {}
    _same_object(meta, write.target)
    _check_uid(meta, before["metadata"])
    rescaled = with_scale(before, sent)
    return scale_of(_commit(write, rescaled, before))


def _replace(write: Write, before: Obj, sent: Obj) -> Obj:
    meta = sent["metadata"]
    _same_object(meta, write.target)
    if write.target.subresource == "status":
        replaced = editable_copy(before) | {"status": sent.get("status") or {}}
        replaced["metadata"]["resourceVersion"] = meta.get("resourceVersion")
        return _commit(write, replaced, before)
    replaced = _complete(write.resource, sent)
    replaced["status"] = before.get("status", {})
    _keep_identity(replaced["metadata"], before["metadata"])
    return _commit(write, replaced, before)


def _keep_identity(meta: Obj, old: Obj) -> None:
    _check_uid(meta, old)
    for key in (*SERVER_FIELDS, "name", "namespace"):
        if key in old:
            meta[key] = old[key]
        else:
            meta.pop(key, None)


def _check_uid(meta: Obj, old: Obj) -> None:
    if meta.get("uid") not in (None, old["uid"]):
        raise ApiError(
            409,
            "Conflict",
            f"Precondition failed: UID in precondition: {meta['uid']}, "
            f"UID in object meta: {old['uid']}",
        )


def _commit(write: Write, changed: Obj, before: Obj) -> Obj:
    resource = write.resource
    check(resource, changed, before)
    spec_changed = resource.group == "apps" and changed.get("spec") != before.get("spec")
    if spec_changed:
        changed["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
    version = before["metadata"]["resourceVersion"]
    if changed["metadata"].get("resourceVersion") not in (None, "", version):
        raise conflict(resource.group, resource.plural, before["metadata"]["name"])
    changed["metadata"]["resourceVersion"] = version
    write.check_policies()
    if write.dry_run:
        return write.state.store.with_owners(resource, changed, before, write.writer)
    return write.state.store.update(resource, changed, write.writer)


def delete(write: Write) -> Obj:
    """Delete one object, or begin to."""
    return _delete(write, write.current())


def delete_collection(write: Write) -> Obj:
    """Delete everything that the selectors match; returns the list as it was before."""
    objects = list_objects(write.state, write.target)
    for obj in objects["items"]:
        _delete(write, obj)
    return objects


def _delete(write: Write, obj: Obj) -> Obj:
    _check_preconditions(write, obj)
    store, clock = write.state.store, write.state.clock
    if write.resource is PODS:
        grace = write.options.get("gracePeriodSeconds")
        if write.dry_run:
            return terminating(obj, clock, grace)
        return delete_pod(store, clock, obj, grace)
    return _delete_owner(write, obj, _policy(write.options))


def _check_preconditions(write: Write, obj: Obj) -> None:
    resource, meta = write.resource, obj["metadata"]
    preconditions = write.options["preconditions"]
    for name, label, why in PRECONDITIONS:
        if preconditions.get(name) not in (None, meta[name]):
            message = (
                f"the {label} in the precondition ({preconditions[name]}) does not match "
                f"the {label} in record ({meta[name]}). The object might have been {why}"
            )
            # Here a real server names the kind, where it names the resource elsewhere.
            raise conflict(resource.group, resource.kind, meta["name"], message)


def _policy(options: Obj) -> str | None:
    if "orphanDependents" in options:
        return "Orphan" if options["orphanDependents"] else "Background"
    policy: str | None = options.get("propagationPolicy")
    return policy


def _delete_owner(write: Write, obj: Obj, policy: str | None) -> Obj:
    store, resource = write.state.store, write.resource
    finalizer = FINALIZERS.get(policy or "") if resource.group == "apps" else None
    answer = (
        with_finalizer(obj, write.state.clock, finalizer) if finalizer else _deleted(resource, obj)
    )
    if write.dry_run:
        return answer
    if finalizer and policy == "Foreground":
        return delete_in_foreground(store, write.state.clock, resource, obj)
    if policy == "Orphan":
        orphan_dependents(store, obj)
    store.remove(resource, obj)
    return answer


def _deleted(resource: Resource, obj: Obj) -> Obj:
    meta = obj["metadata"]
    status: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    details = status_details(resource.group, resource.plural, meta["name"], uid=meta["uid"])
    return status | {"details": details}
