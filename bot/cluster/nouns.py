"""What the door gives back: pods, deployments and revisions, small and frozen."""

import hashlib
import json
import math
from datetime import datetime
from typing import Any

from kubernetes.utils.quantity import parse_quantity as to_decimal

from bot import masking
from bot.model import Noun

Obj = dict[str, Any]

EXECUTION = "runbolt.dev/execution"
LEFT = "runbolt.dev/rolled-back-from"
REVISION = "deployment.kubernetes.io/revision"
PAST = "deployment.kubernetes.io/revision-history"
CAUSE = "kubernetes.io/change-cause"
TEMPLATE_HASH = "pod-template-hash"


class Amounts(Noun):
    """CPU in cores and memory in bytes; None where nothing is said."""

    cpu: float | None = None
    memory: float | None = None


class Container(Noun):
    """One container; `reason` says why it is not running, `exit_code` how it ended last."""

    name: str
    image: str
    ready: bool
    running: bool
    restarts: int
    reason: str
    exit_code: int | None
    requests: Amounts = Amounts()
    limits: Amounts = Amounts()


class Pod(Noun):
    """One pod; `status` is kubectl's word, `ready` whether it takes traffic, `leaving` its end."""

    name: str
    uid: str
    status: str
    ready: bool
    leaving: bool
    created: datetime
    node: str
    owner: str
    owner_uid: str
    containers: tuple[Container, ...]

    @property
    def restarts(self) -> int:
        """Of all its containers."""
        return sum(one.restarts for one in self.containers)

    @property
    def fraction(self) -> str:
        """Ready containers, as kubectl writes it: `1/2`."""
        return f"{sum(one.ready for one in self.containers)}/{len(self.containers)}"

    @property
    def images(self) -> str:
        """The tags of its containers' images, or the short names where there are several."""
        return _short([one.image for one in self.containers])

    @property
    def exit_code(self) -> int | None:
        """How a container ended last that did not end well."""
        return next((one.exit_code for one in self.containers if one.exit_code), None)

    @property
    def trouble(self) -> str:
        """Why it is not ready: `CrashLoopBackOff, exit 2`; empty when it is."""
        if self.ready and not self.leaving:
            return ""
        word = "Running, not ready" if self.status == "Running" else self.status
        reasons = {one.reason for one in self.containers if one.reason} - {self.status, "Error"}
        code = [] if self.exit_code is None else [f"exit {self.exit_code}"]
        return ", ".join([word, *sorted(reasons), *code])


class Deployment(Noun):
    """One Deployment.

    `replicas` is what is wanted; `total`, `updated` and `available` is what there is;
    `unavailable` is how many pods a rollout may take away at once. `settled` says whether the
    controller has seen the newest spec; `stuck` is its reason when it gave up, or empty.
    `spec_digest` covers the spec without the replicas.
    """

    name: str
    uid: str
    version: str
    settled: bool
    paused: bool
    revision: int
    replicas: int
    total: int
    updated: int
    available: int
    unavailable: int
    selector: str
    stuck: str
    annotations: dict[str, str]
    template: Obj
    spec_digest: str

    @property
    def target(self) -> str:
        """What a plan calls it."""
        return f"deployment/{self.name}"

    @property
    def image(self) -> str:
        """The image that it asks for, short."""
        return template_images(self.template)

    @property
    def execution(self) -> str:
        """The execution that changed it last, or empty."""
        return self.annotations.get(EXECUTION, "")

    @property
    def rolled_out(self) -> bool:
        """Whether only new pods are left, all of them available."""
        counts = (self.total, self.updated, self.available)
        return self.settled and all(count == self.replicas for count in counts)


class Revision(Noun):
    """One pod template that a Deployment has run; ready to be put back as it is.

    `past` is the numbers that it had when it ran before; `created` is when it ran first; `cause` is
    what was written down about it, which may hold secrets: people read what is `said`. `left` is
    the number that a rollback of the bot had left last when this one ran.
    """

    number: int
    past: tuple[int, ...]
    uid: str
    name: str
    created: datetime
    replicas: int
    ready: int
    cause: str
    template: Obj
    left: int | None = None

    @property
    def image(self) -> str:
        """The image that it ran, short."""
        return template_images(self.template)

    @property
    def said(self) -> str:
        """Its change cause without secrets: kubectl writes whole commands there."""
        return masking.mask(self.cause)

    @property
    def images(self) -> tuple[str, ...]:
        """The images of its containers, in full."""
        return tuple(one.get("image", "") for one in self.template["spec"]["containers"])


def digest(value: Any) -> str:
    """A digest of JSON that does not depend on the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def tag(image: str) -> str:
    """What follows the colon, or the short name of an image without a tag."""
    name = image.rpartition("/")[2]
    return name.partition("@")[0].partition(":")[2] or name


def template_images(template: Obj) -> str:
    """The images of a pod template, short."""
    return _short([one.get("image", "") for one in template["spec"]["containers"]])


def _short(images: list[str]) -> str:
    if len(images) == 1:
        return tag(images[0])
    return ", ".join(one.rpartition("/")[2] for one in images)


def pod(raw: Obj) -> Pod:
    """From the API's JSON."""
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    owners = [one for one in meta.get("ownerReferences") or [] if one.get("controller")]
    owner: Obj = owners[0] if owners else {}
    known = {one["name"]: one for one in status.get("containerStatuses") or []}
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        status=_word(raw),
        ready=_condition(status, "Ready"),
        leaving=bool(meta.get("deletionTimestamp")),
        created=datetime.fromisoformat(meta["creationTimestamp"]),
        node=spec.get("nodeName", ""),
        owner=owner.get("name", ""),
        owner_uid=owner.get("uid", ""),
        containers=tuple(_container(one, known.get(one["name"], {})) for one in spec["containers"]),
    )


def _container(spec: Obj, status: Obj) -> Container:
    state, last = status.get("state") or {}, status.get("lastState") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    waiting = state.get("waiting") or {}
    resources = spec.get("resources") or {}
    return Container(
        name=spec["name"],
        image=spec.get("image", ""),
        ready=bool(status.get("ready")),
        running="running" in state,
        restarts=status.get("restartCount", 0),
        reason=ended.get("reason") or waiting.get("reason", ""),
        exit_code=ended.get("exitCode"),
        requests=amounts(resources.get("requests") or {}),
        limits=amounts(resources.get("limits") or {}),
    )


def amounts(raw: Obj) -> Amounts:
    """From quantities such as `250m` and `512Mi`."""
    known = {name: quantity(raw[name]) for name in ("cpu", "memory") if name in raw}
    return Amounts(**known)


def quantity(text: str) -> float:
    """The number that a quantity such as `250m` or `512Mi` stands for."""
    return float(to_decimal(text))  # type: ignore[no-untyped-call]


def usage(raw: Obj) -> dict[str, Amounts]:
    """What each container of a pod uses, from the JSON of a PodMetrics."""
    return {one["name"]: amounts(one.get("usage") or {}) for one in raw.get("containers") or []}


def _condition(status: Obj, kind: str) -> bool:
    conditions = status.get("conditions") or []
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def _word(raw: Obj) -> str:
    """The status in one word, as `kubectl get pods` computes it."""
    status = raw.get("status") or {}
    phase = status.get("phase", "Unknown")
    if raw["metadata"].get("deletionTimestamp") and phase not in ("Succeeded", "Failed"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    starting = _init_word(raw)
    if starting and not _condition(status, "Initialized"):
        return starting
    return _main_word(status, starting or str(status.get("reason") or phase))


def _init_word(raw: Obj) -> str:
    """The word for the first init container that is not done, or empty."""
    specs = {one["name"]: one for one in raw["spec"].get("initContainers") or []}
    for number, one in enumerate((raw.get("status") or {}).get("initContainerStatuses") or []):
        state = one.get("state") or {}
        ended, waits = state.get("terminated"), (state.get("waiting") or {}).get("reason", "")
        sidecar = specs.get(one["name"], {}).get("restartPolicy") == "Always"
        if (ended is not None and ended.get("exitCode") == 0) or (sidecar and one.get("started")):
            continue
        if ended is not None:
            return f"Init:{_ended(ended)}"
        if waits and waits != "PodInitializing":
            return f"Init:{waits}"
        return f"Init:{number}/{len(specs)}"
    return ""


def _main_word(status: Obj, word: str) -> str:
    running = False
    for one in reversed(status.get("containerStatuses") or []):
        state = one.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            word = state["waiting"]["reason"]
        elif "terminated" in state:
            word = _ended(state["terminated"])
        elif one.get("ready") and "running" in state:
            running = True
    if word == "Completed" and running:
        return "Running" if _condition(status, "Ready") else "NotReady"
    return word


def _ended(state: Obj) -> str:
    if state.get("reason"):
        return str(state["reason"])
    signal = state.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{state.get('exitCode')}"


def deployment(raw: Obj) -> Deployment:
    """From the API's JSON."""
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    annotations = meta.get("annotations") or {}
    return Deployment(
        name=meta["name"],
        uid=meta["uid"],
        version=meta["resourceVersion"],
        settled=status.get("observedGeneration", 0) >= meta.get("generation", 0),
        paused=bool(spec.get("paused")),
        revision=int(annotations.get(REVISION, 0)),
        replicas=spec.get("replicas", 1),
        total=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        unavailable=_unavailable(spec),
        selector=_selector(spec["selector"]),
        stuck=_stuck(status),
        annotations=annotations,
        template=spec["template"],
        spec_digest=digest({key: value for key, value in spec.items() if key != "replicas"}),
    )


def _stuck(status: Obj) -> str:
    for one in status.get("conditions") or []:
        late = one["type"] == "Progressing" and one.get("reason") == "ProgressDeadlineExceeded"
        refused = one["type"] == "ReplicaFailure" and one["status"] == "True"
        if late or refused:
            return str(one.get("message") or one["reason"])
    return ""


def _unavailable(spec: Obj) -> int:
    """How many pods a rollout may take away at once, rounded as Kubernetes rounds."""
    replicas, strategy = spec.get("replicas", 1), spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return int(replicas)
    rolling = strategy.get("rollingUpdate") or {}
    away = _share(rolling.get("maxUnavailable", "25%"), replicas, math.floor)
    extra = _share(rolling.get("maxSurge", "25%"), replicas, math.ceil)
    return min(max(away, 0 if extra else 1), int(replicas))


def _share(value: Any, replicas: int, rounded: Any) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return int(rounded(int(value[:-1]) * replicas / 100))
    return int(value)


def _selector(selector: Obj) -> str:
    """A LabelSelector as kubectl writes it."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or []:
        key, values = one["key"], ",".join(one.get("values") or [])
        words = {"Exists": key, "DoesNotExist": f"!{key}", "In": f"{key} in ({values})"}
        parts.append(words.get(one["operator"], f"{key} notin ({values})"))
    return ",".join(parts)


def revision(raw: Obj) -> Revision:
    """From the JSON of a ReplicaSet."""
    meta, status = raw["metadata"], raw.get("status") or {}
    annotations = meta.get("annotations") or {}
    past = annotations.get(PAST, "").split(",")
    left = annotations.get(LEFT, "")
    return Revision(
        number=int(annotations.get(REVISION, 0)),
        past=tuple(int(number) for number in past if number.isdigit()),
        uid=meta["uid"],
        name=meta["name"],
        created=datetime.fromisoformat(meta["creationTimestamp"]),
        replicas=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        cause=annotations.get(CAUSE, ""),
        template=_template(raw),
        left=int(left) if left.isdecimal() else None,
    )


def _template(raw: Obj) -> Obj:
    """The pod template of a ReplicaSet without the hash, which belongs to the ReplicaSet."""
    template: Obj = raw["spec"]["template"]
    meta = template.get("metadata") or {}
    labels = {name: text for name, text in meta["labels"].items() if name != TEMPLATE_HASH}
    return template | {"metadata": meta | {"labels": labels}}
