"""The client of the Kubernetes API: every call has a time limit, and no write is ever repeated."""

import asyncio
import ipaddress
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import aiohttp
from kubernetes.aio.config import ConfigException

from bot.model import target
from bot.systems.kubernetes import (
    access,
    errors,
    limits,
    managed_fields,
    patches,
    pod_exec,
    resources,
)
from bot.systems.kubernetes.access import Access
from bot.systems.kubernetes.clients import Clients, Surroundings
from bot.systems.kubernetes.errors import ApiCall, ClusterError, NotFound, Unauthorized
from bot.systems.kubernetes.limits import (
    Autoscaler,
    DisruptionBudget,
    LimitRange,
    Node,
    Quota,
)
from bot.systems.kubernetes.logs import LineSplitter
from bot.systems.kubernetes.patches import DeploymentPatch
from bot.systems.kubernetes.patience import Patience
from bot.systems.kubernetes.pod_exec import ExecResult
from bot.systems.kubernetes.resources import Deployment, Event, Pod, ResourceAmounts, Revision
from bot.systems.kubernetes.sending import Redirected, UpgradeRefused

TIMEOUT_SECONDS = 10.0
# As long as a rollout may take by default. An API server that restarts refuses connections for
# about 20 s; a control plane that is upgraded, for some minutes.
PATIENCE_SECONDS = 300.0
# What a node sends, with status 200, in place of a log that it no longer has.
LOG_GONE = b"unable to retrieve container logs for "
OTHER_KINDS = ("StatefulSet", "DaemonSet")
JSON_PATCH = "application/json-patch+json"
# How the names end that only pods of a cluster find.
CLUSTER_DOMAINS = (".svc", ".cluster.local")
CHUNK_BYTES = 1024 * 1024
# Names of objects and subresources. Kubernetes allows more in the names of some kinds, of which
# none is used here.
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
Query = list[tuple[str, str]]
OnLines = Callable[[bytes], Awaitable[None]]
Report = Callable[[str], Awaitable[None]]
T = TypeVar("T")


class Cluster:
    """One namespace of a cluster. Every method raises ClusterError, written for people.

    `name` is what people call the cluster.
    """

    def __init__(
        self,
        clients: Clients,
        namespace: str,
        timeout: float,
        access: Access = Access.CHANGE,
        patience: Patience | None = None,
        shown_variables: tuple[str, ...] = (),
    ) -> None:
        self.name = clients.name
        self.namespace = namespace
        self.host = clients.host
        self.timeout = timeout
        self.patience_seconds = PATIENCE_SECONDS
        self._clients = clients
        self._access = access
        self._patience = patience
        self._shown_variables = shown_variables

    @property
    def place(self) -> str:
        """Like `namespace shop of cluster eu`, for people."""
        return errors.place(self.name, self.namespace)

    def names_outside(self, host: str) -> tuple[str, ...]:
        """The names by which the bot may find what pods of this namespace call `host`.

        The bot runs in another namespace, or cluster: a name must not find what it means there.
        """
        if _is_address(host):
            return (host,)
        if self._clients.surroundings is Surroundings.OTHER:
            # Looked up as it is: a search list would find a Service of the bot's own cluster.
            is_public = "." in host and not host.endswith(CLUSTER_DOMAINS)
            return (f"{host}.",) if is_public else ()
        if "." in host:
            return (host,)
        full = f"{host}.{self.namespace}"
        return (full,) if self._clients.surroundings is Surroundings.OWN else (full, host)

    def target(self, description: str) -> str:
        """What a plan names objects of this namespace by, such as those of a label selector."""
        return target.in_cluster(description, self.namespace, self._clients.server)

    def restricted(self, access: Access) -> "Cluster":
        """The same cluster, with a client that sends nothing that `access` leaves out.

        Raises ValueError for a client that has another limit already.
        """
        if self._access not in (Access.CHANGE, access):
            raise ValueError(f"a client limited to {self._access} cannot become one for {access}")
        return self._with(access, self._patience)

    def patient(self, report: Report) -> "Cluster":
        """The same cluster, whose calls wait for an API server that does not answer for a while.

        `report` tells people of the wait. What may have had an effect is never sent again.
        """
        patience = Patience(self.name, self.patience_seconds, report)
        return self._with(self._access, patience)

    def _with(self, access: Access, patience: Patience | None) -> "Cluster":
        shown = self._shown_variables
        return Cluster(self._clients, self.namespace, self.timeout, access, patience, shown)

    async def pods(self, selector: str) -> tuple[Pod, ...]:
        """The pods that match a label selector, by name."""
        call = self._api_call("list", "pods")
        raw = await self._request_json(
            call, "GET", self._core_path("pods"), [("labelSelector", selector)]
        )
        return tuple(sorted(map(resources.parse_pod, raw["items"]), key=lambda pod: pod.name))

    async def usage(self, selector: str) -> dict[str, dict[str, ResourceAmounts]]:
        """What each container of each pod uses; pods without measurements yet are left out.

        Raises NotFound when the cluster has no metrics API.
        """
        call = self._api_call("list", "pods.metrics.k8s.io")
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{self.namespace}/pods"
        raw = await self._request_json(call, "GET", path, [("labelSelector", selector)])
        return {
            metrics["metadata"]["name"]: resources.parse_usage(metrics) for metrics in raw["items"]
        }

    async def deployment(self, name: str) -> Deployment:
        """A Deployment as it is now; raises NotFound, which says so when it is another kind."""
        call = self._api_call("get", "deployments", name)
        try:
            raw = await self._request_json(call, "GET", self._apps_path("deployments", name))
        except NotFound as error:
            raise await self._other_kind(call) or error from error
        return self._parse_deployment(raw)

    def _parse_deployment(self, raw: Any) -> Deployment:
        server, shown = self._clients.server, self._shown_variables
        return resources.parse_deployment(raw, server, self.place, shown)

    async def _other_kind(self, call: ApiCall) -> NotFound | None:
        """The error for a StatefulSet or DaemonSet of that name, known by its pods; else None."""
        try:
            pods = await self.pods("")
        except ClusterError:
            return None
        workloads = {pod.workload for pod in pods}
        kinds = [kind for kind in OTHER_KINDS if f"{kind}/{call.name}" in workloads]
        return errors.not_a_deployment(call, kinds[0]) if kinds else None

    async def revisions(self, deployment: Deployment) -> tuple[Revision, ...]:
        """The revisions of a Deployment, newest first; only of ReplicaSets that it owns."""
        call = self._api_call("list", "replicasets")
        query = [("labelSelector", deployment.selector)]
        raw = await self._request_json(call, "GET", self._apps_path("replicasets"), query)
        owned = [
            replicaset
            for replicaset in raw["items"]
            if resources.is_controlled_by(replicaset, deployment.uid)
        ]
        revisions = map(resources.parse_revision, owned)
        return tuple(sorted(revisions, key=lambda revision: revision.number, reverse=True))

    async def quotas(self) -> tuple[Quota, ...]:
        """The quotas of the namespace."""
        call = self._api_call("list", "resourcequotas")
        raw = await self._request_json(call, "GET", self._core_path("resourcequotas"))
        return tuple(map(limits.parse_quota, raw["items"]))

    async def limit_ranges(self) -> tuple[LimitRange, ...]:
        """The LimitRanges of the namespace."""
        call = self._api_call("list", "limitranges")
        raw = await self._request_json(call, "GET", self._core_path("limitranges"))
        return tuple(map(limits.parse_limit_range, raw["items"]))

    async def autoscalers(self) -> tuple[Autoscaler, ...]:
        """The autoscalers of the namespace. Raises NotFound when the cluster has no such API."""
        call = self._api_call("list", "horizontalpodautoscalers.autoscaling")
        path = f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers"
        raw = await self._request_json(call, "GET", path)
        return tuple(map(limits.parse_autoscaler, raw["items"]))

    async def disruption_budgets(self) -> tuple[DisruptionBudget, ...]:
        """The PodDisruptionBudgets of the namespace."""
        call = self._api_call("list", "poddisruptionbudgets.policy")
        path = f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets"
        raw = await self._request_json(call, "GET", path)
        return tuple(map(limits.parse_disruption_budget, raw["items"]))

    async def nodes(self) -> tuple[Node, ...]:
        """The nodes of the whole cluster."""
        call = ApiCall("list", "nodes", self.name, namespace="")
        raw = await self._request_json(call, "GET", "/api/v1/nodes")
        return tuple(map(limits.parse_node, raw["items"]))

    async def backoff_pods(self) -> frozenset[str]:
        """The names of pods with a BackOff event, also of deleted ones; events last an hour."""
        call = self._api_call("list", "events")
        query = [("fieldSelector", "reason=BackOff,involvedObject.kind=Pod")]
        raw = await self._request_json(call, "GET", self._core_path("events"), query)
        return frozenset(event["involvedObject"]["name"] for event in raw["items"])

    async def warnings(self) -> tuple[Event, ...]:
        """The events of the namespace that warn, the newest first; clusters keep them an hour."""
        call = self._api_call("list", "events")
        query = [("fieldSelector", "type=Warning")]
        raw = await self._request_json(call, "GET", self._core_path("events"), query)
        events = map(resources.parse_event, raw["items"])
        return tuple(sorted(events, key=lambda event: event.last, reverse=True))

    async def dry_run(self, deployment: Deployment, patch: DeploymentPatch) -> Deployment:
        """What a change would make of a Deployment, by a dry run on the server."""
        return await self._patch(deployment, patch.json_patch(deployment), dry_run=True)

    async def patch(
        self, deployment: Deployment, patch: DeploymentPatch, execution_id: int
    ) -> Deployment:
        """Change a Deployment, once, and annotate it with the execution's id.

        Raises Conflict, with nothing changed, when it has another version than the one given.
        """
        operations = patch.json_patch(deployment, str(execution_id))
        return await self._patch(deployment, operations, dry_run=False)

    async def _patch(
        self, deployment: Deployment, operations: list[Any], *, dry_run: bool
    ) -> Deployment:
        call = self._change_call("patch", "deployments", deployment.name, dry_run=dry_run)
        query = [("fieldValidation", "Strict"), ("fieldManager", managed_fields.OUR_MANAGER)]
        if dry_run:
            query.append(("dryRun", "All"))
        path = self._apps_path("deployments", deployment.name)
        raw = await self._request_json(call, "PATCH", path, query, operations)
        return self._parse_deployment(raw)

    async def fence(self, obj: Deployment | Pod) -> None:
        """Give an object another version: what was sent for the one given can no longer be stored.

        Raises Conflict when it has another version by now.
        """
        is_pod = isinstance(obj, Pod)
        resource, path = ("pods", self._core_path) if is_pod else ("deployments", self._apps_path)
        call = self._change_call("patch", resource, obj.name, dry_run=False)
        query = [("fieldManager", managed_fields.OUR_MANAGER)]
        await self._request_json(call, "PATCH", path(resource, obj.name), query, patches.fence(obj))

    async def delete_pod(self, pod: Pod, *, dry_run: bool = False) -> None:
        """Delete exactly this pod in its version; raises Conflict when it has another by now.

        With `dry_run` it is a dry run on the server, whatever its version.
        """
        call = self._change_call("delete", "pods", pod.name, dry_run=dry_run)
        # A DELETE that has a body is read from the body alone: the server ignores its query.
        preconditions = {"uid": pod.uid}
        body: dict[str, Any] = {"preconditions": preconditions}
        if dry_run:
            body["dryRun"] = ["All"]
        else:
            preconditions["resourceVersion"] = pod.resource_version
        await self._request_json(call, "DELETE", self._core_path("pods", pod.name), body=body)

    async def log(
        self, pod: str, container: str, on_lines: OnLines, *, tail: int, previous: bool = False
    ) -> None:
        """Pass on the last `tail` lines of a container's log as they come, with timestamps.

        Each call of `on_lines` gets about 1 MiB of whole lines, and no more are read before it
        returns: that is all that is ever in memory. `previous` is the container's run before this
        one. Raises LogGone when the node no longer has it.
        """
        call = self._api_call("get", "pods/log", pod)
        query = [("container", container), ("tailLines", str(tail)), ("timestamps", "true")]
        if previous:
            query.append(("previous", "true"))
        splitter = LineSplitter()
        async with self._stream(call, self._core_path("pods", pod, "log"), query) as response:
            while chunk := await self._read_chunk(call, response):
                # Each line of a log begins with its time, so this is none.
                if chunk.startswith(LOG_GONE):
                    raise errors.log_gone(call, container, previous=previous)
                if lines := splitter.feed(chunk):
                    await on_lines(lines)
        if lines := splitter.end():
            await on_lines(lines)

    @asynccontextmanager
    async def _stream(
        self, call: ApiCall, path: str, query: Query
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response of any length: its head has the time limit, and each chunk for itself."""

        async def open_response() -> aiohttp.ClientResponse:
            async with self._translate_errors(call, self.timeout):
                opened = await self._send("GET", path, query, seconds=None)
                response: aiohttp.ClientResponse = opened.response
                await _check_status(call, response)
                return response

        async with await self._make(call, open_response) as response:
            yield response

    async def _read_chunk(self, call: ApiCall, response: aiohttp.ClientResponse) -> bytes:
        """The next MiB or a little more; less only at the end, and then nothing."""
        parts, left = list[bytes](), CHUNK_BYTES
        async with self._translate_errors(call, self.timeout):
            while left > 0 and (part := await response.content.read(CHUNK_BYTES)):
                parts.append(part)
                left -= len(part)
        return b"".join(parts)

    async def exec(
        self, pod: str, container: str, command: list[str], *, timeout: float
    ) -> ExecResult:
        """Run a command in a container, without a shell; `timeout` in seconds for all of it.

        Raises CommandNotFound when the container's image has no such command.
        """
        call = self._api_call("create", "pods/exec", pod)
        query = [("command", argument) for argument in command]
        query += [("container", container), ("stdout", "true"), ("stderr", "true")]

        async def run() -> ExecResult:
            async with self._translate_errors(call, timeout), self._websocket(pod, query) as socket:
                return await pod_exec.read_result(socket, call, command[0])

        return await self._make(call, run)

    @asynccontextmanager
    async def _websocket(
        self, pod: str, query: Query
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        path = self._core_path("pods", pod, "exec")
        _, url, headers, *_ = await self._serialize("GET", path, query)
        headers["sec-websocket-protocol"] = pod_exec.PROTOCOLS
        async with await self._clients.connect(url, headers) as socket:
            yield socket

    async def _request_json(
        self, call: ApiCall, method: str, path: str, query: Query | None = None, body: Any = None
    ) -> Any:
        """Send one request, once, and read its JSON; raises ClusterError."""

        async def send() -> Any:
            async with self._translate_errors(call, self.timeout):
                opened = await self._send(method, path, query or [], body, seconds=self.timeout)
                async with opened.response as response:
                    await _check_status(call, response)
                    return json.loads(await response.read())

        return await self._make(call, send)

    async def _make(self, call: ApiCall, send: Callable[[], Awaitable[T]]) -> T:
        """Make a call with credentials that are accepted, and as patiently as this client is."""

        async def send_accepted() -> T:
            generation = await self._refresh_credentials(call)
            try:
                return await send()
            except Unauthorized:
                self._clients.credentials.reject(generation)
            await self._refresh_credentials(call)
            return await send()

        if self._patience is None:
            return await send_accepted()
        return await self._patience.retry(call, send_accepted)

    async def _refresh_credentials(self, call: ApiCall) -> int:
        """The generation of the credentials, renewed where that is due. Raises NotConnected."""
        try:
            await self._clients.refresh()
        except ConfigException as error:
            reason = f"the credentials cannot be read: {error}"
            raise errors.not_connected(call, self.host, reason) from error
        return self._clients.credentials.generation

    async def _send(
        self, method: str, path: str, query: Query, body: Any = None, *, seconds: float | None
    ) -> Any:
        return await self._clients.http.call_api(
            *await self._serialize(method, path, query, body),
            _request_timeout=aiohttp.ClientTimeout(total=seconds),
        )

    async def _serialize(self, method: str, path: str, query: Query, body: Any = None) -> Any:
        """The arguments of `call_api`, for every request; raises WriteStopped."""
        headers = {"Accept": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = JSON_PATCH
        request = await self._clients.http.param_serialize(
            method, path, None, query, headers, body, auth_settings=["BearerToken"]
        )
        method, url, _, serialized_body, *_ = request
        access.check(self._access, method, url, serialized_body)
        return request

    @asynccontextmanager
    async def _translate_errors(self, call: ApiCall, seconds: float) -> AsyncIterator[None]:
        """Limit the time, and raise the ClusterError for whatever goes wrong meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except Redirected as error:
            raise errors.redirected(call, error.status) from error
        except UpgradeRefused as error:
            raise errors.from_response(call, error.status, error.body) from error
        except aiohttp.ClientConnectorError as error:
            reason = error.strerror or type(error.os_error).__name__
            raise errors.not_connected(call, self.host, reason) from error
        except TimeoutError as error:
            raise errors.timed_out(call, seconds) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise errors.disconnected(call, self.host, reason) from error
        except ConfigException as error:
            reason = f"the credentials cannot be read: {error}"
            raise errors.not_connected(call, self.host, reason) from error

    def _api_call(self, verb: str, resource: str, name: str = "") -> ApiCall:
        return ApiCall(verb, resource, self.name, self.namespace, name)

    def _change_call(self, verb: str, resource: str, name: str, *, dry_run: bool) -> ApiCall:
        call = self._api_call(verb, resource, name)
        return replace(call, mutating=True, dry_run=dry_run)

    def _core_path(self, *parts: str) -> str:
        return _path("/api/v1/namespaces", self.namespace, *parts)

    def _apps_path(self, *parts: str) -> str:
        return _path("/apis/apps/v1/namespaces", self.namespace, *parts)


async def _check_status(call: ApiCall, response: aiohttp.ClientResponse) -> None:
    """Raise the ClusterError for a response that is not a success."""
    if response.status >= 300:
        raise errors.from_response(call, response.status, await response.read())


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _path(start: str, *parts: str) -> str:
    """The path of an object; raises RequestRefused for a name that would make it another path.

    An API server takes DELETE `pods/` as the whole collection, and an encoded slash as a slash.
    """
    for part in parts:
        if not NAME.fullmatch(part):
            raise errors.RequestRefused(
                f"“{part}” cannot be the name of an object in Kubernetes. Nothing was sent and "
                "nothing was changed. Correct the name."
            )
    return "/".join((start, *parts))
