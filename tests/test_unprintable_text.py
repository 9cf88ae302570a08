"""Text that nobody can see or store is dropped where it comes in, door by door."""

import json
from dataclasses import replace

import pytest

from bot.actions.database.queries import RunQuery
from bot.actions.stripe import StripeEvents
from bot.model import UserError
from bot.model.text import printable
from bot.redaction import redact
from bot.systems import ChangingSystems, Systems
from bot.systems.database import Database
from bot.systems.stripe import Stripe
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.cluster.resources import PODS
from sandbox.shop import Shop
from sandbox.stripe import Stripe as SimulatedStripe
from tests.cluster_fixtures import SELECTOR, systems
from tests.conftest import Clock, Walk
from tests.rollbacks import broken

__all__ = ["broken", "systems"]

# A window's title, a colour, NUL, half of a surrogate pair, a bell.
RED = "\x1b]0;title\x07\x1b[1;31mIt is\0 \ud83dDNS\x07\x1b[0m"
SEEN = "It is DNS"
# As UTF-8, which has no half of a pair.
TYPED = RED.replace("\ud83d", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("two\n\tlines\r\n", "two\n\tlines\n"),
        ("Grüße 🔥 \u2066طلب\u2069", "Grüße 🔥 \u2066طلب\u2069"),
        (RED, SEEN),
        ("\x1b[2K\x1b[1Aup \x1b[38;5;208morange\x1b[m", "up orange"),
        ("\x9b31mred\x9b0m \x1b(Bascii \x1b7\x1b8 \x1b=", "red ascii  "),
        ("\x1bPsixel\x1b\\ \x1b_app\x1b\\.", " ."),
        ("an open \x1b]0;title", "an open 0;title"),
        ("\x1b", ""),
        ("\x7f\x85\x0b\x0c", ""),
    ],
)
def test_codes_and_control_characters(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_nothing_hides_a_secret() -> None:
    assert (
        redact("pass\0word\x1b[0m=hunter2 tok\x1b[1men: abc") == "password=[masked] token: [masked]"
    )


def test_errors_are_printable_too() -> None:
    assert str(UserError(f"Kubernetes says: {RED}.")) == f"Kubernetes says: {SEEN}."


async def test_command(walk: Walk) -> None:
    channel = await walk.declare(f"{TYPED}, always")

    await walk.say("oncall", f"/incident note {TYPED}", channel)

    assert walk.card(channel)["Title"] == f"{SEEN}, always"
    assert (await walk.timeline(channel))[-1] == f"@oncall noted: {SEEN}"


async def test_form(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)

    await walk.submit("oncall", reason=RED)
    await walk.press("second", action_ids.DENY, channel)
    assert "reason" in await walk.submit_refused("second", reason="\0\x1b[0m")
    await walk.submit("second", reason=RED)

    request = walk.execution(channel)
    assert (request.reason, request.outcome) == (SEEN, f"by @second: {SEEN}")


async def test_log_line(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    for pod in kube.pod_names():
        kube.set_logs(pod, ["\x1b[31mERROR\x1b[0m no\0 connection", "\x1b[32mINFO\x1b[0m fine"])

    await walk.press_step("oncall", "logs", channel)

    assert "ERROR no connection" in walk.text(channel)


async def test_sql_cell(systems: Systems, shared_shop: Shop) -> None:
    value = json.dumps({"note": RED}).replace("'", "")
    query = f"SELECT E'\\x1b[31mred\\x1b[0m\\x07' AS text, '{value}'::json AS json"
    through = replace(systems, database=Database(shared_shop.ro_dsn))

    read = await RunQuery(file="stuck-orders.sql", sql=query).read(through)

    assert read.table is not None
    assert [str(cell) for cell in read.table.rows[0]] == ["red", f'{{"note": "{SEEN}"}}']


async def test_pod_status(systems: ChangingSystems, kube: Cluster) -> None:
    [pod, *_] = kube.pods()
    container = {"name": "order-service", "state": {"waiting": {"reason": RED}}}
    status = pod["status"] | {"containerStatuses": [container], "reason": RED}
    kube.state.store.update(PODS, pod | {"status": status})

    [seen] = [pod for pod in await systems.cluster.pods(SELECTOR) if pod.status == SEEN]

    assert seen.containers[0].reason == SEEN


async def test_stripe(systems: Systems, clock: Clock) -> None:
    async with SimulatedStripe(clock) as stripe:
        stripe.add_event(f"charge.{RED}", delivered=False)
        client = Stripe(stripe.key, stripe.url)

        read = await StripeEvents().read(replace(systems, stripe=client, now=clock))

    assert f"charge.{SEEN} 1" in read.text
