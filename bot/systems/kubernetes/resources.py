"""Pods, Deployments and their revisions, as far as the bot uses them."""

import hashlib
import json
import math
from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from kubernetes.utils.quantity import parse_quantity as to_decimal
from pydantic import Field

from bot import redaction
from bot.model import Model
from bot.model.target import in_cluster
from bot.model.text import printable, printable_values
from bot.systems.kubernetes import owners
from bot.systems.kubernetes.conditions import condition_since, has_condition
from bot.systems.kubernetes.owners import Owner
from bot.systems.kubernetes.pod_status import is_initialized, kubectl_status

Obj = dict[str, Any]

EXECUTION_ANNOTATION = "runbolt.dev/execution"
# Written only to give an object another version, so that a write for the version before fails.
FENCE_ANNOTATION = "runbolt.dev/fenced"
ROLLED_BACK_FROM_ANNOTATION = "runbolt.dev/rolled-back-from"
REVISION_ANNOTATION = "deployment.kubernetes.io/revision"
REVISION_HISTORY_ANNOTATION = "deployment.kubernetes.io/revision-history"
CHANGE_CAUSE_ANNOTATION = "kubernetes.io/change-cause"
TEMPLATE_HASH_LABEL = "pod-template-hash"
UNITS = (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024))
DEPLOYMENT = "Deployment"
FINISHED_PHASES = ("Succeeded", "Failed")


class ResourceAmounts(Model):
    """CPU in cores and memory in bytes; None where it is not set."""

    cpu: float | None = None
    memory: float | None = None


class Container(Model):
    """A container; `reason` is why it is not running, `exit_code` is of its last end.

    `terminated` is whether it has just ended, and is not waiting for its next start yet. A
    `sidecar` is an init container that runs on beside the others.
    """

    name: str
    image: str
    ready: bool
    running: bool
    restarts: int
    reason: str
    exit_code: int | None
    requests: ResourceAmounts = ResourceAmounts()
    limits: ResourceAmounts = ResourceAmounts()
    terminated: bool = False
    sidecar: bool = False


class Pod(Model):
    """A pod; `status` is kubectl's word, `ready` whether it takes traffic.

    A `finished` one has ended and is not started again, such as that of a Job, or an evicted one.
    `initialized` is whether its init containers are done.
    """

    name: str
    uid: str
    resource_version: str
    status: str
    ready: bool
    terminating: bool
    created: datetime
    node: str
    owner: str
    owner_uid: str
    containers: tuple[Container, ...]
    owner_kind: str = ""
    init_containers: tuple[Container, ...] = ()
    initialized: bool = True
    finished: bool = False
    ready_since: datetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)

    @property
    def workload(self) -> str:
        """What its controller belongs to, like `Deployment/shop` or `StatefulSet/db`, or empty."""
        if self.owner_kind == "ReplicaSet" and "-" in self.owner:
            return f"{DEPLOYMENT}/{self.owner.rpartition('-')[0]}"
        return f"{self.owner_kind}/{self.owner}" if self.owner else ""

    @property
    def is_of_job(self) -> bool:
        """Whether a Job runs it: its work ends, and it serves nobody."""
        return self.owner_kind == "Job"

    @property
    def serving_containers(self) -> tuple[Container, ...]:
        """The containers that run side by side: its sidecars, and those that are no init ones."""
        return (*self._sidecars, *self.containers)

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """Every container, in the order in which they start."""
        return (*self.init_containers, *self.containers)

    @property
    def _sidecars(self) -> tuple[Container, ...]:
        return tuple(container for container in self.init_containers if container.sidecar)

    @property
    def restarts(self) -> int:
        """How often its containers have restarted, together, as kubectl counts.

        While it initializes those are the restarts of its init containers alone, and none of the
        ordinary ones afterwards.
        """
        counted = self.serving_containers if self.initialized else self.init_containers
        return sum(container.restarts for container in counted)

    @property
    def ready_containers(self) -> str:
        """Ready containers, as kubectl writes it: `1/2`."""
        containers = self.serving_containers
        return f"{sum(container.ready for container in containers)}/{len(containers)}"

    @property
    def image_tags(self) -> str:
        """The tags of its containers' images, or the short names where there are several."""
        return _short([container.image for container in self.containers])

    @property
    def exit_code(self) -> int | None:
        """The exit code of the first container that failed last, or None."""
        exit_codes = (container.exit_code for container in self.all_containers)
        return next(filter(None, exit_codes), None)

    @property
    def unready_reason(self) -> str:
        """Why it is not ready: `CrashLoopBackOff, exit 2`; empty when it is."""
        if self.ready and not self.terminating:
            return ""
        status = "Running, not ready" if self.status == "Running" else self.status
        unknown = {"", "Error", "Completed", "PodInitializing", self.status.removeprefix("Init:")}
        reasons = {container.reason for container in self.all_containers} - unknown
        code = [] if self.exit_code is None else [f"exit {self.exit_code}"]
        return ", ".join([status, *sorted(reasons), *code])


class Deployment(Model):
    """A Deployment; `cluster` is its API server, as `host:port`, and `place` what people call that.

    `replicas` is the number in its spec; the other numbers of replicas are of its status.
    `max_unavailable` is how many pods a rollout may take away at once. That is at most so many pods
    or this percentage, as the strategy says for any number of replicas: `max_unavailable_pods` and
    `max_unavailable_percent`. `spec_observed` is whether
    the controller has observed the newest spec; `stuck_reason` is why it cannot go on, or empty.
    `spec_digest` covers the spec without the replicas. `managed_fields` are the server's notes of
    who wrote what; `owners` are those who may put a change back. `shown_variables` are the names,
    or patterns of names, of environment variables whose values people may read.
    """

    cluster: str
    place: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    spec_observed: bool
    paused: bool
    revision: int
    replicas: int
    current_replicas: int
    updated_replicas: int
    available_replicas: int
    max_unavailable: int
    max_unavailable_pods: int = 0
    max_unavailable_percent: int = 0
    selector: str
    stuck_reason: str
    annotations: dict[str, str]
    template: Obj
    spec_digest: str
    managed_fields: tuple[Obj, ...] = ()
    owners: tuple[Owner, ...] = ()
    shown_variables: tuple[str, ...] = ()

    def shows(self, variable: str) -> bool:
        """Whether the configuration lets people read the values of a variable."""
        return any(fnmatchcase(variable, pattern) for pattern in self.shown_variables)

    @property
    def label(self) -> str:
        """Like `deployment/order-service`, as kubectl and sentences name it."""
        return f"deployment/{self.name}"

    @property
    def full_label(self) -> str:
        """Like `deployment/order-service in namespace shop of cluster eu`."""
        return f"{self.label} in {self.place}"

    @property
    def target(self) -> str:
        """What plans name it by: unique over all namespaces and clusters."""
        return in_cluster(self.label, self.namespace, self.cluster)

    @property
    def image_tags(self) -> str:
        """The tags of its template's images, or their short names where there are several."""
        return template_image_tags(self.template)

    @property
    def last_execution(self) -> str:
        """The id of the execution that changed it last, or empty."""
        return self.annotations.get(EXECUTION_ANNOTATION, "")

    @property
    def rolled_out(self) -> bool:
        """Whether only pods of the newest template are left, all of them available."""
        counts = (self.current_replicas, self.updated_replicas, self.available_replicas)
        return self.spec_observed and all(count == self.replicas for count in counts)


class Revision(Model):
    """A pod template that a Deployment has run, as its ReplicaSet keeps it.

    `previous_numbers` are those that it had when it ran before; `created` is when it ran first.
    `execution` is the id of the execution that changed the Deployment last while this was the
    newest, or empty.
    `change_cause` is as it was written, which may have secrets. `rolled_back_from` is the number
    that the last rollback to this revision came from.
    """

    number: int
    previous_numbers: tuple[int, ...]
    uid: str
    name: str
    created: datetime
    replicas: int
    ready: int
    change_cause: str
    template: Obj
    rolled_back_from: int | None = None
    execution: str = ""

    @property
    def image_tags(self) -> str:
        """The tags of its images, or their short names where there are several."""
        return template_image_tags(self.template)

    @property
    def redacted_cause(self) -> str:
        """Its change cause without secrets: kubectl writes whole commands there."""
        return redaction.redact(self.change_cause)

    @property
    def images(self) -> tuple[str, ...]:
        """The images of its containers, in full."""
        return tuple(_images(self.template))


def digest(value: Any) -> str:
    """The SHA-256 of a JSON value, whatever the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _tag(image: str) -> str:
    """An image's tag, or its name without the registry where it has no tag."""
    name = image.rpartition("/")[2]
    return name.partition("@")[0].partition(":")[2] or name


def template_image_tags(template: Obj) -> str:
    """The tag of the image of a pod template, or the short names where there are several."""
    return _short(_images(template))


def _images(template: Obj) -> list[str]:
    return [container.get("image", "") for container in template["spec"]["containers"]]


def _short(images: list[str]) -> str:
    images = list(map(printable, images))
    if len(images) == 1:
        return _tag(images[0])
    return ", ".join(image.rpartition("/")[2] for image in images)


def parse_pod(raw: Obj) -> Pod:
    """A Pod from the API's JSON."""
    # The kubelet passes on what programs and registries say.
    raw = raw | {"status": printable_values(raw.get("status") or {})}
    metadata, spec, status = raw["metadata"], raw["spec"], raw["status"]
    owner = _controller(metadata)
    inits = spec.get("initContainers") or []
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        status=kubectl_status(raw),
        ready=has_condition(status, "Ready"),
        ready_since=condition_since(status, "Ready"),
        labels=metadata.get("labels") or {},
        terminating=bool(metadata.get("deletionTimestamp")),
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        node=spec.get("nodeName", ""),
        owner=owner.get("name", ""),
        owner_uid=owner.get("uid", ""),
        owner_kind=owner.get("kind", ""),
        containers=_parse_containers(spec["containers"], status.get("containerStatuses")),
        init_containers=_parse_containers(inits, status.get("initContainerStatuses")),
        initialized=is_initialized(raw),
        finished=status.get("phase") in FINISHED_PHASES,
        annotations=metadata.get("annotations") or {},
    )


def _controller(metadata: Obj) -> Obj:
    """The owner reference of the controller; empty where there is none."""
    owners = metadata.get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), {})


def is_controlled_by(raw: Obj, uid: str) -> bool:
    """Whether the object's controller is the one with that uid."""
    return bool(_controller(raw["metadata"]).get("uid") == uid)


def _parse_containers(specs: list[Obj], statuses: list[Obj] | None) -> tuple[Container, ...]:
    by_name = {status["name"]: status for status in statuses or []}
    return tuple(_parse_container(spec, by_name.get(spec["name"], {})) for spec in specs)


def _parse_container(spec: Obj, status: Obj) -> Container:
    state, last_state = status.get("state") or {}, status.get("lastState") or {}
    terminated = state.get("terminated") or last_state.get("terminated") or {}
    waiting = state.get("waiting") or {}
    resources = spec.get("resources") or {}
    return Container(
        name=spec["name"],
        image=printable(spec.get("image", "")),
        ready=bool(status.get("ready")),
        running="running" in state,
        restarts=status.get("restartCount", 0),
        reason=terminated.get("reason") or waiting.get("reason", ""),
        exit_code=terminated.get("exitCode"),
        requests=parse_amounts(resources.get("requests") or {}),
        limits=parse_amounts(resources.get("limits") or {}),
        terminated="terminated" in state,
        sidecar=spec.get("restartPolicy") == "Always",
    )


def parse_amounts(raw: Obj) -> ResourceAmounts:
    """CPU and memory from quantities such as `250m` and `512Mi`."""
    values = {name: parse_quantity(raw[name]) for name in ("cpu", "memory") if name in raw}
    return ResourceAmounts(**values)


def parse_quantity(text: str) -> float:
    """The number of a quantity such as `250m` or `512Mi`; raises ValueError for another text."""
    return float(to_decimal(text))  # type: ignore[no-untyped-call]


def format_amount(name: str, value: float) -> str:
    """Memory, CPU or a count as people write it: 1.5Gi, 750m, 4."""
    if name.endswith("memory"):
        for unit, size in UNITS:
            if value >= size:
                return f"{round(value / size, 2):g}{unit}"
    return f"{value:.0f}" if value == int(value) else f"{round(value * 1000)}m"


def parse_usage(raw: Obj) -> dict[str, ResourceAmounts]:
    """What each container of a pod uses, from the JSON of a PodMetrics."""
    containers = raw.get("containers") or []
    return {
        container["name"]: parse_amounts(container.get("usage") or {}) for container in containers
    }


def parse_deployment(
    raw: Obj, cluster: str, place: str, shown_variables: tuple[str, ...] = ()
) -> Deployment:
    """A Deployment from the API's JSON; `cluster` is the API server that it came from.

    `place` is what people call its namespace and cluster.
    """
    metadata, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    annotations = metadata.get("annotations") or {}
    most_pods, most_percent = _max_unavailable_bounds(spec)
    return Deployment(
        cluster=cluster,
        place=place,
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        spec_observed=status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        paused=bool(spec.get("paused")),
        revision=int(annotations.get(REVISION_ANNOTATION, 0)),
        replicas=spec.get("replicas", 1),
        current_replicas=status.get("replicas", 0),
        updated_replicas=status.get("updatedReplicas", 0),
        available_replicas=status.get("availableReplicas", 0),
        max_unavailable=_max_unavailable(spec),
        max_unavailable_pods=most_pods,
        max_unavailable_percent=most_percent,
        selector=_selector(spec["selector"]),
        stuck_reason=_stuck_reason(status),
        annotations=annotations,
        template=spec["template"],
        spec_digest=digest({key: value for key, value in spec.items() if key != "replicas"}),
        managed_fields=tuple(metadata.get("managedFields") or ()),
        owners=owners.owners_of(raw),
        shown_variables=shown_variables,
    )


def _stuck_reason(status: Obj) -> str:
    for condition in status.get("conditions") or []:
        kind, reason = condition["type"], condition.get("reason")
        is_late = kind == "Progressing" and reason == "ProgressDeadlineExceeded"
        is_refused = kind == "ReplicaFailure" and condition["status"] == "True"
        if is_late or is_refused:
            return printable(str(condition.get("message") or condition["reason"]))
    return ""


def _max_unavailable(spec: Obj) -> int:
    """How many pods a rollout may take away at once, rounded as Kubernetes rounds."""
    replicas, strategy = int(spec.get("replicas", 1)), spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return replicas
    rolling = strategy.get("rollingUpdate") or {}
    max_unavailable = _resolve_share(rolling.get("maxUnavailable", "25%"), replicas, math.floor)
    max_surge = _resolve_share(rolling.get("maxSurge", "25%"), replicas, math.ceil)
    at_least = 0 if max_surge else 1  # with both at 0 a rollout could not begin
    return min(max(max_unavailable, at_least), replicas)


def _max_unavailable_bounds(spec: Obj) -> tuple[int, int]:
    """At most so many pods or this percentage are taken away, however many replicas there are."""
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, 100
    rolling = strategy.get("rollingUpdate") or {}
    limit, surge = rolling.get("maxUnavailable", "25%"), rolling.get("maxSurge", "25%")
    at_least = 1 if surge in (0, "0%") else 0  # see above
    if isinstance(limit, str) and limit.endswith("%"):
        return at_least, int(limit[:-1])
    return max(int(limit), at_least), 0


def _resolve_share(value: Any, replicas: int, rounding: Callable[[float], int]) -> int:
    """A count, or a percentage of the replicas."""
    if isinstance(value, str) and value.endswith("%"):
        return rounding(int(value[:-1]) * replicas / 100)
    return int(value)


def _selector(selector: Obj) -> str:
    """A LabelSelector as kubectl writes it."""
    labels = sorted((selector.get("matchLabels") or {}).items())
    expressions = selector.get("matchExpressions") or []
    return ",".join([*(f"{key}={value}" for key, value in labels), *map(_expression, expressions)])


def _expression(requirement: Obj) -> str:
    """One requirement of a LabelSelector."""
    key, values = requirement["key"], ",".join(requirement.get("values") or [])
    match requirement["operator"]:
        case "Exists":
            return str(key)
        case "DoesNotExist":
            return f"!{key}"
        case "In":
            return f"{key} in ({values})"
    return f"{key} notin ({values})"


def parse_revision(raw: Obj) -> Revision:
    """A Revision from the JSON of its ReplicaSet."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    annotations = metadata.get("annotations") or {}
    previous_numbers = annotations.get(REVISION_HISTORY_ANNOTATION, "").split(",")
    rolled_back_from = annotations.get(ROLLED_BACK_FROM_ANNOTATION, "")
    return Revision(
        number=int(annotations.get(REVISION_ANNOTATION, 0)),
        previous_numbers=tuple(int(number) for number in previous_numbers if number.isdigit()),
        uid=metadata["uid"],
        name=metadata["name"],
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        replicas=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        change_cause=annotations.get(CHANGE_CAUSE_ANNOTATION, ""),
        template=_template(raw),
        rolled_back_from=int(rolled_back_from) if rolled_back_from.isdecimal() else None,
        execution=annotations.get(EXECUTION_ANNOTATION, ""),
    )


class Event(Model):
    """What a controller or a node says about an object, and how often it said so.

    `kind` and `name` are those of the object; `last` is when it was said last.
    """

    kind: str
    name: str
    reason: str
    message: str
    count: int
    last: datetime


def parse_event(raw: Obj) -> Event:
    """An Event from JSON: newer components write a series in place of the count and its time."""
    series, about = raw.get("series") or {}, raw["involvedObject"]
    last = (
        series.get("lastObservedTime")
        or raw.get("lastTimestamp")
        or raw.get("eventTime")
        or raw["metadata"]["creationTimestamp"]
    )
    return Event(
        kind=about.get("kind", ""),
        name=about.get("name", ""),
        reason=raw.get("reason") or "",
        message=redaction.redact(printable(raw.get("message") or "")),
        count=series.get("count") or raw.get("count") or 1,
        last=datetime.fromisoformat(last),
    )


def _template(raw: Obj) -> Obj:
    """The pod template of a ReplicaSet, without the hash that the ReplicaSet added."""
    template: Obj = raw["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = {
        name: value for name, value in metadata["labels"].items() if name != TEMPLATE_HASH_LABEL
    }
    return template | {"metadata": metadata | {"labels": labels}}
