"""Several namespaces in one simulated cluster, and a second cluster beside it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import load_kube_config_from_dict
from kubernetes.aio.stream import WsApiClient

from sandbox.accounts import grant_rights
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster, Load
from sandbox.cluster.cluster import kubeconfig
from sandbox.cluster.quantities import amount
from tests.clients import Api, api, apps, core, kube

__all__ = ["api", "apps", "core", "kube"]

PAYMENT = "payment-service"
PAYMENTS = "payments"
SELECTOR = f"app={PAYMENT}"
LOOK = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]


@pytest.fixture
async def payments(kube: Cluster) -> Cluster:
    return await kube.seed_payment_service()


@pytest.fixture
async def europe() -> AsyncIterator[Cluster]:
    async with Cluster(speed=20.0, name="eu-west") as cluster:
        yield await cluster.seed_payment_service(3, "eu-worker-1")


async def refusal(call: Any) -> str:
    """What the server says of a call that must fail."""
    with pytest.raises(ApiException) as caught:
        await call
    return str(caught.value.body)


async def test_one_name_rolls_out_twice(kube: Cluster, payments: Cluster) -> None:
    payments.deploy("v1.19.0", PAYMENT)
    await payments.wait_for_rollout(PAYMENT)

    assert payments.image(PAYMENT).endswith(":v1.19.0")
    assert kube.image(PAYMENT).endswith(":v1.9.0")
    assert len(kube.ready_pods(PAYMENT)) == len(payments.ready_pods(PAYMENT)) == 2
    assert len(payments.replicasets(PAYMENT)) == 4
    assert {event["metadata"]["namespace"] for event in payments.events(PAYMENT)} == {PAYMENTS}


async def test_pods_of_one_namespace_and_of_all(
    kube: Cluster, payments: Cluster, core: Api
) -> None:
    here = await core.list_namespaced_pod(PAYMENTS, label_selector=SELECTOR)
    everywhere = await core.list_pod_for_all_namespaces(label_selector=SELECTOR)
    nowhere = await core.list_namespaced_pod("elsewhere")

    assert [pod.metadata.name for pod in here.items] == payments.pod_names(PAYMENT)
    assert len(everywhere.items) == 4
    assert nowhere.items == []


async def test_a_role_ends_at_its_namespace(kube: Cluster, payments: Cluster, core: Api) -> None:
    payments.restrict("runbolt", LOOK)

    assert len((await core.list_namespaced_pod(PAYMENTS)).items) == 3
    refused = await refusal(core.list_namespaced_pod(DEFAULT_NAMESPACE))

    assert (
        r"User \"runbolt\" cannot list resource \"pods\" in API group \"\" in the namespace "
        r"\"tickettoken\"" in refused
    )
    assert "cluster scope" in await refusal(core.list_pod_for_all_namespaces())


async def test_the_bots_account_ends_at_its_services(
    kube: Cluster, payments: Cluster, core: Api, apps: Api
) -> None:
    grant_rights(kube, payments)
    kube.add_namespace("elsewhere")
    deployments = apps.list_namespaced_deployment

    assert (await core.list_namespaced_pod(DEFAULT_NAMESPACE)).items
    assert (await core.list_namespaced_pod(PAYMENTS)).items
    assert r"in the namespace \"elsewhere\"" in await refusal(core.list_namespaced_pod("elsewhere"))
    assert "cannot list" in await refusal(deployments(PAYMENTS))


async def test_a_right_is_lost_in_one_namespace(
    kube: Cluster, payments: Cluster, core: Api
) -> None:
    kube.forbid("runbolt", "list", "pods", PAYMENTS)

    assert r"in the namespace \"payments\"" in await refusal(core.list_namespaced_pod(PAYMENTS))
    assert (await core.list_namespaced_pod(DEFAULT_NAMESPACE)).items

    kube.permit("runbolt", "list", "pods", PAYMENTS)
    assert (await core.list_namespaced_pod(PAYMENTS)).items


async def test_load_and_trouble_stay_in_their_namespace(
    kube: Cluster, payments: Cluster, api: Api, core: Api
) -> None:
    payments.set_load(Load(cpu=1800, memory=420), PAYMENT)
    payments.set_trouble("provider", minutes=10, service=PAYMENT)
    metrics = client.CustomObjectsApi(api)

    async def millicores(namespace: str) -> list[int]:
        found: Any = await metrics.list_namespaced_custom_object(
            "metrics.k8s.io", "v1beta1", namespace, "pods", label_selector=SELECTOR
        )
        used = [pod["containers"][0]["usage"]["cpu"] for pod in found["items"]]
        assert len(used) == 2
        return [round(amount(text) * 1000) for text in used]

    async def log(cluster: Cluster) -> str:
        pod = cluster.pod_names(PAYMENT)[0]
        return str(await core.read_namespaced_pod_log(pod, cluster.namespace))

    # The load is that of two pods, with the few per cent by which they differ.
    assert all(860 < used < 940 for used in await millicores(PAYMENTS))
    assert all(used < 150 for used in await millicores(DEFAULT_NAMESPACE))
    assert "provider timeout" in await log(payments)
    assert "provider timeout" not in await log(kube)


@pytest.mark.parametrize(
    ("namespace", "host", "answer"),
    [
        (PAYMENTS, "payments-postgres", "open"),
        (DEFAULT_NAMESPACE, "payments-postgres", "bad address"),
        (DEFAULT_NAMESPACE, "payments-postgres.payments", "open"),
        (DEFAULT_NAMESPACE, "payments-postgres.payments.svc.cluster.local.", "open"),
        (PAYMENTS, "tickettoken-postgres", "bad address"),
    ],
)
async def test_short_names_are_the_namespaces_own(
    kube: Cluster, payments: Cluster, namespace: str, host: str, answer: str
) -> None:
    configuration = client.Configuration()
    load: Any = load_kube_config_from_dict
    await load(kube.kubeconfig(), client_configuration=configuration)
    pod = kube.within(namespace).pod_names(PAYMENT)[0]
    command = ["nc", "-zv", "-w", "3", host, "5432"]
    connect: Any = WsApiClient
    async with connect(configuration) as websocket:
        said = await client.CoreV1Api(websocket).connect_get_namespaced_pod_exec(
            pod, namespace, command=command, stdout=True, stderr=True
        )

    assert answer in said


async def test_contexts_lead_to_their_clusters(kube: Cluster, europe: Cluster) -> None:
    config = kubeconfig((kube, europe))

    assert config["current-context"] == "sandbox"
    assert [entry["name"] for entry in config["contexts"]] == ["sandbox", "eu-west"]
    for context, namespace, pods in (("sandbox", "tickettoken", 8), ("eu-west", "payments", 4)):
        configuration = client.Configuration()
        load: Any = load_kube_config_from_dict
        await load(config, context=context, client_configuration=configuration)
        async with client.ApiClient(configuration) as made:
            found = await client.CoreV1Api(made).list_namespaced_pod(namespace)
        assert len(found.items) == pods


async def test_a_token_is_of_one_cluster(kube: Cluster, europe: Cluster) -> None:
    europe.token()
    configuration = client.Configuration(host=europe.url)
    configuration.api_key["authorization"] = f"Bearer {kube.token()}"
    async with client.ApiClient(configuration) as made:
        refused = await refusal(client.CoreV1Api(made).list_namespaced_pod(PAYMENTS))

    assert '"code": 401' in refused
