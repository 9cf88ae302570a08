"""The simulated cluster refuses what a real one refuses, in the same words."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sandbox.cluster import DEFAULT_NAMESPACE, Cluster

NS = DEFAULT_NAMESPACE
POD = f"/api/v1/namespaces/{NS}/pods"
ANY_POD = f"{POD}/tickettoken-redis-0"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NS}/deployments/order-service"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
Json = dict[str, Any]


@pytest.fixture
async def kube() -> AsyncIterator[Cluster]:
    async with Cluster(speed=20.0) as cluster:
        await cluster.seed_order_service()
        yield cluster


async def ask(
    kube: Cluster,
    method: str,
    path: str,
    body: Any = None,
    *,
    user: str = "runbolt",
    **headers: str,
) -> tuple[int, Json]:
    """One request, as it goes over the wire."""
    sent = {"Authorization": f"Bearer {kube.token(user)}"}
    sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    data = None if body is None else json.dumps(body)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, kube.url + path, data=data, headers=sent) as answer,
    ):
        text = await answer.text()
        if answer.content_type != "application/json":
            return answer.status, {"text": text, "type": answer.content_type}
        made: Json = json.loads(text)
        return answer.status, made


async def test_what_one_may_do(kube: Cluster) -> None:
    kube.forbid("runbolt", "create", "pods/exec")
    attributes = {"verb": "create", "resource": "pods", "subresource": "exec", "namespace": NS}
    review = {"spec": {"resourceAttributes": attributes}}
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    path = f"{POD}/{kube.pod_names()[0]}/exec?command=env&stdout=true"

    made, told = await ask(kube, "POST", reviews, review)
    other, allowed = await ask(kube, "POST", reviews, review, user="admin")
    status, body = await ask(kube, "GET", path)

    assert (made, told["status"]["allowed"]) == (201, False)
    assert (other, allowed["status"]["allowed"]) == (201, True)
    assert status == 403
    assert 'cannot create resource "pods/exec" in API group ""' in body["message"]
    assert (await ask(kube, "GET", path, user="admin"))[0] == 400


REFUSALS: list[tuple[str, str, Any, str, int, str]] = [
    ("GET", f"{POD}/none", None, "", 404, 'pods "none" not found'),
    ("GET", f"{POD}?labelSelector=a+in", None, "", 400, "unable to parse requirement"),
    ("GET", f"{POD}?fieldSelector=spec.foo=1", None, "", 400, "field label not supported"),
    ("GET", f"{ANY_POD}/log?follow=maybe", None, "", 400, "invalid syntax"),
    ("GET", f"{ANY_POD}/log?sinceTime=2026-01-01", None, "", 400, "as RFC 3339"),
    ("GET", f"{ANY_POD}/log?container=web", None, "", 400, "container web is not valid for pod"),
    ("GET", f"{ANY_POD}/exec?command=env&stdout=true", None, "", 400, "Upgrade request required"),
    ("DELETE", ANY_POD, [], "", 400, "cannot unmarshal array into Go value"),
    ("DELETE", f"{ANY_POD}?propagationPolicy=Later", None, "", 422, "Unsupported value"),
    ("GET", f"{POD}?limit=x", None, "", 400, "invalid syntax"),
    ("GET", f"{POD}?lable=a", None, "", 400, "unknown query parameter: lable"),
    ("PUT", POD, {}, "", 405, "does not allow this method"),
    ("POST", POD, {"metadata": {"name": "a"}}, "", 422, "spec: Required value"),
    ("POST", POD, {"metadata": {"name": "A_b"}, "spec": {}}, "", 422, "RFC 1123"),
    ("POST", POD, {"kind": "Node"}, "", 400, "cannot be handled as a Pod"),
    ("POST", f"{POD}?dryRun=maybe", {}, "", 422, "Unsupported value"),
    ("POST", POD, {}, "text/plain", 415, "unknown format"),
    ("PATCH", ANY_POD, {}, APPLY, 415, "unknown format"),
    ("PATCH", DEPLOYMENT, {}, APPLY, 422, "fieldManager: Required value: is required for apply"),
    ("PATCH", f"{DEPLOYMENT}?fieldManager=a", {"metadata": {"name": "a"}}, APPLY, 400,
     "does not match the name on the URL"),
    ("PATCH", DEPLOYMENT, {}, "application/json", 415, JSON_PATCH),
    ("PATCH", DEPLOYMENT, {}, JSON_PATCH, 400, "cannot unmarshal object"),
    ("PATCH", DEPLOYMENT, [{"op": "remove", "path": "/x"}], JSON_PATCH, 422, "rejected"),
    ("PATCH", DEPLOYMENT, {"spec": {"replicas": -1}}, MERGE_PATCH, 422, "greater than or equal"),
    ("PATCH", DEPLOYMENT, {"spec": {"replicas": "4"}}, MERGE_PATCH, 400, "cannot unmarshal string"),
    ("PATCH", DEPLOYMENT, {"spec": {"template": None}}, MERGE_PATCH, 422, "Required value"),
    ("PATCH", DEPLOYMENT, {"spec": {"selector": {"matchLabels": {"app": "x"}}}}, MERGE_PATCH, 422,
     "field is immutable"),
    ("PATCH", f"{DEPLOYMENT}?fieldValidation=Strict", {"spec": {"replica": 1}}, MERGE_PATCH, 422,
     'strict decoding error: unknown field "spec.replica"'),
    ("PUT", f"{DEPLOYMENT}?fieldValidation=Strict", {"spce": {}}, "", 400,
     'strict decoding error: unknown field "spce"'),
    ("PATCH", f"{DEPLOYMENT}/scale", {"spec": {"replicas": -1}}, MERGE_PATCH, 422, "greater than"),
    ("PATCH", DEPLOYMENT, [{"op": "move", "path": "/x"}], JSON_PATCH, 422, "rejected"),
    ("PATCH", DEPLOYMENT, [{"op": "remove", "path": ""}], JSON_PATCH, 422, "rejected"),
    ("PATCH", DEPLOYMENT, {"kind": "Pod"}, MERGE_PATCH, 400, "cannot be patched"),
    ("PUT", f"{DEPLOYMENT}/scale", {"spec": {"replicas": 9}}, "", 400, "does not match the name"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "kind", "code", "words"), REFUSALS)
async def test_refusals(
    kube: Cluster, method: str, path: str, body: Any, kind: str, code: int, words: str
) -> None:
    headers = {"content_type": kind} if kind else {}
    status, told = await ask(kube, method, path, body, **headers)

    assert (status, told.get("code")) == (code, code), told
    assert words in told["message"]
    assert kube.writes == []


async def test_strangers_and_unknown_paths(kube: Cluster) -> None:
    assert (await ask(kube, "GET", POD, authorization="Bearer guessed"))[0] == 401
    assert (await ask(kube, "GET", POD, authorization=""))[0] == 401
    assert (await ask(kube, "GET", "/version", authorization=""))[0] == 200
    assert (await ask(kube, "GET", POD, accept="application/yaml"))[0] == 406
    status, told = await ask(kube, "GET", "/api/v1/namespaces/shop/gadgets")
    assert (status, told["type"]) == (404, "text/plain")
    assert (await ask(kube, "GET", "/api/v1/namespaces//pods"))[0] == 404


async def test_role_allows_only_what_it_lists(kube: Cluster) -> None:
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]},
    ]
    kube.restrict("runbolt", rules)
    scale = {"spec": {"replicas": 4}}
    merge = {"content_type": MERGE_PATCH}
    pod = kube.pod_names()[0]

    assert (await ask(kube, "GET", POD))[0] == 200
    assert (await ask(kube, "PATCH", f"{DEPLOYMENT}/scale", scale, **merge))[0] == 200
    assert (await ask(kube, "PATCH", DEPLOYMENT, scale, **merge))[0] == 403
    assert (await ask(kube, "GET", f"{POD}/{pod}/log"))[0] == 403
    assert (await ask(kube, "DELETE", f"{POD}/{pod}"))[0] == 403
    assert (await ask(kube, "GET", "/api/v1/pods"))[0] == 403
    assert (await ask(kube, "GET", f"/apis/metrics.k8s.io/v1beta1/namespaces/{NS}/pods"))[0] == 403


async def test_troubles(kube: Cluster) -> None:
    kube.fail("list */pods", 503)
    assert (await ask(kube, "GET", POD))[1]["reason"] == "ServiceUnavailable"
    assert (await ask(kube, "GET", DEPLOYMENT))[0] == 200
    kube.heal()
    fault = kube.hang("*/pods")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(kube, "GET", POD), 0.1)
    kube.heal(fault)
    kube.slow("*/pods", 0.2)
    began = time.monotonic()
    assert (await ask(kube, "GET", POD))[0] == 200
    assert time.monotonic() - began >= 0.2
    await kube.stop_listening()
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(kube, "GET", POD)
    await kube.start_listening()
    assert (await ask(kube, "GET", DEPLOYMENT))[0] == 200
