"""What people do to the cluster by hand, beside the bot, as kubectl sends it."""

from collections.abc import Mapping

import aiohttp

from sandbox.cluster import DEFAULT_NAMESPACE, Cluster

DEPLOYMENT = f"/apis/apps/v1/namespaces/{DEFAULT_NAMESPACE}/deployments/order-service"
LABELS = {"app": "order-service"}
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

Obj = dict[str, object]


async def patch_pods(kube: Cluster, spec: Mapping[str, object]) -> None:
    """Change the pod template's spec; raises ClientResponseError where that is refused."""
    await patch_deployment(kube, {"spec": {"template": {"spec": spec}}})


async def patch_deployment(kube: Cluster, body: Mapping[str, object], manager: str = "") -> None:
    """Change the order service's Deployment; raises ClientResponseError where that is refused."""
    query = {"fieldManager": manager} if manager else {}
    async with (
        _admin(kube) as session,
        session.patch(kube.url + DEPLOYMENT, json=body, params=query),
    ):
        await kube.wait_for_rollout()


def _admin(kube: Cluster) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {kube.token('admin')}", "Content-Type": STRATEGIC_PATCH}
    return aiohttp.ClientSession(headers=headers, raise_for_status=True)


async def delete_deployment(kube: Cluster) -> None:
    """Delete the order service's Deployment."""
    async with _admin(kube) as session, session.delete(kube.url + DEPLOYMENT):
        pass


async def recreate_deployment(kube: Cluster) -> None:
    """Delete the order service's Deployment, and create it as a controller would: without notes."""
    before = kube.deployment()
    spec = before["spec"] | {
        "template": before["spec"]["template"] | {"metadata": {"labels": LABELS}}
    }
    fresh = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "order-service", "labels": LABELS},
        "spec": spec,
    }
    await delete_deployment(kube)
    path = DEPLOYMENT.rpartition("/")[0]
    headers = {"Content-Type": "application/json"}
    async with _admin(kube) as session, session.post(kube.url + path, json=fresh, headers=headers):
        pass


async def set_env(kube: Cluster, manager: str, **values: str) -> None:
    """Set variables of the order service, as a tool that calls itself `manager`."""
    env = [{"name": name, "value": value} for name, value in values.items()]
    containers = [{"name": "order-service", "env": env}]
    template = {"spec": {"containers": containers}}
    await patch_deployment(kube, {"spec": {"template": template}}, manager)


async def patch_env(kube: Cluster, *variables: Mapping[str, object], **more: object) -> None:
    """Change variables of the order service, each by its name; `more` is about the list itself."""
    container = {"name": "order-service", "env": [*variables], **more}
    await patch_pods(kube, {"containers": [container]})


def environment(kube: Cluster) -> list[Obj]:
    """The variables that the order service's pods are given."""
    variables: list[Obj] = kube.deployment()["spec"]["template"]["spec"]["containers"][0]["env"]
    return variables


def variable(kube: Cluster, name: str = "ORDERS_PAUSED") -> object:
    """The value of one of them; None where it is not set."""
    return next(
        (entry.get("value", "") for entry in environment(kube) if entry["name"] == name), None
    )
