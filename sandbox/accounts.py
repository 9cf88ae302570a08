"""The bot's account in each cluster, with the rights that deploy/rbac.yaml gives it and no more."""

from pathlib import Path

import yaml

from sandbox.cluster import Cluster

RBAC = Path(__file__).parent.parent / "deploy" / "rbac.yaml"
BOT = "runbolt"
PERSON = "you"


def grant_rights(*namespaces: Cluster) -> None:
    """Let the bot do in these namespaces of a cluster what the file says; a person may do all."""
    documents = list(yaml.safe_load_all(RBAC.read_text(encoding="utf-8")))
    for cluster in namespaces:
        for document in documents:
            if document["kind"] == "Role":
                cluster.restrict(BOT, document["rules"])
            elif document["kind"] == "ClusterRole":
                cluster.restrict(BOT, document["rules"], "")
