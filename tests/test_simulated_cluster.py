"""The simulated cluster does what a real one does, and refuses what a real one refuses."""

import json
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.stream import WsApiClient
from kubernetes.aio.watch import Watch

from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from tests.clients import Api, api, apps, core, kube

__all__ = ["api", "apps", "core", "kube"]

NS = DEFAULT_NAMESPACE
ORDERS = "app=order-service"
Json = dict[str, Any]


async def refused(call: Any) -> Json:
    """The Status of a call that must fail."""
    with pytest.raises(ApiException) as caught:
        await call
    status: Json = json.loads(caught.value.body or "")
    assert status["kind"] == "Status"
    assert status["code"] == caught.value.status
    return status


async def test_pods_by_label(kube: Cluster, core: Api) -> None:
    found = await core.list_namespaced_pod(NS, label_selector=ORDERS)

    assert [pod.metadata.name for pod in found.items] == kube.pod_names()
    assert {pod.status.phase for pod in found.items} == {"Running"}


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("app in (order-service, payment-service)", 5),
        ("app notin (order-service,payment-service)", 3),
        ("app!=order-service", 5),
        ("pod-template-hash", 5),
        ("!pod-template-hash", 3),
        ("app=order-service,!pod-template-hash", 0),
        ("", 8),
    ],
)
async def test_label_selectors(core: Api, selector: str, count: int) -> None:
    found = await core.list_namespaced_pod(NS, label_selector=selector)

    assert len(found.items) == count


async def test_field_selectors(kube: Cluster, core: Api) -> None:
    name = kube.pod_names()[0]

    one = await core.list_namespaced_pod(NS, field_selector=f"metadata.name={name}")
    none = await core.list_namespaced_pod(NS, field_selector="status.phase!=Running")

    assert [pod.metadata.name for pod in one.items] == [name]
    assert none.items == []


async def test_events_of_one_pod(kube: Cluster, core: Api) -> None:
    await kube.scenario("crash-loop")
    name = kube.pod_names()[0]

    found = await core.list_namespaced_event(NS, field_selector=f"involvedObject.name={name}")

    reasons = {pod.reason for pod in found.items}
    assert {"Scheduled", "Pulled", "Created", "Started", "BackOff"} <= reasons


async def test_pages(kube: Cluster, core: Api) -> None:
    first = await core.list_namespaced_pod(NS, limit=5)
    rest = await core.list_namespaced_pod(NS, limit=5, _continue=first.metadata._continue)

    assert (len(first.items), len(rest.items)) == (5, 3)
    assert first.metadata.remaining_item_count == 3
    assert rest.metadata._continue is None


async def test_watch_tells_changes_since_version(kube: Cluster, core: Api) -> None:
    now = await core.list_namespaced_pod(NS, label_selector=ORDERS)
    name = kube.pod_names()[0]
    await core.delete_namespaced_pod(name, NS)
    seen = []
    watching: Any = Watch
    async with watching() as watch:
        async for event in watch.stream(
            core.list_namespaced_pod,
            NS,
            label_selector=ORDERS,
            resource_version=now.metadata.resource_version,
            timeout_seconds=10,
        ):
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED":
                break

    assert seen[0] == ("MODIFIED", name)
    assert seen[-1] == ("DELETED", name)
    assert "ADDED" in [kind for kind, _ in seen]


async def test_a_rollout_gets_the_next_revision(kube: Cluster, apps: Api) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [
        {"name": "order-service", "env": [{"name": "ORDERS_PAUSED", "value": "true"}]}
    ]}}}}  # fmt: skip

    await apps.patch_namespaced_deployment("order-service", NS, patch, field_validation="Strict")

    await kube.wait_for_rollout()
    done = await apps.read_namespaced_deployment("order-service", NS)
    container = done.spec.template.spec.containers[0]
    assert done.metadata.annotations["deployment.kubernetes.io/revision"] == "7"
    assert {variable.name: variable.value for variable in container.env}["ORDERS_PAUSED"] == "true"
    assert len(container.env) == 7
    assert container.image == "ghcr.io/tickettoken/order-service:v2.3.1"
    assert done.status.observed_generation == done.metadata.generation
    assert {condition.type: condition.reason for condition in done.status.conditions} == {
        "Available": "MinimumReplicasAvailable",
        "Progressing": "NewReplicaSetAvailable",
    }


async def test_undo_by_a_guarded_json_patch(kube: Cluster, apps: Api) -> None:
    await kube.scenario("crash-loop")
    broken = await apps.read_namespaced_deployment("order-service", NS)
    sets = (await apps.list_namespaced_replica_set(NS, label_selector=ORDERS)).items
    revision = "deployment.kubernetes.io/revision"
    good = next(
        replicaset for replicaset in sets if replicaset.metadata.annotations[revision] == "6"
    )
    template = good.to_dict(serialize=True)["spec"]["template"]
    del template["metadata"]["labels"]["pod-template-hash"]
    patch = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": ""},
        {"op": "replace", "path": "/spec/template", "value": template},
    ]

    late = await refused(apps.patch_namespaced_deployment("order-service", NS, patch))
    patch[0]["value"] = broken.metadata.resource_version
    await apps.patch_namespaced_deployment("order-service", NS, patch)

    await kube.wait_for_rollout()
    again = await apps.read_namespaced_replica_set(good.metadata.name, NS)
    assert (late["code"], late["reason"]) == (422, "Invalid")
    assert again.metadata.annotations[revision] == "8"
    assert again.metadata.annotations["deployment.kubernetes.io/revision-history"] == "6"
    assert again.status.ready_replicas == 3


async def test_broken_release_succeeds_before_crashing(kube: Cluster) -> None:
    kube.deploy("v2.4.0")
    await kube.wait_for_rollout()
    await kube.wait_for_status("CrashLoopBackOff", 3)

    status = kube.pods()[0]["status"]["containerStatuses"][0]
    restarts = status["restartCount"]
    conditions = {
        condition["type"]: condition for condition in kube.deployment()["status"]["conditions"]
    }

    assert status["lastState"]["terminated"]["exitCode"] == 2
    assert conditions["Available"]["status"] == "False"
    assert conditions["Progressing"]["reason"] == "NewReplicaSetAvailable"
    await kube.wait_until(
        lambda: kube.pods()[0]["status"]["containerStatuses"][0]["restartCount"] > restarts
    )


async def test_other_ways_to_break(kube: Cluster) -> None:
    await kube.scenario("image-pull")
    assert len(kube.ready_pods()) == 3
    await kube.scenario("healthy")
    await kube.scenario("oom")
    ended = kube.pods()[0]["status"]["containerStatuses"][0]
    told = ended["state"].get("terminated") or ended["lastState"]["terminated"]
    assert (told["exitCode"], told["reason"]) == (137, "OOMKilled")
    await kube.scenario("no-pods")
    assert kube.deployment()["status"].get("readyReplicas", 0) == 0


async def test_stuck_rollout_misses_its_deadline(kube: Cluster, apps: Api) -> None:
    patch = {"spec": {"progressDeadlineSeconds": 5}}
    await apps.patch_namespaced_deployment("order-service", NS, patch)
    kube.deploy("v3-unready")

    await kube.wait_until(lambda: "ProgressDeadlineExceeded" in str(kube.deployment()["status"]))


async def test_a_quota_holds_pods_back(kube: Cluster) -> None:
    kube.limit_namespace(pods="9")
    kube.scale(6)

    await kube.wait_until(
        lambda: bool([event for event in kube.events() if "quota" in event["message"]])
    )
    assert len(kube.pods()) == 4


async def test_dry_runs_change_nothing(kube: Cluster, core: Api, apps: Api) -> None:
    await apps.patch_namespaced_deployment_scale(
        "order-service", NS, {"spec": {"replicas": 9}}, dry_run="All"
    )
    await core.delete_namespaced_pod(kube.pod_names()[0], NS, dry_run="All")
    image = [{"op": "replace", "path": "/spec/replicas", "value": 8}]
    would = await apps.patch_namespaced_deployment("order-service", NS, image, dry_run="All")

    assert would.spec.replicas == 8
    assert kube.writes == []
    assert [request.dry_run for request in kube.requests] == [True] * 3
    assert kube.deployment()["spec"]["replicas"] == 3


async def test_scale(kube: Cluster, apps: Api) -> None:
    scale = await apps.read_namespaced_deployment_scale("order-service", NS)
    scale.spec.replicas = 4
    await apps.replace_namespaced_deployment_scale("order-service", NS, scale)

    await kube.wait_for_ready_pods(4)
    late = await refused(apps.replace_namespaced_deployment_scale("order-service", NS, scale))
    assert (late["code"], late["reason"]) == (409, "Conflict")
    assert [write.verb for write in kube.writes] == ["update"]


async def test_somebody_else_was_first(kube: Cluster, apps: Api) -> None:
    seen = await apps.read_namespaced_deployment("order-service", NS)
    kube.change_template()

    status = await refused(apps.replace_namespaced_deployment("order-service", NS, seen))

    assert status["message"] == (
        'Operation cannot be fulfilled on deployments.apps "order-service": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )


async def test_delete_pods_by_label(kube: Cluster, core: Api) -> None:
    before = set(kube.pod_names())

    await core.delete_collection_namespaced_pod(NS, label_selector=ORDERS)

    await kube.wait_until(lambda: len(kube.ready_pods()) == 3 == len(kube.pods()))
    assert not before & set(kube.pod_names())


async def test_deletion_refuses_different_pod_uid(kube: Cluster, core: Api) -> None:
    options = {"preconditions": {"uid": "another"}, "gracePeriodSeconds": 0}
    status = await refused(core.delete_namespaced_pod(kube.pod_names()[0], NS, body=options))

    assert status["reason"] == "Conflict"
    assert "the UID in the precondition (another) does not match" in status["message"]


async def test_logs(kube: Cluster, core: Api) -> None:
    name = kube.pod_names()[0]
    kube.set_logs(name, ["first", "second", "third – ünïcode"])
    kube.set_logs(name, ["last words"], previous=True)

    tail = await core.read_namespaced_pod_log(name, NS, tail_lines=2)
    stamped = await core.read_namespaced_pod_log(name, NS, timestamps=True, tail_lines=1)
    short = await core.read_namespaced_pod_log(name, NS, limit_bytes=8)

    assert tail == "second\nthird – ünïcode\n"
    assert stamped.split("Z ")[1] == "third – ünïcode\n"
    assert short == "first\nse"


async def test_logs_of_any_size_are_streamed(kube: Cluster, core: Api) -> None:
    name = kube.pod_names()[0]
    kube.endless_log(name, 20_000_000)

    answer = await core.read_namespaced_pod_log_without_preload_content(name, NS)
    size = 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
    tail = await core.read_namespaced_pod_log(name, NS, tail_lines=100)

    assert size == 20_000_000
    assert len(tail.splitlines()) == 100


async def test_logs_that_are_not_there(kube: Cluster, core: Api) -> None:
    name = kube.pod_names()[0]
    status = await refused(core.read_namespaced_pod_log(name, NS, previous=True))
    assert status["message"] == (
        f'previous terminated container "order-service" in pod "{name}" not found'
    )
    await kube.scenario("image-pull")
    waits = next(pod for pod in kube.pods() if pod["status"]["phase"] == "Pending")
    status = await refused(core.read_namespaced_pod_log(waits["metadata"]["name"], NS))
    assert status["message"].endswith("waiting to start: trying and failing to pull image")


async def run_in_pod(
    api: Api, pod: str, *command: str, protocol: str = "v5.channel.k8s.io"
) -> tuple[dict[int, bytes], Json]:
    """Run a command; the output by channel, and the Status at the end."""
    open_sockets: Any = WsApiClient
    async with open_sockets(api.configuration) as sockets:
        core: Api = client.CoreV1Api(sockets)
        opening = await core.connect_get_namespaced_pod_exec_without_preload_content(
            pod,
            NS,
            command=list(command),
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _headers={"sec-websocket-protocol": protocol},
        )
        said: dict[int, bytes] = {}
        async with opening as socket:
            async for message in socket:
                said[message.data[0]] = said.get(message.data[0], b"") + message.data[1:]
    return said, json.loads(said.pop(3))


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v5.channel.k8s.io"])
async def test_exec(kube: Cluster, api: Api, protocol: str) -> None:
    pod = kube.pod_names()[0]
    said, status = await run_in_pod(api, pod, "cat", "/etc/hostname", protocol=protocol)

    assert said[1].decode() == f"{pod}\n"
    assert status == {"metadata": {}, "status": "Success"}


async def test_exec_tells_how_it_ended(kube: Cluster, api: Api) -> None:
    pod = kube.pod_names()[0]
    kube.set_port_answer("tickettoken-rabbitmq", 5672, "timeout")
    check = ("nc", "-zv", "-w", "2", "tickettoken-rabbitmq", "5672")

    said, late = await run_in_pod(api, pod, *check)
    _, missing = await run_in_pod(api, pod, "psql")
    shell, _ = await run_in_pod(api, pod, "sh", "-c", "nc -zv nohost 1 2>&1")

    assert said[2].endswith(b"Operation timed out\n")
    assert late["reason"] == "NonZeroExitCode"
    assert late["details"]["causes"] == [{"reason": "ExitCode", "message": "1"}]
    assert "executable file not found in $PATH" in missing["message"]
    assert shell[1] == b"nc: bad address 'nohost'\n"


async def test_exec_where_nothing_runs(kube: Cluster, api: Api) -> None:
    await kube.scenario("crash-loop")
    pod = kube.pod_names()[0]

    _, status = await run_in_pod(api, pod, "env")
    with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
        await run_in_pod(api, pod, "env", protocol="v4.channel.k8s.io")

    assert 'container not found ("order-service")' in status["message"]


async def test_metrics_come_late(kube: Cluster, api: Api) -> None:
    metrics: Api = client.CustomObjectsApi(api)
    place = ("metrics.k8s.io", "v1beta1", NS, "pods")
    old = await metrics.list_namespaced_custom_object(*place, label_selector=ORDERS)
    kube.change_template()
    await kube.wait_for_rollout()
    await kube.wait_until(lambda: len(kube.pods()) == 3)
    young = await metrics.list_namespaced_custom_object(*place, label_selector=ORDERS)

    assert len(old["items"]) == 3
    assert young["items"] == []
