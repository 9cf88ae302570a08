"""Two services in two namespaces of one cluster, each with people of its own.

Import the fixtures that a test file uses by name: with `team` and `playbooks` the bot serves both.
payment-service has the shipped playbook under its own name, so each step id is there twice.
"""

from pathlib import Path

import pytest

from bot.model import Place
from sandbox.cluster import Cluster
from sandbox.slack import Slack, User
from sandbox.slack.model import Group
from tests.conftest import Walk

PAYMENTS = Place(service="payment-service")
PAYERS = ("ana", "ben")  # responders and approvers of payment-service


@pytest.fixture
def playbooks(playbooks: Path) -> Path:
    """The shipped playbook for both services."""
    words = (playbooks / "order-service.yml").read_text(encoding="utf-8")
    payments = words.replace("order-service", "payment-service").replace(
        "title: Order Service", "title: Payment Service"
    )
    (playbooks / "payment-service.yml").write_text(payments, encoding="utf-8")
    return playbooks


@pytest.fixture
def team(tmp_path: Path, playbooks: Path) -> Path:
    """What both teams decided."""
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
        "    responders: {groups: [payment-service-responders]}\n"
        "    approvers: {groups: [payment-service-approvers]}\n"
        "    databases: {payments: {read: ORDERS_DATABASE_URL}}\n"
        "    runbooks: https://runbooks.example/payment-service/\n"
    )
    return file


@pytest.fixture
async def slack(slack: Slack) -> Slack:
    """The workspace with the people of payment-service."""
    people = [slack.add_user(User(name, name.capitalize())) for name in PAYERS]
    members = [person.id for person in people]
    for group_id, kind in (("S0APAYRESP0", "responders"), ("S0APAYAPPR0", "approvers")):
        handle = f"payment-service-{kind}"
        slack.workspace.groups[group_id] = Group(group_id, handle, handle, list(members))
    return slack


@pytest.fixture
async def payments(kube: Cluster) -> Cluster:
    """The cluster as seen from the namespace of payment-service, which is healthy."""
    return await kube.seed_payment_service()


async def both(walk: Walk, severity: str = "sev1") -> str:
    """Declare for order-service, and take in payment-service; returns the channel."""
    await walk.say("oncall", f"/incident declare {severity} Checkout times out")
    [channel] = [
        shown["name"]
        for shown in walk.slack.channels("oncall")
        if shown["name"].startswith("inc-1-")
    ]
    if not walk.posts(channel)[1].heading.startswith(":notebook: Complete"):
        await walk.say("oncall", "/incident playbook", channel)
        await walk.submit("oncall", scenario="order-service/complete-service-outage")
    await walk.say("oncall", "/incident service add payment-service", channel)
    return str(channel)
