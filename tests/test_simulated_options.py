"""Where the options of a write stand: the simulated cluster reads them as a real one does."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import pytest

from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from sandbox.cluster.patches import merge
from tests.clients import kube

__all__ = ["kube"]

NS = DEFAULT_NAMESPACE
PODS = f"/api/v1/namespaces/{NS}/pods"
POD = f"{PODS}/tickettoken-redis-0"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NS}/deployments"
DEPLOYMENT = f"{DEPLOYMENTS}/order-service"
SCALE = f"{DEPLOYMENT}/scale"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

Json = dict[str, Any]
LONG = "m" * 129
ALL: Json = {"dryRun": ["All"]}
NEW_POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "probe"},
    "spec": {"containers": [{"name": "probe", "image": "ghcr.io/tickettoken/probe:v1"}]},
}
REPLICAS: Json = {"spec": {"replicas": 4}}
OPERATION: Json = {"op": "replace", "path": "/spec/replicas", "value": 4}
POLICIES = 'supported values: "Foreground", "Background", "Orphan", "nil"'
CHECKS = 'supported values: "", "Ignore", "Strict", "Warn"'
FORCE = "force: Forbidden: may not be specified for non-apply patch"
UNKNOWN = 'strict decoding error: unknown field "dryRun"'
NO_OBJECT = (
    "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of "
    r'type struct { APIVersion string "json:\"apiVersion,omitempty\""; '
    r'Kind string "json:\"kind,omitempty\"" }'
)
NO_KIND = (
    'no kind "Pod" is registered for version "v1" in scheme '
    '"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"'
)


def invalid(kind: str, problem: str) -> str:
    return f'{kind}.meta.k8s.io "" is invalid: {problem}'


def no_dry_run(kind: str, values: str) -> str:
    return invalid(kind, f'dryRun: Unsupported value: {values}: supported values: "All"')


def mismatch(name: str) -> str:
    return (
        f"Operation cannot be fulfilled on {name}: the UID in the precondition (other) does not "
        "match the UID in record ({uid}). The object might have been deleted and then recreated"
    )


def no_policy(value: str) -> str:
    problem = f"propagationPolicy: Unsupported value: {value}: {POLICIES}"
    return invalid("DeleteOptions", problem)


def no_check(kind: str, value: str) -> str:
    return invalid(kind, f"fieldValidation: Unsupported value: {value}: {CHECKS}")


def too_long(kind: str) -> str:
    return invalid(kind, "fieldManager: Too long: may not be more than 128 bytes")


def unfit(value: str, field: str, wanted: str) -> str:
    return f"json: cannot unmarshal {value} into Go struct field {field} of type {wanted}"


@dataclass(frozen=True)
class Case:
    """A write, and what a real API server makes of it.

    `wrote` is whether it changed anything, `dry` whether it was taken for a dry run. `message` is
    that of a refusal, or the warning of a write; one that begins with `…` is the end of it.
    `{uid}` stands for that of the object, `{version}` for its version.
    """

    method: str
    path: str
    body: Any = ...
    status: int = 200
    message: str = ""
    wrote: bool = False
    dry: bool = False
    content_type: str = JSON

    def __str__(self) -> str:
        body = "" if self.body is ... else json.dumps(self.body)
        kind = "" if self.content_type == JSON else self.content_type.split("/")[1]
        text = (
            f"{self.method} {self.path.removeprefix(DEPLOYMENTS).removeprefix(PODS)} {body} {kind}"
        )
        return text.replace(LONG, "LONG").strip()


def writes(method: str, path: str, body: Any = ..., **more: Any) -> Case:
    return Case(method, path, body, wrote=True, **more)


def rehearses(method: str, path: str, body: Any = ..., **more: Any) -> Case:
    return Case(method, path, body, dry=True, **more)


def refuses(method: str, path: str, body: Any, status: int, message: str, **more: Any) -> Case:
    return Case(method, path, body, status, message, **more)


def delete(query: str = "", body: Any = ..., **more: Any) -> Case:
    return writes("DELETE", f"{POD}{query}", body, **more)


def no_delete(query: str, body: Any, status: int, message: str, **more: Any) -> Case:
    return refuses("DELETE", f"{POD}{query}", body, status, message, **more)


DELETES = [
    rehearses("DELETE", f"{POD}?dryRun=All"),
    rehearses("DELETE", f"{POD}?dryRun=All&dryRun=All"),
    rehearses("DELETE", POD, ALL),
    rehearses("DELETE", f"{POD}?dryRun=None", ALL),
    rehearses("DELETE", POD, ALL | {"kind": "DeleteOptions", "apiVersion": "apps/v1"}),
    rehearses("DELETE", POD, ALL | {"preconditions": {"uid": "{uid}"}}),
    rehearses("DELETE", f"{POD}?dryRun=All&gracePeriodSeconds=0&propagationPolicy=Foreground"),
    rehearses("DELETE", f"{POD}?dryRun=All&orphanDependents=false", status=202),
    delete(),
    delete("", {}),
    delete("?dryRun=All", {}),
    delete("?dryRun=All", None),
    delete("?dryRun=All", {"preconditions": {"uid": "{uid}"}}),
    delete("?dryRun=all", {}),
    delete("?dryrun=All"),
    delete("?DryRun=All"),
    delete("?dry-run=server"),
    delete("?options.dryRun=All"),
    delete("?dryRun=All;"),
    delete("", {"dryrun": ["All"]}),
    delete("", {"DryRun": ["All"]}),
    delete("", {"dry_run": ["All"]}),
    delete("", {"options": ALL}),
    delete("", {"dryRun": []}),
    delete("", {"dryRun": None}),
    delete("?gracePeriodSeconds=x", {}),
    delete("?gracePeriodSeconds=5&gracePeriodSeconds=x"),
    delete("?gracePeriodSeconds=-1"),
    delete("", {"gracePeriodSeconds": -1}),
    delete("?graceperiodseconds=x"),
    delete("?propagationPolicy=Later", {}),
    delete("?propagationpolicy=Later"),
    delete("", {"PropagationPolicy": "Later"}),
    delete("?orphanDependents=false", status=202),
    delete("", {"orphanDependents": False}, status=202),
    delete("?orphanDependents=false", {}),
    delete("?uid={uid}&resourceVersion={version}"),
    delete("?uid=other&resourceVersion=1", {}),
    delete("?uid=&resourceVersion="),
    delete("?preconditions=other&preconditions.uid=other"),
    delete("", {"uid": "other", "resourceVersion": "1"}),
    delete("", {"preconditions": {"UID": "other"}}),
    delete(f"?fieldValidation=Never&fieldManager={LONG}&force=x"),
    delete("", {"fieldValidation": "Never", "fieldManager": LONG}),
    no_delete("?dryRun=all", ..., 422, no_dry_run("DeleteOptions", '["all"]')),
    no_delete("?dryRun=", ..., 422, no_dry_run("DeleteOptions", '[""]')),
    no_delete("?dryRun=All&dryRun=None", ..., 422, no_dry_run("DeleteOptions", '["All","None"]')),
    no_delete("", {"dryRun": ["all"]}, 422, no_dry_run("DeleteOptions", '["all"]')),
    no_delete("?dryRun=All", {"dryRun": "All"}, 400,
              unfit("string", "DeleteOptions.dryRun", "[]string")),
    no_delete("", {"dryRun": [True]}, 400, unfit("bool", "DeleteOptions.dryRun", "string")),
    no_delete("?dryRun=All", [], 400, NO_OBJECT),
    no_delete("?dryRun=All", {"kind": "Pod", "apiVersion": "v1"}, 400, NO_KIND),
    no_delete("?gracePeriodSeconds=x", ..., 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    no_delete("?gracePeriodSeconds=", ..., 400, 'strconv.ParseInt: parsing "": invalid syntax'),
    no_delete(f"?gracePeriodSeconds={2**63}", ..., 400,
              f'strconv.ParseInt: parsing "{2**63}": value out of range'),
    no_delete("", {"gracePeriodSeconds": 2**63}, 400,
              unfit(f"number {2**63}", "DeleteOptions.gracePeriodSeconds", "int64")),
    no_delete("", {"gracePeriodSeconds": "0"}, 400,
              unfit("string", "DeleteOptions.gracePeriodSeconds", "int64")),
    no_delete("", {"gracePeriodSeconds": 1.5}, 400,
              unfit("number 1.5", "DeleteOptions.gracePeriodSeconds", "int64")),
    no_delete("?propagationPolicy=Later", ..., 422, no_policy('"Later"')),
    no_delete("?propagationPolicy=", ..., 422, no_policy('""')),
    no_delete("", {"propagationPolicy": "orphan"}, 422, no_policy('"orphan"')),
    no_delete("?propagationPolicy=Orphan&orphanDependents=", ..., 422,
              invalid("DeleteOptions", 'propagationPolicy: Invalid value: "Orphan": '
                      "orphanDependents and deletionPropagation cannot be both set")),
    no_delete("", {"orphanDependents": "false"}, 400,
              unfit("string", "DeleteOptions.orphanDependents", "bool")),
    no_delete("?uid=other", ..., 409, mismatch('Pod "tickettoken-redis-0"')),
    no_delete("?resourceVersion=1", ..., 409,
              'Operation cannot be fulfilled on Pod "tickettoken-redis-0": the ResourceVersion in '
              "the precondition (1) does not match the ResourceVersion in record ({version}). The "
              "object might have been modified"),
    no_delete("?dryRun=All", {"preconditions": {"uid": "other"}}, 409,
              mismatch('Pod "tickettoken-redis-0"')),
    no_delete("?dryRun=All&uid=other", ..., 409, mismatch('Pod "tickettoken-redis-0"'), dry=True),
    no_delete("", {"preconditions": "other"}, 400,
              unfit("string", "DeleteOptions.preconditions", "v1.Preconditions")),
    no_delete("", {"preconditions": {"uid": 3}}, 400,
              unfit("number", "Preconditions.preconditions.uid", "types.UID")),
    rehearses("DELETE", DEPLOYMENT, ALL),
    rehearses("DELETE", DEPLOYMENT, ALL | {"propagationPolicy": "Foreground"}),
    rehearses("DELETE", f"{DEPLOYMENT}?dryRun=All&propagationPolicy=Orphan"),
    writes("DELETE", f"{DEPLOYMENT}?dryRun=All", {"propagationPolicy": "Foreground"}),
    writes("DELETE", f"{DEPLOYMENT}?orphanDependents=false"),
    refuses("DELETE", f"{DEPLOYMENT}?uid=other", ..., 409,
            mismatch('Deployment.apps "order-service"')),
]  # fmt: skip

CREATES = [
    rehearses("POST", f"{PODS}?dryRun=All", NEW_POD, status=201),
    rehearses("POST", f"{PODS}?dryRun=All&propagationPolicy=Later&gracePeriodSeconds=x&force=1",
              NEW_POD, status=201),
    rehearses("POST", f"{REVIEWS}?dryRun=All", {"spec": {"namespace": NS}}, status=201),
    writes("POST", f"{PODS}?dryrun=All", NEW_POD, status=201),
    writes("POST", f"{PODS}?fieldvalidation=Strict&fieldmanager={LONG}", NEW_POD | ALL, status=201,
           message='unknown field "dryRun"'),
    writes("POST", PODS, NEW_POD | ALL, status=201, message='unknown field "dryRun"'),
    writes("POST", f"{PODS}?fieldValidation=", NEW_POD | ALL, status=201,
           message='unknown field "dryRun"'),
    writes("POST", f"{PODS}?fieldValidation=Ignore", NEW_POD | ALL, status=201),
    writes("POST", f"{PODS}?fieldManager=", NEW_POD, status=201),
    refuses("POST", f"{PODS}?fieldValidation=Strict", NEW_POD | ALL, 400,
            f'Pod in version "v1" cannot be handled as a Pod: {UNKNOWN}'),
    refuses("POST", f"{PODS}?fieldValidation=strict", NEW_POD, 422,
            no_check("CreateOptions", '"strict"')),
    refuses("POST", f"{PODS}?dryRun=server", {}, 422, no_dry_run("CreateOptions", '["server"]')),
    refuses("POST", f"{PODS}?fieldManager={LONG}", NEW_POD, 422, too_long("CreateOptions")),
    refuses("POST", f"{PODS}?dryRun=All&fieldManager=a%0Ab", NEW_POD, 422,
            invalid("CreateOptions", r'fieldManager: Invalid value: "a\nb": invalid character '
                    "U+000A (at position 1)")),
    refuses("POST", f"{PODS}?dryRun=x&fieldValidation=y", NEW_POD, 422, invalid("CreateOptions",
                    '[dryRun: Unsupported value: ["x"]: supported values: "All", '
                    f'fieldValidation: Unsupported value: "y": {CHECKS}]')),
    refuses("GET", f"{POD}/exec?command=env&stdout=true&dryRun=All", ..., 400,
            "dryRun is not supported"),
]  # fmt: skip

UPDATES = [
    rehearses("PUT", f"{DEPLOYMENT}?dryRun=All", REPLICAS),
    rehearses("PUT", f"{SCALE}?dryRun=All", REPLICAS),
    writes("PUT", f"{DEPLOYMENT}?dryrun=All", REPLICAS),
    writes("PUT", DEPLOYMENT, REPLICAS | ALL, message='unknown field "dryRun"'),
    writes("PUT", f"{SCALE}?DryRun=All", REPLICAS),
    writes("PUT", SCALE, REPLICAS | ALL, message='unknown field "dryRun"'),
    refuses("PUT", f"{DEPLOYMENT}?fieldValidation=Strict", REPLICAS | ALL, 400,
            f'Deployment in version "v1" cannot be handled as a Deployment: {UNKNOWN}'),
    refuses("PUT", f"{SCALE}?fieldValidation=Strict", REPLICAS | ALL, 400,
            f'Scale in version "v1" cannot be handled as a Scale: {UNKNOWN}'),
    refuses("PUT", f"{DEPLOYMENT}?dryRun=true", REPLICAS, 422,
            no_dry_run("UpdateOptions", '["true"]')),
    refuses("PUT", f"{SCALE}?fieldManager={LONG}", REPLICAS, 422, too_long("UpdateOptions")),
    refuses("PUT", f"{SCALE}?fieldValidation=strict", REPLICAS, 422,
            no_check("UpdateOptions", '"strict"')),
]  # fmt: skip


def patches(path: str, kind: str) -> list[Case]:
    """The same for each place and each type of patch."""
    plain: Any = [OPERATION] if kind == JSON_PATCH else REPLICAS
    odd: Any = [OPERATION | ALL] if kind == JSON_PATCH else REPLICAS | ALL
    unknown = 'unknown field "dryRun"'
    if kind == JSON_PATCH:
        unknown = 'json patch unknown field "[0].dryRun"'
    more = {"content_type": kind}
    return [
        rehearses("PATCH", f"{path}?dryRun=All", plain, **more),
        rehearses("PATCH", f"{path}?dryRun=All&fieldValidation=Strict", plain, **more),
        writes("PATCH", f"{path}?dryrun=All", plain, **more),
        writes("PATCH", f"{path}?dryRun=All;", plain, **more),
        writes("PATCH", f"{path}?gracePeriodSeconds=x&propagationPolicy=x&uid=x", plain, **more),
        writes("PATCH", f"{path}?fieldValidation=Warn&fieldValidation=x", plain, **more),
        writes("PATCH", path, odd, message=unknown, **more),
        writes("PATCH", f"{path}?fieldValidation=Ignore", odd, **more),
        refuses("PATCH", f"{path}?fieldValidation=Strict", odd, 422,
                f"…: strict decoding error: {unknown}", **more),
        refuses("PATCH", f"{path}?dryRun=ALL", plain, 422, no_dry_run("PatchOptions", '["ALL"]'),
                **more),
        refuses("PATCH", f"{path}?fieldValidation=warn", plain, 422,
                no_check("PatchOptions", '"warn"'),
                **more),
        refuses("PATCH", f"{path}?fieldManager={LONG}", plain, 422, too_long("PatchOptions"),
                **more),
        refuses("PATCH", f"{path}?force=false&dryRun=All", plain, 422,
                invalid("PatchOptions", FORCE),
                **more),
    ]  # fmt: skip


PATCHES = [
    case
    for path in (DEPLOYMENT, SCALE)
    for kind in (JSON_PATCH, MERGE, STRATEGIC)
    for case in patches(path, kind)
]
CASES = [*DELETES, *CREATES, *UPDATES, *PATCHES]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Json
    warnings: tuple[str, ...]


class Ask(Protocol):
    """Sends one request."""

    async def __call__(
        self, method: str, path: str, body: Any = ..., kind: str = JSON
    ) -> Answer: ...


@pytest.fixture
async def ask(kube: Cluster) -> AsyncIterator[Ask]:
    async with aiohttp.ClientSession(kube.url) as session:

        async def send(method: str, path: str, body: Any = ..., kind: str = JSON) -> Answer:
            headers = {"Authorization": f"Bearer {kube.token('runbolt')}", "Content-Type": kind}
            data = None if body is ... else json.dumps(body)
            async with session.request(method, path, data=data, headers=headers) as answer:
                told = tuple(answer.headers.getall("Warning", []))
                return Answer(answer.status, await answer.json(), told)

        yield send


async def everything(ask: Ask) -> Json:
    """What the writes of the table may change, without what controllers do later."""
    found = [pod for path in (PODS, DEPLOYMENTS) for pod in (await ask("GET", path)).body["items"]]
    return {
        pod["metadata"]["name"]: (pod["spec"], pod["metadata"].get("deletionTimestamp"))
        for pod in found
    }


def filled(value: Any, live: Json) -> Any:
    """A text, or what holds some, with the uid and the version of the live object in it."""
    if isinstance(value, dict):
        return {key: filled(inner, live) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    meta = live.get("metadata") or {}
    uid, version = meta.get("uid", ""), meta.get("resourceVersion", "")
    return value.replace("{uid}", uid).replace("{version}", version)


async def send(ask: Ask, case: Case) -> tuple[Answer, str]:
    """The answer to a case, and the message that it should have."""
    live = (await ask("GET", case.path.split("?")[0])).body if case.method != "POST" else {}
    body = filled(case.body, live)
    if case.method == "PUT":
        body = merge(live, body | {"metadata": {"resourceVersion": None}})
    answer = await ask(case.method, filled(case.path, live), body, case.content_type)
    return answer, filled(case.message, live)


def said(answer: Answer) -> str:
    """The message of a refusal, or the warnings of a write."""
    if answer.status >= 400:
        return str(answer.body["message"])
    return ", ".join(warning[len('299 - "') : -1] for warning in answer.warnings).replace("\\", "")


REASONS = {400: "BadRequest", 409: "Conflict", 422: "Invalid"}


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_options_of_a_write(kube: Cluster, ask: Ask, case: Case) -> None:
    before = await everything(ask)

    answer, message = await send(ask, case)

    record = kube.requests[-1]
    assert (answer.status, record.dry_run, record.changed) == (case.status, case.dry, case.wrote)
    assert said(answer).endswith(message.removeprefix("…")) if "…" in message else (
        said(answer) == message
    )  # fmt: skip
    assert answer.body.get("reason") == REASONS.get(case.status)
    assert (await everything(ask) != before) is case.wrote


ORDERS = f"{DEPLOYMENT}?dryRun=All"


@pytest.mark.parametrize(
    ("path", "body", "kind", "grace", "finalizers"),
    [
        (f"{POD}?dryRun=All", ..., "Pod", 30, None),
        (POD, {"gracePeriodSeconds": 7}, "Pod", 7, None),
        (f"{POD}?gracePeriodSeconds=7", {}, "Pod", 30, None),
        (f"{POD}?gracePeriodSeconds=-9", ..., "Pod", 1, None),
        (f"{POD}?gracePeriodSeconds=0", ..., "Pod", 0, None),
        (DEPLOYMENT, {"propagationPolicy": "Foreground"}, "Deployment", 0, "foregroundDeletion"),
        (f"{ORDERS}&propagationPolicy=Foreground", ..., "Deployment", 0, "foregroundDeletion"),
        (DEPLOYMENT, {"orphanDependents": True}, "Deployment", 0, "orphan"),
        (f"{ORDERS}&orphanDependents=", ..., "Deployment", 0, "orphan"),
        (f"{ORDERS}&orphanDependents=False", ..., "Status", None, None),
        (f"{DEPLOYMENT}?propagationPolicy=Orphan", {}, "Status", None, None),
    ],
)
async def test_the_answer_to_a_delete(
    ask: Ask, path: str, body: Any, kind: str, grace: int | None, finalizers: str | None
) -> None:
    answer = (await ask("DELETE", path, body)).body
    meta = answer["metadata"]

    assert (answer["kind"], meta.get("deletionGracePeriodSeconds")) == (kind, grace)
    assert meta.get("finalizers") == ([finalizers] if finalizers else None)
    assert ("deletionTimestamp" in meta) is (grace is not None)


async def test_unscheduled_pods_go_at_once(ask: Ask, kube: Cluster) -> None:
    kube.limit_nodes(cpu="0")  # or a node would take the second one meanwhile
    for state in ({"nodeName": "none"}, {}):
        await ask("POST", PODS, merge(NEW_POD, {"spec": state}))
        await ask("PATCH", f"{PODS}/probe/status", {"status": {"phase": "Failed"}}, MERGE)
        assert (await ask("DELETE", f"{PODS}/probe", {"gracePeriodSeconds": 60})).status == 200
        assert (await ask("GET", f"{PODS}/probe")).status == 404


LABEL = "labelSelector=app%3Dorder-service"


@pytest.mark.parametrize(
    ("query", "body", "picked", "gone", "dry"),
    [
        (f"?{LABEL}&dryRun=All", ..., 3, 0, True),
        (f"?{LABEL}", ALL, 3, 0, True),
        ("?labelSelector=app%3Dnone", {}, 0, 0, False),
        (f"?{LABEL}&dryRun=All", {}, 3, 3, False),
        (f"?{LABEL}&dryRun=All&uid=other&gracePeriodSeconds=x", {}, 3, 3, False),
        (f"?{LABEL}&dryrun=All", ..., 3, 3, False),
        (f"?{LABEL}&limit=2&dryRun=All", {"dryrun": ["All"]}, 2, 2, False),
        ("?fieldSelector=metadata.name%3Dtickettoken-redis-0&dryRun=All", None, 1, 1, False),
        ("?labelselector=app%3Dnone", ..., 8, 8, False),
        ("", {"labelSelector": "app=none", "fieldSelector": "metadata.name=none"}, 8, 8, False),
    ],
)
async def test_options_of_a_collection(
    kube: Cluster, ask: Ask, query: str, body: Any, picked: int, gone: int, dry: bool
) -> None:
    answer = await ask("DELETE", PODS + query, body)
    record = kube.requests[-1]
    leaving = [obj for obj in (await everything(ask)).values() if obj[1]]

    assert (answer.status, len(answer.body["items"]), len(leaving)) == (200, picked, gone)
    assert (record.dry_run, record.changed) == (dry, gone > 0)


@pytest.mark.parametrize(
    ("query", "body", "status", "message"),
    [
        ("?dryRun=all", ..., 422, no_dry_run("DeleteOptions", '["all"]')),
        ("", {"dryRun": "All"}, 400, unfit("string", "DeleteOptions.dryRun", "[]string")),
        ("?timeoutSeconds=x", {}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("?limit=x", {}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("?uid=other&labelSelector=app%3Dredis", ..., 200, ""),
        ("?uid=other&fieldSelector=metadata.name%3Dtickettoken-redis-0", ..., 409, "…recreated"),
        ("?dryRun=All", [], 400, NO_OBJECT),
    ],
)  # fmt: skip
async def test_a_refused_collection(
    kube: Cluster, ask: Ask, query: str, body: Any, status: int, message: str
) -> None:
    answer = await ask("DELETE", PODS + query, body)

    assert answer.status == status
    assert answer.body.get("message", "").endswith(message.removeprefix("…"))
    assert kube.writes == []
