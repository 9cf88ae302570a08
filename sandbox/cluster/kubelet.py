"""The nodes: they schedule pods, pull images, and start and restart containers."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from sandbox.cluster.clock import Clock, parse_stamp, stamp
from sandbox.cluster.errors import Obj
from sandbox.cluster.events import EventLog
from sandbox.cluster.images import Behaviour, Crash, behaviour
from sandbox.cluster.logs import LogBook
from sandbox.cluster.podstatus import (
    Container,
    container_statuses,
    containers_of,
    is_finished,
    pod_status,
    running,
    terminated,
    waiting,
)
from sandbox.cluster.quotas import nodes_with_room
from sandbox.cluster.resources import NODES, PODS
from sandbox.cluster.store import Change, Store, editable_copy

BACK_OFF: tuple[float, ...] = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
MAX_BACK_OFF = BACK_OFF[-1:]
STOP_SECONDS = 1.0
START_SECONDS = 0.1
INIT_SECONDS = 0.5
DONE = Crash(exit_code=0, reason="Completed", first_after=0, later_after=0)
SCHEDULE_SECONDS = 1.0


class Kubelet:
    """Runs every pod of the cluster, each in its own task."""

    def __init__(self, store: Store, clock: Clock, events: EventLog, logs: LogBook) -> None:
        self.store = store
        self.clock = clock
        self.events = events
        self.logs = logs
        self.back_off = BACK_OFF
        self.tasks: dict[str, asyncio.Task[None]] = {}
        store.add_listener(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.resource is not PODS:
            return
        meta = change.obj["metadata"]
        if change.type == "DELETED":
            self._stop(meta["uid"])
            self.logs.forget(meta["uid"])
        elif is_finished(change.obj):
            self._stop(meta["uid"])
        elif change.type == "ADDED" and (change.obj.get("status") or {}).get("phase") == "Running":
            self._adopt(change.obj)
        elif change.type == "ADDED":
            self._start(meta["uid"], self._run_pod(change.obj))
        elif meta.get("deletionTimestamp") and not _is_terminating(change.before):
            self._start(meta["uid"], self._terminate(change.obj))

    def _start(self, uid: str, life: Coroutine[Any, Any, None]) -> None:
        self._stop(uid)
        self.tasks[uid] = asyncio.create_task(life)

    def _stop(self, uid: str) -> None:
        task = self.tasks.pop(uid, None)
        # A pod that removes itself must not cancel the task it does that in.
        if task and task is not asyncio.current_task():
            task.cancel()

    async def _run_pod(self, pod: Obj) -> None:
        await self.clock.sleep(0.1)
        while (scheduled := self._schedule(pod)) is None:
            await self.clock.sleep(SCHEDULE_SECONDS)
        life = PodWorker(self, scheduled)
        life.write_status()
        await life.run_all()

    def _adopt(self, pod: Obj) -> None:
        for status in container_statuses(pod):
            if "running" not in status["state"]:
                continue
            since = parse_stamp(status["state"]["running"]["startedAt"])
            self.logs.begin(pod, status["name"], status["image"], since)

    def _schedule(self, pod: Obj) -> Obj | None:
        """Place a pod on a node with room; None, noted in the pod's status, when there is none."""
        nodes = self.store.list(NODES)
        names = nodes_with_room(nodes, self.store.list(PODS), pod) if nodes else ["node-1"]
        if not names:
            self._record_unschedulable(
                pod, f"0/{len(nodes)} nodes are available: no room for the pod."
            )
            return None
        node = pod["spec"].get("nodeName") or names[len(self.tasks) % len(names)]
        placed = editable_copy(pod)
        placed["spec"]["nodeName"] = node
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        message = f"Successfully assigned {name} to {node}"
        self.events.record(pod, "Scheduled", message, {"component": "default-scheduler"})
        return placed

    def _record_unschedulable(self, pod: Obj, message: str) -> None:
        current = self.store.find(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
        if current is None:
            return
        # What was written meanwhile stays: a pod that somebody marked as failed is not pending.
        status = {"phase": "Pending"} | (current.get("status") or {})
        if status.get("conditions"):
            return
        source = {"component": "default-scheduler"}
        self.events.record(pod, "FailedScheduling", message, source, warning=True)
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        scheduled = condition | {
            "message": message,
            "lastTransitionTime": stamp(self.clock.now()),
        }
        self.store.update(PODS, current | {"status": status | {"conditions": [scheduled]}})

    async def _terminate(self, pod: Obj) -> None:
        meta = pod["metadata"]
        for container in pod["spec"]["containers"]:
            self.record(
                pod, "Killing", f"Stopping container {container['name']}", container["name"]
            )
        await self.clock.sleep(min(meta["deletionGracePeriodSeconds"], STOP_SECONDS))
        if _is_same_pod(self.store.find(PODS, meta["namespace"], meta["name"]), pod):
            self.store.remove(PODS, pod)

    def record(
        self, pod: Obj, reason: str, message: str, container: str, *, warning: bool = False
    ) -> None:
        """Record an event about one container of a pod."""
        source = {"component": "kubelet", "host": pod["spec"].get("nodeName", "")}
        path = f"spec.containers{{{container}}}"
        self.events.record(pod, reason, message, source, warning=warning, fieldPath=path)

    async def close(self) -> None:
        """Stop every pod; raises the error of a pod's task that failed."""
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


class PodWorker:
    """Runs one pod on its node."""

    def __init__(self, kubelet: Kubelet, pod: Obj) -> None:
        self.kubelet = kubelet
        self.clock = kubelet.clock
        self.pod = pod
        self.containers = containers_of(pod)

    def write_status(self) -> None:
        """Write the pod's status to the API."""
        meta = self.pod["metadata"]
        current = self.kubelet.store.find(PODS, meta["namespace"], meta["name"])
        if current is None or not _is_same_pod(current, self.pod):
            return
        updated = editable_copy(current)
        updated["spec"]["nodeName"] = self.pod["spec"]["nodeName"]
        updated["status"] = pod_status(updated, self.containers, stamp(self.clock.now()))
        self.kubelet.store.update(PODS, updated)

    def _record(
        self, reason: str, message: str, container: Container, warning: bool = False
    ) -> None:
        self.kubelet.record(self.pod, reason, message, container.name, warning=warning)

    async def run_all(self) -> None:
        """Run the init containers one after another, and then the others side by side."""
        async with asyncio.TaskGroup() as group:
            for container in self.containers:
                if not container.init:
                    group.create_task(self.run(container))
                elif container.sidecar:
                    group.create_task(self.run(container))
                    while not container.started:
                        await self.clock.sleep(START_SECONDS)
                else:
                    await self._run_to_end(container)

    async def _run_to_end(self, container: Container) -> None:
        """Run an init container until it ends well."""
        behaves = behaviour(container.image, container.memory)
        await self._pull(container, behaves)
        while True:
            self._start_container(container)
            if behaves.crash is None:
                await self.clock.sleep(INIT_SECONDS)
                self._end_container(container, DONE)
                container.ready = True
                return
            await self._run_until_crash(container, behaves)
            self._end_container(container, behaves.crash)
            await self._back_off(container)

    async def run(self, container: Container) -> None:
        """Pull the image, then start the container, again after each crash."""
        behaves = behaviour(container.image, container.memory)
        await self._pull(container, behaves)
        while True:
            self._start_container(container)
            crashed = await self._run_until_crash(container, behaves)
            if not crashed or behaves.crash is None:
                return
            self._end_container(container, behaves.crash)
            await self._back_off(container)

    async def _pull(self, container: Container, behaves: Behaviour) -> None:
        self._record("Pulling", f'Pulling image "{container.image}"', container)
        await self.clock.sleep(behaves.pull)
        attempt = 0
        while behaves.pull_error:
            await self._fail_pull(container, behaves.pull_error, attempt)
            attempt += 1
        took = f"{behaves.pull:.3f}s"
        message = (
            f'Successfully pulled image "{container.image}" in {took} ({took} including waiting)'
        )
        self._record("Pulled", message, container)

    async def _fail_pull(self, container: Container, error: str, attempt: int) -> None:
        message = (
            f'Failed to pull image "{container.image}": rpc error: code = NotFound desc = {error}'
        )
        self._record("Failed", message, container, warning=True)
        container.state = waiting("ErrImagePull", f"rpc error: code = NotFound desc = {error}")
        self.write_status()
        await self.clock.sleep(1.0)
        back_off = f'Back-off pulling image "{container.image}"'
        self._record("BackOff", back_off, container)
        container.state = waiting("ImagePullBackOff", back_off)
        self.write_status()
        await self.clock.sleep(self._delay(attempt))

    def _start_container(self, container: Container) -> None:
        if container.restarts:
            message = f'Container image "{container.image}" already present on machine'
            self._record("Pulled", message, container)
        self._record("Created", f"Created container: {container.name}", container)
        self._record("Started", f"Started container {container.name}", container)
        now = self.clock.now()
        container.state = running(stamp(now))
        self.kubelet.logs.begin(self.pod, container.name, container.image, now)
        self.write_status()

    async def _run_until_crash(self, container: Container, behaves: Behaviour) -> bool:
        death = _crash_delay(behaves.crash, container.restarts)
        ready = behaves.ready_after
        if ready is not None and (death is None or ready < death):
            await self.clock.sleep(ready)
            container.ready = True
            self.write_status()
            death = None if death is None else death - ready
        if death is None:
            return False
        await self.clock.sleep(death)
        return True

    def _end_container(self, container: Container, crash: Crash) -> None:
        now = self.clock.now()
        since = container.state["running"]["startedAt"]
        # Stamps have whole seconds: a container that lived for less still ended after it began.
        until = stamp(max(now, parse_stamp(since) + timedelta(seconds=1)))
        ended = terminated(since, until, crash.exit_code, crash.reason, container.container_id)
        container.state, container.ready = ended, False
        self.kubelet.logs.end(self.pod, container.name, now, crash.final_lines)
        self.write_status()

    async def _back_off(self, container: Container) -> None:
        await self.clock.sleep(0.5)
        if container.restarts:
            await self._crash_loop(container)
        container.last = container.ended()
        container.restarts += 1

    def _delay(self, attempt: int) -> float:
        steps = self.kubelet.back_off
        return steps[min(attempt, len(steps) - 1)]

    async def _crash_loop(self, container: Container) -> None:
        delay = self._delay(container.restarts - 1)
        meta = self.pod["metadata"]
        name = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
        back_off = f"Back-off restarting failed container {container.name} in pod {name}"
        self._record("BackOff", back_off, container, warning=True)
        container.last = container.state
        message = f"back-off {delay:.0f}s restarting failed container={container.name} pod={name}"
        container.state = waiting("CrashLoopBackOff", message)
        self.write_status()
        await self.clock.sleep(delay)


def _crash_delay(crash: Crash | None, restarts: int) -> float | None:
    if crash is None:
        return None
    return crash.later_after if restarts else crash.first_after


def _is_terminating(pod: Obj | None) -> bool:
    return bool(pod and pod["metadata"].get("deletionTimestamp"))


def _is_same_pod(current: Obj | None, pod: Obj) -> bool:
    return current is not None and current["metadata"]["uid"] == pod["metadata"]["uid"]
