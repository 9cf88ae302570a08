"""A stock kubectl works against the simulated cluster, and cannot tell."""

import asyncio
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.cluster import Cluster, write_kubeconfig
from tests.clients import kube
from tests.manual_changes import environment

__all__ = ["kube"]

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(
        shutil.which("kubectl") is None and os.environ.get("RUNBOLT_REQUIRE_KUBECTL") != "1",
        reason="no kubectl on PATH",
    ),
]

SERVICE = "deployment/order-service"
ORDERS = ("-l", "app=order-service")


@dataclass(frozen=True)
class Ran:
    """What a command wrote, and how it ended."""

    code: int
    out: str
    err: str

    def rows(self) -> list[list[str]]:
        """The words of every line below a table's head."""
        return [line.split() for line in self.out.splitlines()[1:]]


class Kubectl:
    """kubectl with a home of its own, so that no configuration or cache of a person is touched."""

    def __init__(self, kube: Cluster, home: Path) -> None:
        self.home = home
        self.config = kube.write_kubeconfig(home / "kubeconfig")

    async def __call__(self, *words: str) -> Ran:
        """Run one command; the cluster goes on meanwhile, in this event loop."""
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            "--request-timeout=20s",
            f"--cache-dir={self.home / 'cache'}",
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "KUBECONFIG": str(self.config),
            },
        )
        out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def ok(self, *words: str) -> Ran:
        """Run a command that must succeed."""
        ran = await self(*words)
        assert ran.code == 0, ran.err
        return ran


@pytest.fixture
def kubectl(kube: Cluster, tmp_path: Path) -> Kubectl:
    return Kubectl(kube, tmp_path)


async def test_get_pods_prints_usual_columns(kube: Cluster, kubectl: Kubectl) -> None:
    ran = await kubectl.ok("get", "pods", *ORDERS)

    assert ran.out.splitlines()[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row[0] for row in ran.rows()] == kube.pod_names()
    assert [row[1:] for row in ran.rows()] == [["1/1", "Running", "0", "6d"]] * 3


async def test_get_pods_wide_adds_node(kubectl: Kubectl) -> None:
    ran = await kubectl.ok("get", "pods", *ORDERS, "-o", "wide")

    assert ran.out.splitlines()[0].split()[5:7] == ["IP", "NODE"]
    assert {row[6] for row in ran.rows()} == {"shop-worker-1", "shop-worker-2", "shop-worker-3"}


async def test_get_pods_shows_a_crash_loop(kube: Cluster, kubectl: Kubectl) -> None:
    await kube.scenario("crash-loop")

    ran = await kubectl.ok("get", "pods", *ORDERS)

    assert {row[1] for row in ran.rows()} == {"0/1"}
    assert re.search(r"CrashLoopBackOff +\d+ \(\d+s ago\)", ran.out)


async def test_get_pods_counts_sidecars_and_init_containers(
    kube: Cluster, kubectl: Kubectl
) -> None:
    proxy = {"name": "proxy", "image": "ghcr.io/tickettoken/proxy:v1", "restartPolicy": "Always"}
    migrate = {"name": "migrate", "image": "ghcr.io/tickettoken/migrate:v2-crash"}
    kube.set_init_containers([migrate, proxy])
    await kube.wait_for_status("Init:CrashLoopBackOff", 3)

    ran = await kubectl.ok("get", "pods", *ORDERS)
    [pod, *_] = [row[0] for row in ran.rows() if row[2] == "Init:CrashLoopBackOff"]
    ended = await kubectl.ok("logs", pod, "--container=migrate", "--previous")

    words = {(row[1], row[2]) for row in ran.rows()}
    assert words == {("1/1", "Running"), ("0/2", "Init:CrashLoopBackOff")}
    assert "ConfigError" in ended.out


async def test_get_deployments_replicasets_and_the_rest(kubectl: Kubectl) -> None:
    ran = await kubectl.ok("get", "deployments,replicasets,services,nodes,hpa")

    assert re.search(r"deployment.apps/order-service +3/3 +3 +3 +88d", ran.out)
    assert re.search(r"replicaset.apps/order-service-\w+ +3 +3 +3 +6d", ran.out)
    assert re.search(r"service/tickettoken-postgres +ClusterIP", ran.out)
    assert re.search(r"node/shop-worker-1 +Ready", ran.out)


async def test_other_namespaces_and_contexts(kube: Cluster, kubectl: Kubectl) -> None:
    await kube.seed_payment_service()
    payments = ("get", "pods", "-l", "app=payment-service")
    async with Cluster(speed=20.0, name="eu-west") as europe:
        await europe.seed_payment_service(3, "eu-worker-1")
        write_kubeconfig(kubectl.config, (kube, europe))

        contexts = await kubectl.ok("config", "get-contexts", "--output=name")
        here = await kubectl.ok(*payments, "--namespace=payments")
        everywhere = await kubectl.ok(*payments, "--all-namespaces")
        abroad = await kubectl.ok(*payments, "--context=eu-west", "--namespace=payments")

    assert contexts.out.split() == ["eu-west", "sandbox"]
    assert (len(here.rows()), len(abroad.rows())) == (2, 3)
    assert [row[0] for row in everywhere.rows()] == ["payments"] * 2 + ["tickettoken"] * 2


async def test_get_a_service_of_another_name(kubectl: Kubectl) -> None:
    async with Cluster(speed=20.0) as shop:
        await shop.seed_order_service(alone=False)
        shop.write_kubeconfig(kubectl.config)

        ran = await kubectl.ok("get", "services")

    target = r"payment-service\.payments\.svc\.cluster\.local"
    assert re.search(rf"payment-service +ExternalName +<none> +{target} +3006/TCP", ran.out)


APPLIED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: order-service}
spec:
  replicas: 3
  selector: {matchLabels: {app: order-service}}
  template:
    metadata: {labels: {app: order-service}}
    spec: {containers: [{name: order-service, image: ghcr.io/tickettoken/order-service:v2.3.1}]}
"""


async def test_client_side_apply_takes_scale_back(
    kube: Cluster, kubectl: Kubectl, tmp_path: Path
) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(APPLIED)
    await kubectl.ok("apply", "--filename", str(file))
    await kubectl.ok("scale", SERVICE, "--replicas=5")

    await kubectl.ok("apply", "--filename", str(file))

    assert kube.deployment()["spec"]["replicas"] == 3


async def test_server_side_apply_conflicts_by_name(
    kube: Cluster, kubectl: Kubectl, tmp_path: Path
) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(APPLIED)
    apply = ("apply", "--server-side", "--filename", str(file))
    await kubectl.ok(*apply, "--force-conflicts")
    patch = '[{"op": "replace", "path": "/spec/replicas", "value": 5}]'
    await kubectl.ok("patch", SERVICE, "--type=json", "--field-manager=runbolt", f"--patch={patch}")

    refused = await kubectl(*apply)
    await kubectl.ok(*apply, "--force-conflicts")

    assert refused.code == 1
    assert (
        'error: Apply failed with 1 conflict: conflict with "runbolt" using apps/v1: '
        ".spec.replicas" in refused.err
    )
    assert kube.deployment()["spec"]["replicas"] == 3
    [entry] = [
        entry
        for entry in kube.deployment()["metadata"]["managedFields"]
        if entry["manager"] == "kubectl"
    ]
    assert entry["operation"] == "Apply"
    assert "f:replicas" in entry["fieldsV1"]["f:spec"]


async def test_stateful_and_daemon_sets(kube: Cluster, kubectl: Kubectl) -> None:
    kube.add_daemon_set("agent")
    await kube.wait_for_ready_pods(3, "agent")
    uid = kube.pods("tickettoken-redis")[0]["metadata"]["uid"]

    listed = await kubectl.ok("get", "statefulsets,daemonsets")
    await kubectl.ok("rollout", "restart", "statefulset/tickettoken-redis")
    status = await kubectl.ok("rollout", "status", "statefulset/tickettoken-redis")

    assert re.search(r"statefulset.apps/tickettoken-redis +1/1 +91d", listed.out)
    assert re.search(r"daemonset.apps/agent +3 +3 +3 +3 +3 +<none> ", listed.out)
    assert "complete" in status.out
    [pod] = kube.pods("tickettoken-redis")
    assert pod["metadata"]["name"] == "tickettoken-redis-0"
    assert pod["metadata"]["uid"] != uid


async def test_get_by_template_and_as_yaml(kube: Cluster, kubectl: Kubectl) -> None:
    image = "{.spec.template.spec.containers[0].image}"

    path = await kubectl.ok("get", SERVICE, "-o", f"jsonpath={image}")
    text = await kubectl.ok("get", SERVICE, "-o", "yaml")

    assert path.out == kube.image()
    assert "kind: Deployment" in text.out


async def test_logs_keep_tail_per_pod(kubectl: Kubectl) -> None:
    ran = await kubectl.ok("logs", *ORDERS, "--tail=100")

    assert len(ran.out.splitlines()) == 300
    assert '"service":"order-service"' in ran.out
    assert "stripe webhook" in ran.out


async def test_logs_of_the_run_that_crashed(kube: Cluster, kubectl: Kubectl) -> None:
    await kube.scenario("crash-loop")

    ran = await kubectl.ok("logs", kube.pod_names()[0], "--previous")

    assert "ConfigError: STRIPE_WEBHOOK_TOLERANCE" in ran.out


async def test_logs_follow_until_container_ends(kube: Cluster, kubectl: Kubectl) -> None:
    kube.deploy("v2.4.0")
    await kube.wait_until(lambda: "v2.4.0" in str(kube.ready_pods()))
    pod = next(pod for pod in kube.ready_pods() if "v2.4.0" in str(pod["spec"]))

    ran = await kubectl.ok("logs", "--follow", pod["metadata"]["name"])

    assert "listening on 0.0.0.0:3005" in ran.out
    assert "Node.js v22.11.0" in ran.out


async def test_exec_reaches_a_dependency(kube: Cluster, kubectl: Kubectl) -> None:
    ran = await kubectl.ok(
        "exec", kube.pod_names()[0], "--", "nc", "-zv", "tickettoken-postgres", "5432"
    )

    assert re.fullmatch(r"tickettoken-postgres \(10\.96\.\d+\.\d+:5432\) open\n", ran.err)


async def test_exec_counts_database_connections(kubectl: Kubectl) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'orders';"

    ran = await kubectl.ok(
        "exec", "-i", "tickettoken-postgres-0", "--", "psql", "-U", "postgres", "-c", query
    )

    assert re.search(r"\d+\n\(1 row\)", ran.out)


async def test_exec_tells_refused_connection(kube: Cluster, kubectl: Kubectl) -> None:
    kube.set_port_answer("tickettoken-redis", 6379)

    ran = await kubectl("exec", kube.pod_names()[0], "--", "nc", "-zv", "tickettoken-redis", "6379")

    assert ran.code == 1
    assert "Connection refused" in ran.err
    assert "command terminated with exit code 1" in ran.err


async def test_exec_tells_missing_program(kube: Cluster, kubectl: Kubectl) -> None:
    kube.remove_program("nc")

    ran = await kubectl("exec", kube.pod_names()[0], "--", "nc", "-zv", "a", "1")

    assert ran.code == 1
    assert 'exec: "nc": executable file not found in $PATH' in ran.err


async def test_exec_tells_missing_pod(kubectl: Kubectl) -> None:
    ran = await kubectl("exec", "order-service-xxx", "--", "env")

    assert ran.err.startswith('Error from server (NotFound): pods "order-service-xxx" not found')


async def test_rollout_undo_gets_new_revision(kube: Cluster, kubectl: Kubectl) -> None:
    await kube.scenario("crash-loop")

    undo = await kubectl.ok("rollout", "undo", SERVICE)
    status = await kubectl.ok("rollout", "status", SERVICE)
    history = await kubectl.ok("rollout", "history", SERVICE)

    assert undo.out == "deployment.apps/order-service rolled back\n"
    assert status.out.endswith('deployment "order-service" successfully rolled out\n')
    assert [line.split()[0] for line in history.out.splitlines()[2:] if line] == list("34578")
    assert kube.image().endswith(":v2.3.1")
    assert len(kube.ready_pods()) == 3


async def test_rollout_undo_to_a_revision(kube: Cluster, kubectl: Kubectl) -> None:
    await kubectl.ok("rollout", "undo", SERVICE, "--to-revision=4")

    await kube.wait_for_rollout()
    assert kube.image().endswith(":v2.2.0")


async def test_rollout_history_shows_one_revision(kubectl: Kubectl) -> None:
    ran = await kubectl.ok("rollout", "history", SERVICE, "--revision=5")

    assert "order-service:v2.3.0" in ran.out


async def test_rollout_status_times_out(kube: Cluster, kubectl: Kubectl) -> None:
    await kube.scenario("image-pull")

    ran = await kubectl("rollout", "status", SERVICE, "--timeout=1s")

    assert ran.code == 1
    assert "Waiting for deployment" in ran.out


async def test_rollout_restart_replaces_every_pod(kube: Cluster, kubectl: Kubectl) -> None:
    before = set(kube.pod_names())

    await kubectl.ok("rollout", "restart", SERVICE)
    await kubectl.ok("rollout", "status", SERVICE)

    assert not before & {pod["metadata"]["name"] for pod in kube.ready_pods()}


async def test_scale(kube: Cluster, kubectl: Kubectl) -> None:
    ran = await kubectl.ok("scale", SERVICE, "--replicas=4")

    assert ran.out == "deployment.apps/order-service scaled\n"
    await kube.wait_for_ready_pods(4)


async def test_scale_only_from_the_expected_count(kubectl: Kubectl) -> None:
    ran = await kubectl("scale", SERVICE, "--replicas=4", "--current-replicas=7")

    assert ran.code == 1
    assert "Expected replicas to be 7, was 3" in ran.err


async def test_set_env_starts_a_rollout(kube: Cluster, kubectl: Kubectl) -> None:
    ran = await kubectl.ok("set", "env", SERVICE, "ORDERS_PAUSED=true")

    assert ran.out == "deployment.apps/order-service env updated\n"
    await kube.wait_for_rollout()
    listed = await kubectl.ok("set", "env", SERVICE, "--list")
    assert "ORDERS_PAUSED=true" in listed.out.splitlines()


async def test_set_env_appends_and_removes(kube: Cluster, kubectl: Kubectl) -> None:
    before = environment(kube)

    await kubectl.ok("set", "env", SERVICE, "FRAUD_MODE=strict", "PORT=3006")
    port = {"name": "PORT", "value": "3006"}
    changed = [port if pod["name"] == "PORT" else pod for pod in before]
    assert environment(kube) == [*changed, {"name": "FRAUD_MODE", "value": "strict"}]

    await kubectl.ok("set", "env", SERVICE, "FRAUD_MODE-", "ORDERS_PAUSED-")
    assert environment(kube) == [pod for pod in changed if pod["name"] != "ORDERS_PAUSED"]


async def test_same_env_starts_no_rollout(kube: Cluster, kubectl: Kubectl) -> None:
    before = kube.deployment()["metadata"]["generation"]

    await kubectl.ok("set", "env", SERVICE, "ORDERS_PAUSED=false")

    assert kube.deployment()["metadata"]["generation"] == before


async def test_set_env_replaces_a_secret(kube: Cluster, kubectl: Kubectl) -> None:
    await kubectl.ok("set", "env", SERVICE, "STRIPE_SECRET_KEY=none")

    assert {"name": "STRIPE_SECRET_KEY", "value": "none"} in environment(kube)


async def test_set_image_and_resources(kube: Cluster, kubectl: Kubectl) -> None:
    await kubectl.ok("set", "image", SERVICE, "order-service=ghcr.io/tickettoken/order-service:v9")
    await kubectl.ok("set", "resources", SERVICE, "--limits=memory=1Gi")

    container = kube.deployment()["spec"]["template"]["spec"]["containers"][0]
    assert container["image"].endswith(":v9")
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    "words",
    [
        "delete pod tickettoken-redis-0",
        "delete pod tickettoken-redis-0 --grace-period=0 --force",
        "delete pods -l app=order-service",
        "delete pods --all --now",
        f"delete {SERVICE}",
        f"delete {SERVICE} --cascade=foreground",
        f"delete {SERVICE} --cascade=orphan",
        f"scale {SERVICE} --replicas=5",
        f"scale {SERVICE} --replicas=5 --current-replicas=3",
        f"rollout undo {SERVICE}",
        f"rollout undo {SERVICE} --to-revision=5",
        f"set image {SERVICE} order-service=ghcr.io/tickettoken/order-service:v9",
        f"set env {SERVICE} ORDERS_PAUSED=true",
        f"set resources {SERVICE} --limits=memory=1Gi",
        f"label {SERVICE} watched=yes",
        f"annotate {SERVICE} watched=yes",
        "run probe --image=ghcr.io/tickettoken/probe:v1",
    ],
)
async def test_a_server_side_rehearsal_changes_nothing(
    kube: Cluster, kubectl: Kubectl, words: str
) -> None:
    ran = await kubectl.ok(*words.split(), "--dry-run=server")

    asked = [request for request in kube.requests if request.verb not in ("get", "list", "watch")]
    assert ran.out.endswith("(server dry run)\n")
    assert [request.dry_run for request in asked] == [True] * len(ran.out.splitlines())
    assert kube.writes == []


@pytest.mark.parametrize(
    "words",
    [
        "delete pod tickettoken-redis-0 --wait=false",
        "delete pods -l app=order-service --wait=false",
        f"delete {SERVICE} --cascade=foreground --wait=false",
        f"scale {SERVICE} --replicas=5",
        f"rollout restart {SERVICE}",
        f"rollout undo {SERVICE}",
        f"set image {SERVICE} order-service=ghcr.io/tickettoken/order-service:v9",
    ],
)
async def test_the_same_without_a_rehearsal(kube: Cluster, kubectl: Kubectl, words: str) -> None:
    ran = await kubectl.ok(*words.split())

    asked = [request for request in kube.requests if request.verb not in ("get", "list", "watch")]
    assert "dry run" not in ran.out
    assert [request.dry_run for request in asked] == [False] * len(ran.out.splitlines())
    assert kube.writes == asked


async def test_top_pods(kube: Cluster, kubectl: Kubectl) -> None:
    ran = await kubectl.ok("top", "pods", *ORDERS)

    assert ran.out.splitlines()[0].split() == ["NAME", "CPU(cores)", "MEMORY(bytes)"]
    assert sorted(row[0] for row in ran.rows()) == kube.pod_names()
    assert all(re.fullmatch(r"\d+m", row[1]) and row[2].endswith("Mi") for row in ran.rows())


async def test_top_nodes(kubectl: Kubectl) -> None:
    ran = await kubectl.ok("top", "nodes")

    assert len(ran.rows()) == 3


async def test_pods_deleted_by_label_return(kube: Cluster, kubectl: Kubectl) -> None:
    before = kube.pod_names()

    ran = await kubectl.ok("delete", "pod", *ORDERS)

    # Newer versions say from which namespace, too.
    said = [line.removesuffix(" from tickettoken namespace") for line in ran.out.splitlines()]
    assert said == [f'pod "{name}" deleted' for name in before]
    await kube.wait_for_ready_pods(3)
    assert not set(before) & set(kube.pod_names())


async def test_describe_pod_ends_with_its_events(kube: Cluster, kubectl: Kubectl) -> None:
    await kube.scenario("crash-loop")

    ran = await kubectl.ok("describe", "pod", kube.pod_names()[0])

    assert re.search(r"Exit Code: +2\n", ran.out)
    assert "Back-off restarting failed container order-service" in ran.out
    assert re.search(r"Controlled By: +ReplicaSet/order-service-", ran.out)


async def test_describe_deployment_names_its_replicasets(kubectl: Kubectl) -> None:
    ran = await kubectl.ok("describe", SERVICE)

    assert "3 desired | 3 updated | 3 total | 3 available | 0 unavailable" in ran.out
    assert "NewReplicaSet:" in ran.out


async def test_wait_for_a_condition(kube: Cluster, kubectl: Kubectl) -> None:
    await kubectl.ok("rollout", "restart", SERVICE)

    await kubectl.ok("wait", SERVICE, "--for=condition=Available", "--timeout=15s")


async def test_create_a_pod_from_a_file(kube: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(POD)

    created = await kubectl.ok("create", "-f", str(manifest))
    taken = await kubectl("create", "-f", str(manifest))
    manifest.write_text(POD.replace("image:", "imgae:"))
    misspelt = await kubectl("create", "-f", str(manifest))

    assert created.out == "pod/probe created\n"
    assert "(AlreadyExists): error when creating" in taken.err
    assert 'unknown field "spec.containers[0].imgae"' in misspelt.err
    await kube.wait_for_ready_pods(1, app="probe")


async def test_wrong_type_is_refused(kubectl: Kubectl) -> None:
    ran = await kubectl("patch", SERVICE, "--type=merge", "-p", '{"spec":{"replicas":"four"}}')

    assert ran.code == 1
    assert "cannot unmarshal string into Go struct field" in ran.err


async def test_auth_can_i(kube: Cluster, kubectl: Kubectl) -> None:
    kube.forbid("runbolt", "delete", "pods")

    may = await kubectl("auth", "can-i", "get", "pods", "--subresource=log")
    may_not = await kubectl("auth", "can-i", "delete", "pods")

    assert (may.code, may.out) == (0, "yes\n")
    assert (may_not.code, may_not.out) == (1, "no\n")


async def test_forbidden_verb_is_told(kube: Cluster, kubectl: Kubectl) -> None:
    kube.forbid("runbolt", "delete", "pods")

    ran = await kubectl("delete", "pod", kube.pod_names()[0])

    assert ran.err.startswith("Error from server (Forbidden): pods ")
    assert 'User "runbolt" cannot delete resource "pods" in API group ""' in ran.err


async def test_an_unreachable_cluster(kube: Cluster, kubectl: Kubectl) -> None:
    await kube.stop_listening()

    ran = await kubectl("get", "pods")

    assert ran.code == 1
    assert "connection refused" in ran.err
    await kube.start_listening()
    await kubectl.ok("get", "pods")


POD = """
apiVersion: v1
kind: Pod
metadata:
  name: probe
  labels:
    app: probe
spec:
  containers:
    - name: probe
      image: ghcr.io/tickettoken/probe:v1
"""
