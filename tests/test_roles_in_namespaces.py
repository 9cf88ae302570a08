"""How one account gets its roles in several namespaces: the command of docs/clusters.md."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.systems.kubernetes import Forbidden
from sandbox.cluster import Cluster
from tests.cluster_fixtures import SELECTOR, USER, open_clusters
from tests.several_clusters import copy_order_service

ROOT = Path(__file__).parent.parent
ROLES = ROOT / "deploy" / "rbac.yaml"
COMMAND = re.compile(r"for namespace in .*\n  (?P<sed>sed .*) \|\n.*--selector (?P<label>\S+)=")


def applied(namespace: str) -> list[dict[str, Any]]:
    """What the command applies in a namespace."""
    found = COMMAND.search((ROOT / "docs" / "clusters.md").read_text(encoding="utf-8"))
    assert found is not None
    done = subprocess.run(
        ["sh", "-c", f"namespace={namespace}; {found['sed']}"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    documents = list(yaml.safe_load_all(done.stdout))
    return [each for each in documents if found["label"] in each["metadata"].get("labels", {})]


def test_all_is_bound_to_the_account() -> None:
    parts = applied("payments")

    names = [(part["kind"], part["metadata"]["name"]) for part in parts]
    assert names == [
        ("Role", "runbolt-look"),
        ("Role", "runbolt-change"),
        ("RoleBinding", "runbolt-look"),
        ("RoleBinding", "runbolt-change"),
    ]
    assert {part["metadata"]["namespace"] for part in parts} == {"payments"}
    bound = [(part["roleRef"]["name"], part["subjects"]) for part in parts[2:]]
    account = [{"kind": "ServiceAccount", "name": "runbolt", "namespace": "tickettoken"}]
    assert bound == [("runbolt-look", account), ("runbolt-change", account)]


async def test_a_namespace_without_roles(kube: Cluster, tmp_path: Path) -> None:
    for namespace in ("payments", "search"):
        await copy_order_service(kube, namespace)
    for part in applied("payments"):
        kube.restrict(USER, part.get("rules", []), "payments")
    async with open_clusters(kube.write_kubeconfig(tmp_path / "config", USER)) as clusters:
        assert len(await clusters.cluster("", "payments").pods(SELECTOR)) == 3
        with pytest.raises(Forbidden) as forbidden:
            await clusters.cluster("", "search").pods(SELECTOR)

    assert str(forbidden.value).startswith(
        "The bot may not list pods in namespace search of cluster sandbox. Nothing was read."
    )
