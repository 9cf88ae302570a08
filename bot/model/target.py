"""What a plan changes, as one text that is unique over all systems, and how people read it."""

import re

IN_CLUSTER = re.compile(r"(?P<thing>.+) in (?P<namespace>[a-z0-9-]+) of (?P<server>\S+)")
ON_SERVER = re.compile(r"(?P<thing>database/.+) on (?P<server>\S+)")


def in_cluster(thing: str, namespace: str, server: str) -> str:
    """Such as `deployment/orders in shop of 10.0.0.1:6443`.

    The server's address is the same whichever name the configuration has for that cluster.
    """
    return f"{thing} in {namespace} of {server}"


def on_server(thing: str, server: str) -> str:
    """Such as `database/orders on db.example:5432`."""
    return f"{thing} on {server}"


def describe(target: str, cluster: str = "") -> str:
    """Such as `deployment/orders in namespace shop of cluster eu`: people need no address.

    `cluster` is the name that they know it by; empty where there is only one.
    """
    if found := IN_CLUSTER.fullmatch(target):
        place = f"namespace {found['namespace']}" + (f" of cluster {cluster}" if cluster else "")
        return f"{found['thing']} in {place}"
    found = ON_SERVER.fullmatch(target)
    return found["thing"] if found else target
