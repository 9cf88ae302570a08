"""The simulated cluster's interface for the sandbox and the tests: start, break, inspect."""

import asyncio
import json
from collections.abc import Callable, Sequence
from copy import copy
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import yaml
from aiohttp import web

from sandbox.cluster.admission import Policy
from sandbox.cluster.defaults import apply_defaults
from sandbox.cluster.errors import Obj
from sandbox.cluster.faults import Fault
from sandbox.cluster.kubelet import BACK_OFF, MAX_BACK_OFF
from sandbox.cluster.loglines import Trouble
from sandbox.cluster.managed_fields import Writer, leaves_of
from sandbox.cluster.network import Answer
from sandbox.cluster.payments import NAMESPACE as PAYMENTS
from sandbox.cluster.payments import add_payments
from sandbox.cluster.podstatus import finished_pod, is_ready, terminated
from sandbox.cluster.requests import Request
from sandbox.cluster.resources import (
    AUTOSCALERS,
    DAEMONSETS,
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    EVENTS,
    LIMIT_RANGES,
    NAMESPACES,
    NODES,
    PODS,
    QUOTAS,
    REPLICASETS,
)
from sandbox.cluster.schema import prune
from sandbox.cluster.server import application
from sandbox.cluster.shop import NAMESPACE, add_own_payments, add_shop, add_storefront
from sandbox.cluster.state import Load, new_state
from sandbox.cluster.store import editable_copy
from sandbox.cluster.tables import status_word
from sandbox.cluster.workloads import REGISTRY, add_nodes, daemon_set, set_image

DEFAULT_NAMESPACE = NAMESPACE
ORDER_SERVICE, PAYMENT_SERVICE = "order-service", "payment-service"
WAIT_SECONDS = 30.0
Scenario = Literal["healthy", "crash-loop", "oom", "image-pull", "no-pods"]
IMAGES = {
    "healthy": f"{REGISTRY}/order-service:v2.3.1",
    "crash-loop": f"{REGISTRY}/order-service:v2.4.0",
    "oom": f"{REGISTRY}/order-service:v2.4.1-oom",
    "image-pull": f"{REGISTRY}/order-service:missing",
}
STATUS_WORDS = {
    "crash-loop": "CrashLoopBackOff",
    "oom": "CrashLoopBackOff",
    "image-pull": "ImagePullBackOff",
}


class Cluster:
    """An API server on loopback with controllers and nodes behind it, in this event loop.

    `speed` makes everything in it faster (pulling images, starting, backing off); the stamps on
    objects stay real. Use it as an asynchronous context manager.
    """

    def __init__(self, speed: float = 1.0, *, port: int = 0, name: str = "sandbox") -> None:
        self.state = new_state(speed, name)
        self.port = port
        self.name = name
        self.namespace = NAMESPACE
        self._runner: web.AppRunner | None = None
        for name in ("default", "kube-system", self.namespace):
            self.add_namespace(name)

    def within(self, namespace: str) -> "Cluster":
        """The same cluster as seen from another namespace; made once it listens, never entered."""
        view = copy(self)
        view.namespace = namespace
        return view

    def add_namespace(self, name: str) -> None:
        """Add an empty namespace."""
        phase = {"phase": "Active"}
        self.state.store.create(NAMESPACES, {"metadata": {"name": name}, "status": phase})

    async def __aenter__(self) -> Self:
        await self.start_listening()
        self.state.controllers.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop_listening()
        for task in self.state.unanswered:
            task.cancel()
        await self.state.controllers.close()
        await self.state.kubelet.close()

    async def start_listening(self) -> None:
        """Start listening, on the same port as before if there was one."""
        if self._runner:
            return
        app = application(self.state)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = int(runner.addresses[0][1])
        self._runner = runner

    async def stop_listening(self) -> None:
        """Close the listening socket and every connection; the cluster itself keeps running."""
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()

    @property
    def url(self) -> str:
        """Where the API server listens; it wants a bearer token."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections to the API server are open."""
        server = self._runner.server if self._runner else None
        return len(server.connections) if server else 0

    def token(self, user: str = "runbolt") -> str:
        """The bearer token of a user."""
        return self.state.access.token(user)

    def expire_tokens(self, user: str = "runbolt") -> None:
        """Answer 401 to every token of a user so far; `token` gives out a new one."""
        self.state.access.expire_tokens(user)

    def kubeconfig(self, user: str = "runbolt") -> Obj:
        """A kubeconfig for a user.

        The address names the user as well as the token does: over plain HTTP kubectl keeps a
        token to itself.
        """
        return kubeconfig((self,), user)

    def write_kubeconfig(self, path: Path, user: str = "runbolt") -> Path:
        """Write the kubeconfig of a user to a file that only its owner reads."""
        return write_kubeconfig(path, (self,), user)

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in order."""
        return self.state.requests

    @property
    def writes(self) -> list[Request]:
        """The requests that changed something."""
        return [request for request in self.requests if request.changed]

    async def seed_order_service(self, replicas: int = 3, *, alone: bool = True) -> None:
        """Fill the cluster with the shop: order-service at revision 6 (v2.3.1), all healthy.

        Where its team is not `alone`, payment-service is another one's, in another namespace.
        """
        add_shop(self.state, replicas)
        if alone:
            add_own_payments(self.state)
        else:
            add_storefront(self.state, PAYMENTS)
        self.state.controllers.sync()
        # The library imports its models when they are used first, which may take a second on a
        # busy machine: no request shall be late because of that.
        prune(DEPLOYMENTS, self.deployment())
        await self.wait_for_rollout(ORDER_SERVICE)

    async def seed_payment_service(self, replicas: int = 2, *nodes: str) -> "Cluster":
        """Add the payments team's namespace, and `nodes`; returns the cluster as seen from it."""
        add_nodes(self.state, *nodes)
        self.add_namespace(PAYMENTS)
        add_payments(self.state, replicas)
        self.state.controllers.sync()
        payments = self.within(PAYMENTS)
        await payments.wait_for_rollout(PAYMENT_SERVICE)
        return payments

    def deploy(self, image: str, deployment: str = ORDER_SERVICE, *, by: str = "pipeline") -> None:
        """Roll out another image, as a pipeline would; a bare tag stands for order-service's.

        `by` is the field manager.
        """
        full_name = image if "/" in image else f"{REGISTRY}/{deployment}:{image}"
        changed = editable_copy(self.deployment(deployment))
        set_image(changed, full_name)
        cause = {"kubernetes.io/change-cause": f"release {full_name.rpartition(':')[2]}"}
        self._update_deployment(changed, cause, Writer(by))

    def change_template(self, deployment: str = ORDER_SERVICE) -> None:
        """Let somebody else change the template: the resource version moves, pods roll."""
        changed = editable_copy(self.deployment(deployment))
        annotation = {"tickettoken.com/touched-at": self.state.clock.now().isoformat()}
        changed["spec"]["template"]["metadata"].setdefault("annotations", {}).update(annotation)
        self._update_deployment(changed, {}, Writer("kubectl-edit"))

    def mark_as_applied(self, *, on_server: bool, deployment: str = ORDER_SERVICE) -> None:
        """Make a Deployment one of a file with all of its spec, applied by kubectl."""
        changed = editable_copy(self.deployment(deployment))
        applied = {"spec": changed["spec"]}
        annotation = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied)}
        paths = frozenset(leaves_of(applied))
        writer = Writer("kubectl", operation="Apply", applied=paths)
        if on_server:
            changed["metadata"]["labels"]["applied"] = "on-server"  # an update without one is none
            self.state.store.update(DEPLOYMENTS, changed, writer)
            return
        changed["metadata"].setdefault("annotations", {}).update(annotation)
        self.state.store.update(DEPLOYMENTS, changed, Writer("kubectl-client-side-apply"))

    def set_init_containers(self, containers: list[Obj], deployment: str = ORDER_SERVICE) -> None:
        """Roll out other init containers; one with `restartPolicy: Always` is a sidecar.

        Those that fail are held in their back-off, as in `scenario`.
        """
        self.state.kubelet.back_off = MAX_BACK_OFF if self.state.clock.speed > 1 else BACK_OFF
        changed = editable_copy(self.deployment(deployment))
        changed["spec"]["template"]["spec"]["initContainers"] = containers
        apply_defaults(DEPLOYMENTS.kind, changed)
        self._update_deployment(changed, {}, Writer("kubectl-edit"))

    def _update_deployment(self, deployment: Obj, annotations: dict[str, str], by: Writer) -> None:
        meta = deployment["metadata"]
        meta.setdefault("annotations", {}).update(annotations)
        meta["generation"] = meta.get("generation", 1) + 1
        self.state.store.update(DEPLOYMENTS, deployment, by)

    def scale(self, replicas: int, deployment: str = ORDER_SERVICE) -> None:
        """Let somebody else scale a deployment."""
        changed = editable_copy(self.deployment(deployment))
        changed["spec"]["replicas"] = replicas
        self._update_deployment(changed, {}, Writer("kubectl", "scale"))

    async def scenario(
        self, name: Scenario, *, timeout: float = WAIT_SECONDS, steady: bool | None = None
    ) -> None:
        """Bring order-service into a state and wait until it shows.

        Pods that fail are held in their back-off when `steady`; by default they are as soon as
        time runs faster than it does, or the back-off would be over before anybody has looked.
        """
        held = self.state.clock.speed > 1 if steady is None else steady
        self.state.kubelet.back_off = MAX_BACK_OFF if held and name != "healthy" else BACK_OFF
        if name == "no-pods":
            self.scale(0)
            await self.wait_until(lambda: not self.pods(), timeout=timeout)
            return
        if not self.deployment()["spec"]["replicas"]:
            self.scale(3)
        self.deploy(IMAGES[name])
        if name == "healthy":
            await self.wait_for_rollout(timeout=timeout)
            return
        await self.wait_until(lambda: self._new_pods_show(STATUS_WORDS[name]), timeout=timeout)

    def _new_pods_show(self, word: str) -> bool:
        image = self.image()
        new = [pod for pod in self.pods() if pod["spec"]["containers"][0]["image"] == image]
        return bool(new) and all(status_word(pod) == word for pod in new)

    def pods(self, app: str = ORDER_SERVICE) -> list[Obj]:
        """The pods with this `app` label. Read them, do not change them."""
        pods = self.state.store.list(PODS, self.namespace)
        return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get("app") == app]

    def pod_names(self, app: str = ORDER_SERVICE) -> list[str]:
        """The names of these pods."""
        return [str(pod["metadata"]["name"]) for pod in self.pods(app)]

    def ready_pods(self, app: str = ORDER_SERVICE) -> list[Obj]:
        """The ready pods that are not terminating."""
        return [
            pod
            for pod in self.pods(app)
            if is_ready(pod) and not pod["metadata"].get("deletionTimestamp")
        ]

    def deployment(self, name: str = ORDER_SERVICE) -> Obj:
        """A Deployment as it is now."""
        return self.state.store.get(DEPLOYMENTS, self.namespace, name)

    def deployments(self) -> list[Obj]:
        """All Deployments of the shop."""
        return self.state.store.list(DEPLOYMENTS, self.namespace)

    def replicasets(self, app: str = ORDER_SERVICE) -> list[Obj]:
        """The ReplicaSets with this `app` label."""
        replicasets = self.state.store.list(REPLICASETS, self.namespace)
        return [
            replicaset
            for replicaset in replicasets
            if replicaset["metadata"]["labels"].get("app") == app
        ]

    def image(self, deployment: str = ORDER_SERVICE) -> str:
        """The image that a Deployment asks for."""
        spec = self.deployment(deployment)["spec"]["template"]["spec"]
        return str(spec["containers"][0]["image"])

    def events(self, about: str = "") -> list[Obj]:
        """The events about objects whose names start with `about`."""
        events = self.state.store.list(EVENTS, self.namespace)
        return [event for event in events if event["involvedObject"]["name"].startswith(about)]

    async def wait_until(self, holds: Callable[[], bool], *, timeout: float = WAIT_SECONDS) -> None:
        """Wait until a condition is true, checked after every change; raises TimeoutError."""
        await self.state.store.wait_until(holds, timeout)

    async def wait_for_rollout(
        self, deployment: str = ORDER_SERVICE, *, timeout: float = WAIT_SECONDS
    ) -> None:
        """Wait until a rollout is complete: only new pods, all of them available."""
        await self.wait_until(lambda: _is_rolled_out(self.deployment(deployment)), timeout=timeout)

    async def wait_for_ready_pods(
        self, count: int, app: str = ORDER_SERVICE, *, timeout: float = WAIT_SECONDS
    ) -> None:
        """Wait until exactly so many pods are ready."""
        await self.wait_until(lambda: len(self.ready_pods(app)) == count, timeout=timeout)

    async def wait_for_status(
        self, word: str, count: int, app: str = ORDER_SERVICE, *, timeout: float = WAIT_SECONDS
    ) -> None:
        """Wait until at least so many pods show this word in `kubectl get pods`."""

        def shown() -> bool:
            return sum(status_word(pod) == word for pod in self.pods(app)) >= count

        await self.wait_until(shown, timeout=timeout)

    def forbid(self, user: str, verb: str, resource: str, namespace: str = "") -> None:
        """Take a permission away: verb and resource as RBAC names them (`pods/log`), or `*`.

        `pods` means the pods alone; their metrics are `pods.metrics.k8s.io`. It is gone in one
        namespace, or ("") everywhere.
        """
        self.state.access.forbid(user, verb, resource, namespace)

    def restrict(self, user: str, rules: list[Obj], namespace: str | None = None) -> None:
        """Let a user do only what the rules of a Role say, in one namespace or ("") in all."""
        place = self.namespace if namespace is None else namespace
        self.state.access.restrict(user, rules, place)

    def permit(self, user: str, verb: str, resource: str, namespace: str = "") -> None:
        """Give a permission back that `forbid` took."""
        self.state.access.permit(user, verb, resource, namespace)

    def slow(self, pattern: str, seconds: float, *, dry_run: bool | None = None) -> Fault:
        """Answer late (in real seconds) where `path` or `verb path` fits a shell pattern.

        With `dry_run` only these, or only what is none.
        """
        return self._add_fault(Fault(pattern, seconds=seconds, dry_run=dry_run))

    def hang(self, pattern: str, *, dry_run: bool | None = None) -> Fault:
        """Never answer these requests."""
        return self._add_fault(Fault(pattern, dry_run=dry_run))

    def fail(self, pattern: str, status: int, *, dry_run: bool | None = None) -> Fault:
        """Answer these requests with an error."""
        return self._add_fault(Fault(pattern, status=status, dry_run=dry_run))

    def stall(self, pattern: str) -> Fault:
        """Do these writes late, though their client has hung up: when released. No dry runs."""
        return self._add_fault(Fault(pattern, dry_run=False, carries_on=True))

    async def release(self, stalled: Fault) -> None:
        """Do what was stalled, and wait until all of it is answered."""
        self.heal(stalled)
        stalled.released.set()
        await asyncio.gather(*self.state.unanswered, return_exceptions=True)

    def lose_answer(self, pattern: str, status: int | None = None) -> Fault:
        """Do these writes and answer nothing, or an error; no dry runs."""
        return self._add_fault(Fault(pattern, status=status or 0, dry_run=False, after=True))

    def _add_fault(self, fault: Fault) -> Fault:
        self.state.faults.active.append(fault)
        return fault

    def heal(self, fault: Fault | None = None) -> None:
        """Remove one fault, or all of them."""
        self.state.faults.active = [
            active for active in self.state.faults.active if fault not in (None, active)
        ]

    def compact(self) -> None:
        """Compact the history, as etcd does: a watch from an older version gets 410 Expired."""
        self.state.store.compact()

    def set_logs(
        self, pod: str, lines: list[str], *, container: str = "", previous: bool = False
    ) -> None:
        """Decide what a container has written; with `previous`, what its last run wrote.

        A surrogate such as `\\udcff` stands for a byte that is no UTF-8.
        """
        pod_object, name = self._container(pod, container)
        self.state.logs.set_lines(pod_object, name, lines, previous=previous)

    def lose_log(self, pod: str, *, container: str = "", previous: bool = False) -> None:
        """Remove a log from its node: it answers with status 200 and a sentence."""
        pod_object, name = self._container(pod, container)
        self.state.logs.lose(pod_object, name, previous=previous)

    def add_daemon_set(self, name: str, image: str = f"{REGISTRY}/agent:v1") -> None:
        """Add a DaemonSet, which runs a pod on each node."""
        self.state.store.create(DAEMONSETS, daemon_set(self.namespace, name, image))

    def add_unready_pod(self, name: str, owner_kind: str, owner: str) -> None:
        """Add a pod of another controller with the order service's label; it does not get ready."""
        pod = editable_copy(finished_pod(self.pods()[0], name, "Completed"))
        pod["metadata"]["ownerReferences"][0] |= {"kind": owner_kind, "name": owner, "uid": owner}
        pod["spec"]["containers"][0]["image"] = f"{REGISTRY}/order-service:v9-unready"
        pod["status"] = {"phase": "Pending"}
        self.state.store.create(PODS, pod)

    def add_finished_pod(self, name: str, reason: Literal["Completed", "Error", "Evicted"]) -> None:
        """Add a pod with the order service's label that has ended and stays.

        A `Completed` one is of a Job, the others of the same controller as those that run. The one
        with an `Error` was on a node that was lost.
        """
        self.state.store.create(PODS, finished_pod(self.pods()[0], name, reason))

    def end_container(self, pod: str, restarts: int = 0, exit_code: int = 1) -> None:
        """End a pod's container now; it stays `terminated`, as one does before it waits."""
        ended = editable_copy(self.state.store.get(PODS, self.namespace, pod))
        [status] = ended["status"]["containerStatuses"]
        since = status["state"]["running"]["startedAt"]
        state = terminated(since, since, exit_code, "Error", status["containerID"])
        last = state if restarts else {}
        status |= {"state": state, "lastState": last, "ready": False, "restartCount": restarts}
        for condition in ended["status"]["conditions"]:
            if condition["type"] in ("Ready", "ContainersReady"):
                condition["status"] = "False"
        self.state.store.update(PODS, ended)

    def set_trouble(
        self, trouble: Trouble | None, *, minutes: float = 0, service: str = ORDER_SERVICE
    ) -> None:
        """Make a service's logs show a trouble (None: no trouble) since so many minutes ago."""
        since = self.state.clock.now() - timedelta(minutes=minutes)
        self.state.logs.set_trouble(self.namespace, service, trouble, since)

    def set_load(self, load: Load | None, app: str = ORDER_SERVICE) -> None:
        """Put a load on all pods of an app together; None restores the usual load."""
        self.state.loads.pop((self.namespace, app), None)
        if load is not None:
            self.state.loads[self.namespace, app] = load

    def resume_orders(self) -> None:
        """Turn a pause of orders off from outside the bot, if there is one."""
        changed = editable_copy(self.deployment())
        env = changed["spec"]["template"]["spec"]["containers"][0]["env"]
        paused = [variable for variable in env if _pauses_orders(variable)]
        for variable in paused:
            variable["value"] = "false"
        if paused:
            cause = {"kubernetes.io/change-cause": "orders taken again"}
            self._update_deployment(changed, cause, Writer("kubectl-set"))

    def accepts_orders(self) -> bool:
        """Whether a ready pod accepts orders: there is one, and orders are not paused."""
        pods = [pod["spec"]["containers"][0].get("env") or [] for pod in self.ready_pods()]
        return any(not any(map(_pauses_orders, env)) for env in pods)

    def endless_log(self, pod: str, total_bytes: int, *, container: str = "") -> None:
        """Give a pod a log of `total_bytes`, generated while it is read."""
        pod_object, name = self._container(pod, container)
        self.state.logs.flood(pod_object, name, total_bytes)

    def stall_log(self, pod: str, *, container: str = "") -> None:
        """Make reading a pod's log hang after its first line."""
        self.state.logs.stall(*self._container(pod, container))

    def _container(self, pod: str, container: str) -> tuple[Obj, str]:
        pod_object = self.state.store.get(PODS, self.namespace, pod)
        return pod_object, container or str(pod_object["spec"]["containers"][0]["name"])

    def remove_program(self, program: str) -> None:
        """Take a program (`nc`, `sh`) out of every image."""
        self.state.network.programs.discard(program)

    def forget_scan_option(self) -> None:
        """Give every image an `nc` that knows no `-z`, as that of Debian's BusyBox."""
        self.state.network.nc_scans = False

    def set_port_answer(self, host: str, port: int, answer: Answer = "refused") -> None:
        """Decide how `nc` sees a port: refused, timeout, unknown (no such host) or open."""
        self.state.network.set(self.namespace, host, port, answer)

    def autoscale(
        self,
        lowest: int,
        highest: int,
        deployment: str = ORDER_SERVICE,
        *,
        name: str = "",
        scaled_object: str = "",
    ) -> None:
        """Let an autoscaler keep a Deployment between two numbers of pods.

        `scaled_object` is what KEDA made it from.
        """
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}
        autoscaler: Obj = {
            "metadata": {"name": name or deployment, "namespace": self.namespace},
            "spec": {"scaleTargetRef": target, "minReplicas": lowest, "maxReplicas": highest},
        }
        if scaled_object:
            owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject"}
            owner |= {"name": scaled_object, "uid": f"scaled-{scaled_object}"}
            autoscaler["metadata"]["ownerReferences"] = [owner]
        apply_defaults(AUTOSCALERS.kind, autoscaler)
        self.state.store.create(AUTOSCALERS, autoscaler)

    def limit_nodes(self, **allocatable: str) -> None:
        """Decide what pods may take of each node: `cpu="1"`, `memory="2Gi"`, `pods="3"`."""
        for node in self.state.store.list(NODES):
            limits = node["status"]["allocatable"] | allocatable
            status = node["status"] | {"allocatable": limits}
            self.state.store.update(NODES, node | {"status": status})

    def limit_resources(self, kind: Literal["Container", "Pod"], **rule: dict[str, str]) -> None:
        """Put a LimitRange on the namespace, such as `max={"memory": "1Gi"}` for each container."""
        meta = {"name": "shop-limits", "namespace": self.namespace}
        limit_range: Obj = {"metadata": meta, "spec": {"limits": [{"type": kind, **rule}]}}
        apply_defaults(LIMIT_RANGES.kind, limit_range)
        self.state.store.create(LIMIT_RANGES, limit_range)

    def deny_writes(self, resource: str, message: str) -> None:
        """Let a ValidatingAdmissionPolicy deny every write of a resource, also a dry run."""
        self.state.policies.append(Policy("shop-policy", resource, message))

    def take_back_writes(self, resource: str) -> None:
        """Let a mutating webhook give each object that is patched its spec of before again."""
        self.state.taken_back.add(resource)

    def protect_pods(self, desired: int, allowed: int, app: str = "order-service") -> None:
        """Put a PodDisruptionBudget on pods: so many stay ready, so many may be missing now."""
        budget: Obj = {
            "metadata": {"name": f"{app}-budget", "namespace": self.namespace},
            "spec": {"minAvailable": desired, "selector": {"matchLabels": {"app": app}}},
            "status": {"desiredHealthy": desired, "disruptionsAllowed": allowed},
        }
        self.state.store.create(DISRUPTION_BUDGETS, budget)

    def limit_namespace(self, **hard: str) -> None:
        """Put a ResourceQuota on the namespace: `pods="4"`, `limits_memory="2Gi"`."""
        limits = {name.replace("_", "."): text for name, text in hard.items()}
        meta = {"name": "shop-quota", "namespace": self.namespace}
        self.state.store.create(QUOTAS, {"metadata": meta, "spec": {"hard": limits}, "status": {}})
        self.state.controllers.sync()


def _pauses_orders(variable: Obj) -> bool:
    return bool(variable["name"] == "ORDERS_PAUSED" and variable.get("value") == "true")


def _is_rolled_out(deployment: Obj) -> bool:
    status, desired = deployment["status"], deployment["spec"]["replicas"]
    counts = (status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas"))
    is_observed = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return is_observed and all(count == desired for count in counts)


def kubeconfig(clusters: Sequence[Cluster], user: str = "runbolt") -> Obj:
    """A kubeconfig for a user with a context for each cluster, named as it; the first is current.

    The address names the user as well as the token does: over plain HTTP kubectl keeps a token to
    itself.
    """
    names = [user, *(f"{user}-{cluster.name}" for cluster in clusters[1:])]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": cluster.name, "cluster": {"server": f"{cluster.url}/users/{user}"}}
            for cluster in clusters
        ],
        "users": [
            {"name": name, "user": {"token": cluster.token(user)}}
            for name, cluster in zip(names, clusters, strict=True)
        ],
        "contexts": [
            {
                "name": cluster.name,
                "context": {"cluster": cluster.name, "user": name, "namespace": cluster.namespace},
            }
            for name, cluster in zip(names, clusters, strict=True)
        ],
        "current-context": clusters[0].name,
    }


def write_kubeconfig(path: Path, clusters: Sequence[Cluster], user: str = "runbolt") -> Path:
    """Write the kubeconfig of a user to a file that only its owner reads."""
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(kubeconfig(clusters, user)))
    return path
