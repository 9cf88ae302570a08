"""The client: every call has a time limit, no write is ever repeated, every refusal is a word."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.aio.stream import WsApiClient

from bot.cluster import access, bounds, errors, execs, nouns
from bot.cluster.access import Access
from bot.cluster.bounds import Autoscaler, Node, Quota
from bot.cluster.errors import Ask
from bot.cluster.execs import Ran
from bot.cluster.logs import Lines
from bot.cluster.nouns import Amounts, Deployment, Pod, Revision
from bot.cluster.patches import Change
from bot.model import UserError

TIMEOUT_SECONDS = 10.0
JSON_PATCH = "application/json-patch+json"
PIECE = 256 * 1024
# Names of objects and subresources; some objects' names may hold more, but none that is asked for.
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
Query = list[tuple[str, str]]
Hear = Callable[[list[str]], Awaitable[None]]


class Clients:
    """The library's clients, for requests and for programs in pods; all doors share them."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.host = str(configuration.host)
        # The library's classes are typed in part only.
        self.http: Any = ApiClient(configuration)
        self.http.user_agent = "runbolt"

    @cached_property
    def sockets(self) -> Any:
        """Made when a program is run first: reading all certificates takes a while."""
        client: Any = WsApiClient(self._configuration)  # type: ignore[no-untyped-call]
        client.user_agent = "runbolt"
        return client

    async def close(self) -> None:
        """Close every connection."""
        await self.http.close()
        if "sockets" in vars(self):
            await self.sockets.close()


class Cluster:
    """One namespace of a cluster. Every method raises ClusterError, written for people."""

    def __init__(
        self, clients: Clients, namespace: str, timeout: float, access: Access = Access.CHANGE
    ) -> None:
        self.namespace = namespace
        self.host = clients.host
        self.timeout = timeout
        self._clients = clients
        self._access = access

    @classmethod
    @asynccontextmanager
    async def open(
        cls, kubeconfig: Path | None, namespace: str, *, timeout: float = TIMEOUT_SECONDS
    ) -> AsyncIterator["Cluster"]:
        """Read the configuration, the pod's own without a kubeconfig; nothing is asked yet.

        `timeout` is in seconds, for each call. Raises UserError when it cannot be read.
        """
        clients = Clients(await _configuration(kubeconfig))
        try:
            yield cls(clients, namespace, timeout)
        finally:
            await clients.close()

    def restricted(self, access: Access) -> "Cluster":
        """The same cluster by a door that stops, before it is sent, what `access` leaves out."""
        return Cluster(self._clients, self.namespace, self.timeout, access)

    async def pods(self, selector: str) -> tuple[Pod, ...]:
        """The pods that a label selector names, by name."""
        ask = self._ask("list", "pods")
        raw = await self._json(ask, "GET", self._core("pods"), [("labelSelector", selector)])
        return tuple(sorted(map(nouns.pod, raw["items"]), key=lambda one: one.name))

    async def usage(self, selector: str) -> dict[str, dict[str, Amounts]]:
        """What the containers of each pod use; pods that nobody has measured yet are left out.

        Raises NotFound when the cluster measures nothing.
        """
        ask = self._ask("list", "pods.metrics.k8s.io")
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{self.namespace}/pods"
        raw = await self._json(ask, "GET", path, [("labelSelector", selector)])
        return {one["metadata"]["name"]: nouns.usage(one) for one in raw["items"]}

    async def deployment(self, name: str) -> Deployment:
        """A Deployment as it is now."""
        ask = self._ask("get", "deployments", name)
        return nouns.deployment(await self._json(ask, "GET", self._apps("deployments", name)))

    async def revisions(self, of: Deployment) -> tuple[Revision, ...]:
        """What a Deployment has been, newest first; only ReplicaSets that it owns."""
        ask = self._ask("list", "replicasets")
        query = [("labelSelector", of.selector)]
        raw = await self._json(ask, "GET", self._apps("replicasets"), query)
        owned = [nouns.revision(one) for one in raw["items"] if _owned(one, of.uid)]
        return tuple(sorted(owned, key=lambda one: one.number, reverse=True))

    async def quotas(self) -> tuple[Quota, ...]:
        """What the namespace may have of everything, and has."""
        ask = self._ask("list", "resourcequotas")
        raw = await self._json(ask, "GET", self._core("resourcequotas"))
        return tuple(map(bounds.quota, raw["items"]))

    async def autoscalers(self) -> tuple[Autoscaler, ...]:
        """What scales by itself in the namespace. Raises NotFound when the cluster cannot."""
        ask = self._ask("list", "horizontalpodautoscalers.autoscaling")
        path = f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers"
        return tuple(map(bounds.autoscaler, (await self._json(ask, "GET", path))["items"]))

    async def nodes(self) -> tuple[Node, ...]:
        """The machines of the whole cluster."""
        raw = await self._json(self._ask("list", "nodes"), "GET", "/api/v1/nodes")
        return tuple(map(bounds.node, raw["items"]))

    async def failed_pods(self) -> frozenset[str]:
        """The names of pods, gone ones too, that did not keep running; an hour is remembered."""
        query = [("fieldSelector", "reason=BackOff,involvedObject.kind=Pod")]
        raw = await self._json(self._ask("list", "events"), "GET", self._core("events"), query)
        return frozenset(one["involvedObject"]["name"] for one in raw["items"])

    async def rehearse(self, now: Deployment, change: Change) -> Deployment:
        """What a change would make of a Deployment: a dry run on the server, nothing is kept."""
        return await self._patch(now, change.patch(now), [("dryRun", "All")])

    async def change(self, now: Deployment, change: Change, execution: int) -> Deployment:
        """Change a Deployment, once, and leave the execution's id on it.

        Raises Conflict, with nothing changed, when it is no longer as given.
        """
        return await self._patch(now, change.patch(now, str(execution)), [])

    async def _patch(self, now: Deployment, patch: list[Any], query: Query) -> Deployment:
        ask = self._ask("patch", "deployments", now.name, changes=True)
        query = [*query, ("fieldValidation", "Strict"), ("fieldManager", "runbolt")]
        path = self._apps("deployments", now.name)
        return nouns.deployment(await self._json(ask, "PATCH", path, query, patch))

    async def delete_pod(self, pod: Pod, *, rehearse: bool = False) -> None:
        """Delete exactly this pod: raises Conflict when another one has taken its name."""
        ask = self._ask("delete", "pods", pod.name, changes=True)
        # A DELETE that has a body is read from the body alone: the server ignores its query.
        body: dict[str, Any] = {"preconditions": {"uid": pod.uid}}
        if rehearse:
            body["dryRun"] = ["All"]
        await self._json(ask, "DELETE", self._core("pods", pod.name), body=body)

    async def log(
        self, pod: str, container: str, hear: Hear, *, tail: int, previous: bool = False
    ) -> None:
        """Hand over the newest lines of a container's log as they come, each after its time.

        About 256 KiB of them at once, and no more before `hear` is done with those: that is all
        that is ever in memory. `previous` is the container's last run.
        """
        ask = self._ask("get", "pods/log", pod)
        query = [("container", container), ("tailLines", str(tail)), ("timestamps", "true")]
        if previous:
            query.append(("previous", "true"))
        lines = Lines()
        async with self._stream(ask, self._core("pods", pod, "log"), query) as response:
            while piece := await self._piece(ask, response):
                await hear(lines.feed(piece))
        await hear(lines.end())

    @asynccontextmanager
    async def _stream(
        self, ask: Ask, path: str, query: Query
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer of any length: not all of it is bounded in time, but each piece."""
        async with self._patience(ask, self.timeout):
            answer = await self._call("GET", path, query, seconds=None)
        async with answer.response as response:
            if response.status >= 300:
                async with self._patience(ask, self.timeout):
                    raise errors.refusal(ask, response.status, await response.read())
            yield response

    async def _piece(self, ask: Ask, response: aiohttp.ClientResponse) -> bytes:
        """The next bytes, empty at the end; a few are handed on with those that follow."""
        piece = bytearray()
        async with self._patience(ask, self.timeout):
            while len(piece) < PIECE and (more := await response.content.read(PIECE)):
                piece += more
        return bytes(piece)

    async def run(self, pod: str, container: str, command: list[str], *, timeout: float) -> Ran:
        """Run a program in a container, without a shell; `timeout` in seconds for all of it.

        Raises NoProgram when the container has no such program.
        """
        ask = self._ask("create", "pods/exec", pod)
        query = [("command", word) for word in command]
        query += [("container", container), ("stdout", "true"), ("stderr", "true")]
        async with self._patience(ask, timeout), self._socket(ask, pod, query) as socket:
            return await execs.run(socket, ask, command[0])

    @asynccontextmanager
    async def _socket(
        self, ask: Ask, pod: str, query: Query
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        client = self._clients.sockets
        path = self._core("pods", pod, "exec")
        method, url, headers, *_ = await self._serialize(client, "GET", path, query)
        headers["sec-websocket-protocol"] = execs.PROTOCOLS
        opened = await client.call_api(method, url, headers, _preload_content=False)
        async with opened.response as socket:
            yield socket

    async def _json(
        self, ask: Ask, method: str, path: str, query: Query | None = None, body: Any = None
    ) -> Any:
        async with self._response(ask, method, path, query or [], body) as response:
            return json.loads(await response.read())

    @asynccontextmanager
    async def _response(
        self, ask: Ask, method: str, path: str, query: Query, body: Any = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request, once; raises ClusterError for any answer but a good one."""
        async with self._patience(ask, self.timeout):
            answer = await self._call(method, path, query, body, seconds=self.timeout)
            async with answer.response as response:
                if response.status >= 300:
                    raise errors.refusal(ask, response.status, await response.read())
                yield response

    async def _call(
        self, method: str, path: str, query: Query, body: Any = None, *, seconds: float | None
    ) -> Any:
        client = self._clients.http
        return await client.call_api(
            *await self._serialize(client, method, path, query, body),
            _request_timeout=aiohttp.ClientTimeout(total=seconds),
        )

    async def _serialize(
        self, client: Any, method: str, path: str, query: Query, body: Any = None
    ) -> Any:
        """What is sent, all of which comes by here; raises WriteStopped where that may not be."""
        headers = {"Accept": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = JSON_PATCH
        request = await client.param_serialize(
            method, path, None, query, headers, body, auth_settings=["BearerToken"]
        )
        method, url, _, sent, *_ = request
        access.check(self._access, method, url, sent)
        return request

    @asynccontextmanager
    async def _patience(self, ask: Ask, seconds: float) -> AsyncIterator[None]:
        """Bound the time, and put what can happen on the way into words."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except aiohttp.WSServerHandshakeError as error:
            raise errors.refusal(ask, error.status, error.message.encode()) from error
        except aiohttp.ClientConnectorError as error:
            why = error.strerror or type(error.os_error).__name__
            raise errors.unreachable(ask, self.host, why, sent=False) from error
        except TimeoutError as error:
            raise errors.timed_out(ask, seconds) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise errors.unreachable(ask, self.host, why, sent=True) from error
        except ConfigException as error:
            why = f"its credentials cannot be renewed: {error}"
            raise errors.unreachable(ask, self.host, why, sent=False) from error

    def _ask(self, verb: str, resource: str, name: str = "", *, changes: bool = False) -> Ask:
        return Ask(verb, resource, self.namespace, name, changes)

    def _core(self, *parts: str) -> str:
        return _path("/api/v1/namespaces", self.namespace, *parts)

    def _apps(self, *parts: str) -> str:
        return _path("/apis/apps/v1/namespaces", self.namespace, *parts)


async def _configuration(kubeconfig: Path | None) -> Configuration:
    made = Configuration()
    made.retries = None
    try:
        if kubeconfig is None:
            load_incluster_config(made)  # type: ignore[no-untyped-call]
        else:
            await load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), client_configuration=made
            )
    except (ConfigException, OSError, ValueError) as error:
        source = "the pod's service account" if kubeconfig is None else str(kubeconfig)
        raise UserError(
            f"The configuration of the cluster cannot be read from {source}: {error}. "
            "Nothing was started. Set KUBECONFIG to a kubeconfig file, or run in the cluster."
        ) from error
    return made


def _path(start: str, *parts: str) -> str:
    """The path of an object; raises Refused for a name that would make it another path.

    An API server takes DELETE `pods/` as the whole collection, and an encoded slash as a slash.
    """
    for part in parts:
        if not NAME.fullmatch(part):
            raise errors.Refused(
                f"“{part}” cannot be the name of an object in Kubernetes. Nothing was sent and "
                "nothing was changed. Correct the name."
            )
    return "/".join((start, *parts))


def _owned(raw: dict[str, Any], uid: str) -> bool:
    owners = raw["metadata"].get("ownerReferences") or []
    return any(one["uid"] == uid and one.get("controller") for one in owners)
