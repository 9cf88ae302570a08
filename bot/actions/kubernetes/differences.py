"""What of a Deployment is not as a plan found it, and which execution or manager made it so."""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from bot.model import Difference, Execution, Plan
from bot.systems.kubernetes import Cluster, Deployment, Revision, digest, managed_fields, patches
from bot.systems.kubernetes.managed_fields import REPLICAS, Path
from bot.systems.kubernetes.resources import template_image_tags

Obj = dict[str, Any]

TEMPLATE = "template"  # in the evidence: the digest of what was stored
DOMAIN = "f:runbolt.dev/"  # of the bot's own annotations
# Their values are told, as images are; of all else, such as variables, only the name.
LIMITS = {"f:limits": "limit", "f:requests": "request"}


class State(NamedTuple):
    """A pod template that the Deployment had, and the execution that made it so, if one did."""

    template: Obj
    by: Execution | None = None


async def since(
    cluster: Cluster, deployment: Deployment, approved: Plan, executions: Sequence[Execution]
) -> tuple[Difference, ...]:
    """What changed since a plan was made; `executions` are those of its target since, in order.

    An execution is named only where the Deployment had the template that its patch was answered
    with, a manager where the server noted it. Raises ClusterError.
    """
    if deployment.uid != approved.fingerprint.get("uid", deployment.uid):
        return (Difference(what="it was deleted and made anew", outside=True),)
    revisions = await cluster.revisions(deployment)
    before = _find(revisions, approved)
    # The controller may not have made a revision of the newest template yet.
    templates = [*(revision.template for revision in revisions), deployment.template]
    states = _states(templates, executions)
    found = [*_replicas(deployment, approved, executions), *_template(deployment, before, states)]
    # The images of several containers are told in one.
    by_text = {difference.what: difference for difference in found}
    return tuple(by_text.values()) or _rest(deployment, approved, executions)


def _find(revisions: Sequence[Revision], approved: Plan) -> Revision | None:
    """The revision of the plan's fingerprint, by number or by its template, if it is still kept."""
    number, template = (approved.fingerprint.get(key) for key in ("revision", TEMPLATE))
    return next(
        (
            revision
            for revision in revisions
            if number in _numbers(revision) or digest(revision.template) == template
        ),
        None,
    )


def _numbers(revision: Revision) -> tuple[int, ...]:
    return (*revision.previous_numbers, revision.number)


def _states(templates: Sequence[Obj], executions: Sequence[Execution]) -> list[State]:
    """What each execution is known to have left."""
    by_digest = {digest(template): template for template in templates}
    left = [(execution.evidence.answers.get(TEMPLATE), execution) for execution in executions]
    return [State(by_digest[answer], by) for answer, by in left if answer in by_digest]


def _template(
    deployment: Deployment, before: Revision | None, states: Sequence[State]
) -> Iterator[Difference]:
    if before is None:
        yield from _unkept(deployment, states)
        return
    old, new = _comparable(before.template), _comparable(deployment.template)
    authors = _authors([State(before.template), *states, State(deployment.template)])
    for path in managed_fields.changed_paths(old, new):
        if not path[-1].startswith(DOMAIN):
            yield _difference(deployment, path, _what(path, old, new), authors.get(path))


def _unkept(deployment: Deployment, states: Sequence[State]) -> Iterator[Difference]:
    """Where the revision of the plan is not kept any more."""
    by = [each.by for each in states if each.template == deployment.template]
    yield Difference(what="its pod template", by=by[-1] if by else None)


def _comparable(template: Obj) -> Obj:
    """The template with annotations, also where it has none: so each is a path of its own."""
    metadata = template.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    return template | {"metadata": metadata | {"annotations": annotations}}


def _authors(states: Sequence[State]) -> dict[Path, Execution | None]:
    """Who changed each path last; None where it was nobody of ours."""
    return {
        path: after.by
        for before, after in pairwise(states)
        for path in managed_fields.changed_paths(
            _comparable(before.template), _comparable(after.template)
        )
    }


def _difference(deployment: Deployment, path: Path, what: str, by: Execution | None) -> Difference:
    """Another manager's note comes before our own record: it may have changed it in between."""
    writer = managed_fields.last_writer(deployment.managed_fields, path)
    if writer is None or (writer.is_ours and by is not None):
        return Difference(what=what, by=by, outside=by is None)
    manager = "another Runbolt" if writer.is_ours else writer.label
    return Difference(what=what, manager=manager, at=writer.at)


def _replicas(
    deployment: Deployment, approved: Plan, executions: Sequence[Execution]
) -> Iterator[Difference]:
    old, new = approved.fingerprint.get("replicas"), deployment.replicas
    if old is None or old == new:
        return
    scaled = [each for each in executions if each.params.get("replicas") == new]
    what = f"replicas {old} → {new}"
    yield _difference(deployment, REPLICAS, what, scaled[-1] if scaled else None)


def _rest(
    deployment: Deployment, approved: Plan, executions: Sequence[Execution]
) -> tuple[Difference, ...]:
    """What shows in no template: other settings, or a change that was taken back."""
    number = approved.fingerprint.get("revision", deployment.revision)
    if approved.fingerprint.get("spec", deployment.spec_digest) != deployment.spec_digest:
        return (Difference(what="settings beside its pod template"),)
    if number == deployment.revision:
        return ()
    left = digest(deployment.template)
    by = [each for each in executions if each.evidence.answers.get(TEMPLATE) == left]
    what = f"revision {number} → {deployment.revision}, with the same pod template"
    return (Difference(what=what, by=by[-1] if by else None),)


def _what(path: Path, old: Obj, new: Obj) -> str:
    """Like `image v2.4.0 → v2.3.1` or `variable FLAG`."""
    if path[-1].endswith(patches.RESTARTED_AT_ANNOTATION):
        return "a restart"
    if path[-1] == "f:image":
        return f"image {template_image_tags(old)} → {template_image_tags(new)}"
    if "f:env" in path:
        names = [name for step in path[path.index("f:env") + 1 :] if (name := _item_name(step))]
        return f"variable {names[0]}" if names else "variables"
    if path[-2] in LIMITS:
        words = f"{path[-1].removeprefix('f:')} {LIMITS[path[-2]]}"
        return f"{words} {_value(old, path)} → {_value(new, path)}"
    return " ".join(_item_name(step) or step.removeprefix("f:") for step in path[3:])


def _item_name(step: str) -> str:
    """The name in a list item's key, such as `k:{"name":"FLAG"}`; else empty."""
    kind, _, key = step.partition(":")
    return str(json.loads(key).get("name", "")) if kind == "k" else ""


def _value(template: Obj, path: Path) -> str:
    value: Any = template
    for step in path[len(managed_fields.TEMPLATE) :]:
        value = _inside(value, step)
    return "none" if value is None else str(value)


def _inside(value: Any, step: str) -> Any:
    kind, _, name = step.partition(":")
    if kind == "f":
        return value.get(name) if isinstance(value, dict) else None
    key = json.loads(name)
    items = [each for each in value or [] if isinstance(each, dict) and key.items() <= each.items()]
    return items[0] if items else None
