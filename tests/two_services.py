"""Two services in two namespaces of one cluster, each with people of its own.

Import the fixtures that a test file uses by name: with `team` and `playbooks` the bot serves both.
payment-service has the shipped playbook under its own name, so each step id is there twice.
"""

from pathlib import Path

import pytest

from sandbox.cluster import Cluster
from tests.conftest import Walk


@pytest.fixture
def playbooks(playbooks: Path) -> Path:
    """The shipped playbook for both services."""
    return write_playbooks(playbooks)


def write_playbooks(playbooks: Path) -> Path:
    """Write the playbook of payment-service beside that of order-service; returns the folder."""
    words = (playbooks / "order-service.yml").read_text(encoding="utf-8")
    payments = words.replace("order-service", "payment-service").replace(
        "title: Order Service", "title: Payment Service"
    )
    (playbooks / "payment-service.yml").write_text(payments, encoding="utf-8")
    return playbooks


@pytest.fixture
def team(tmp_path: Path, playbooks: Path) -> Path:
    """What both teams decided."""
    return write_team(tmp_path, playbooks)


def write_team(tmp_path: Path, playbooks: Path) -> Path:
    """Write the configuration of both teams; returns the file."""
    file = tmp_path / "runbolt.yml"
    file.write_text(
        f"playbooks: {playbooks}\n"
        "masking: {show_variables: ['*_PAUSED']}\n"
        "services:\n"
        "  order-service:\n"
        "    responders: {groups: [order-service-responders]}\n"
        "    approvers: {groups: [order-service-approvers]}\n"
        "    databases: {orders: {read: ORDERS_DATABASE_URL, admin: ORDERS_DATABASE_ADMIN_URL}}\n"
        "    runbooks: https://runbooks.example/order-service/\n"
        "  payment-service:\n"
        "    namespace: payments\n"
        "    responders: {groups: [payment-service-oncall]}\n"
        "    approvers: {groups: [payment-service-approvers]}\n"
        "    databases: {payments: {read: ORDERS_DATABASE_URL}}\n"
        "    runbooks: https://runbooks.example/payment-service/\n"
    )
    return file


@pytest.fixture
async def payments(kube: Cluster) -> Cluster:
    """The cluster as seen from the namespace of payment-service, which is healthy."""
    return await kube.seed_payment_service()


async def declare(walk: Walk, severity: str = "sev1") -> str:
    """Declare for order-service with the playbook of an outage; returns the channel."""
    await walk.say("oncall", f"/incident declare {severity} order-service: service down")
    channel = "inc-1-order-service-service-down"
    if severity != "sev1":
        await walk.say("oncall", "/incident playbook", channel)
        await walk.submit("oncall", scenario="order-service/complete-service-outage")
    return channel


async def both(walk: Walk, severity: str = "sev1") -> str:
    """The same, and take in payment-service."""
    channel = await declare(walk, severity)
    await walk.say("oncall", "/incident service add payment-service", channel)
    return channel
