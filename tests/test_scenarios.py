"""The sandbox's scenarios: each is made true in the shop itself, and undone again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from sandbox.checkout import Checkout
from sandbox.cluster import Cluster
from sandbox.payments import PaymentService
from sandbox.scenarios import Scenarios, ShopSystems
from sandbox.shop import Shop
from sandbox.slack import Slack
from sandbox.stripe import Stripe

ROOT = Path(__file__).parent.parent
SQL = ROOT / "templates" / "playbooks" / "sql"
Rows = list[tuple[Any, ...]]


class Sandbox:
    """The scenarios over HTTP, and what they changed."""

    def __init__(self, slack: Slack, systems: ShopSystems) -> None:
        self.slack = slack
        self.systems = systems
        self.cluster = systems.cluster
        self.shop = systems.shop

    async def post(self, body: object, path: str = "scenario") -> dict[str, Any]:
        """What `POST /sandbox/scenario` answers."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.slack.url}/sandbox/{path}", json=body) as response,
        ):
            answer: dict[str, Any] = await response.json()
            assert (response.status == 200) == answer["ok"]
            return answer

    async def begin(self, name: str) -> dict[str, Any]:
        """Press the button of a scenario."""
        answer = await self.post({"name": name})
        assert answer["ok"], answer
        return answer

    async def elsewhere(self, name: str) -> None:
        """Do what people do outside of Slack."""
        answer = await self.post({"name": name}, "elsewhere")
        assert answer["ok"], answer

    async def health(self) -> int:
        """What payment-service answers."""
        url = f"{self.systems.payment_service.url}/health"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status

    async def when_undelivered(self, ids: set[str]) -> None:
        """Wait until exactly these events of Stripe are undelivered."""
        async with asyncio.timeout(10):
            while self.systems.checkout.stripe.undelivered != ids:
                await self.rows("SELECT")

    async def holding(self) -> list[str]:
        """The names of the scenarios that are true."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.slack.url}/sandbox/scenarios") as response,
        ):
            found = (await response.json())["scenarios"]
            return [entry["name"] for entry in found if entry["holds"]]

    async def rows(self, query: str) -> Rows:
        """What the superuser finds; a name ending in .sql is a file of the playbook."""
        text = (SQL / query).read_text() if query.endswith(".sql") else query
        async with await psycopg.AsyncConnection.connect(self.shop.dsn) as conn:
            return await (await conn.execute(text.encode())).fetchall()

    async def until(self, query: str, holds: Callable[[Rows], bool]) -> Rows:
        """Query again and again until the rows are so."""
        async with asyncio.timeout(10):
            while not holds(rows := await self.rows(query)):
                pass
        return rows

    def log(self) -> str:
        """What the pods of order-service have written."""
        logs, pods = self.cluster.state.logs, self.cluster.ready_pods()
        runs = [logs.run(pod, "order-service", previous=False) for pod in pods]
        return "\n".join(line.text for run in runs for line in run.lines[-500:])


@pytest.fixture
async def sandbox(kube: Cluster, shop: Shop) -> AsyncIterator[Sandbox]:
    scenarios = Scenarios()
    async with (
        Slack(manifest=ROOT / "app-manifest.yml", routes=scenarios.routes()) as slack,
        Stripe() as stripe,
        PaymentService() as payments,
        Checkout(shop, stripe, kube.accepts_orders, pace=0.02) as checkout,
    ):
        systems = ShopSystems(kube, shop, checkout, payments)
        async with scenarios.on(systems, lambda: slack.workspace.changed("scenarios")):
            yield Sandbox(slack, systems)


PAYMENTS_FAIL = "/incident declare sev2 Orders: payments are failing"
NEWEST = "SELECT id, status FROM orders ORDER BY created_at DESC LIMIT 1"
WAITING = "SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
OURS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'order-service'
"""
TOLD = """
    SELECT payload #>> '{data,object,metadata,order_id}' FROM webhook_events
    WHERE processed_at IS NULL AND error LIKE '%payment-service%'
"""
QUICK = """
    SELECT count(*) FROM orders JOIN users ON users.id = user_id
    WHERE starts_with(email, 'quick.')
"""


async def test_customer_orders_are_confirmed(sandbox: Sandbox) -> None:
    [(before, _)] = await sandbox.rows(NEWEST)
    [(new, _)] = await sandbox.until(NEWEST, lambda rows: rows[0][0] != before)
    await sandbox.until(
        "SELECT id FROM orders WHERE status = 'CONFIRMED' ORDER BY created_at DESC LIMIT 50",
        lambda rows: (new,) in rows,
    )


async def test_rollback_heals_the_outage(sandbox: Sandbox) -> None:
    await sandbox.begin("complete-service-outage")
    await sandbox.cluster.wait_for_status("CrashLoopBackOff", 3)
    assert await sandbox.holding() == ["complete-service-outage"]
    [(last, _)] = await sandbox.rows(NEWEST)
    pause = await sandbox.rows(
        "SELECT pg_sleep(0.2), (SELECT id FROM orders ORDER BY created_at DESC LIMIT 1)"
    )
    assert pause[0][1] == last

    sandbox.cluster.deploy("v2.3.1")

    await sandbox.until(NEWEST, lambda rows: rows[0][0] != last)
    assert await sandbox.holding() == []


async def test_failing_payments_leave_traces(sandbox: Sandbox) -> None:
    answer = await sandbox.begin("payment-refund-failures")

    assert answer["said"] == f"Payments failing: type {PAYMENTS_FAIL}"
    stuck = await sandbox.rows("stuck-orders.sql")
    assert len(stuck) >= 34
    unprocessed = await sandbox.rows("idempotency.sql")
    paid = {row[3]["data"]["object"]["id"] for row in unprocessed}
    assert paid >= {intent for *_, intent in stuck if intent is not None}
    assert "payment-service answered 503" in sandbox.log()
    assert "processed" not in sandbox.log().replace("not processed", "")
    [(new, _)] = await sandbox.until(NEWEST, lambda rows: rows[0][1] == "PENDING")
    await sandbox.until(TOLD, lambda rows: (str(new),) in rows)
    assert await sandbox.health() == 503


async def test_unprocessed_webhooks_are_undelivered(sandbox: Sandbox) -> None:
    await sandbox.begin("complete-service-outage")
    await sandbox.cluster.wait_until(lambda: not sandbox.cluster.accepts_orders())
    await sandbox.begin("payment-refund-failures")
    pause(sandbox.cluster)
    await sandbox.cluster.wait_until(lambda: not sandbox.cluster.accepts_orders())

    failed = {row[1] for row in await sandbox.rows("idempotency.sql")}
    await sandbox.when_undelivered(failed)
    await sandbox.elsewhere("replay-webhooks")
    assert min(row[4] for row in await sandbox.rows("idempotency.sql")) >= 2
    assert await sandbox.holding() == ["payment-refund-failures"]

    await sandbox.elsewhere("mend-payment-service")
    assert await sandbox.health() == 200
    again = await sandbox.post({"name": "mend-payment-service"}, "elsewhere")
    assert again["error"].startswith("Nobody does that elsewhere")
    assert len(await sandbox.rows("stuck-orders.sql")) >= 34
    await sandbox.elsewhere("replay-webhooks")
    assert await sandbox.rows("stuck-orders.sql") == []
    await sandbox.when_undelivered(set())
    assert await sandbox.holding() == []


async def test_orders_continue_without_pause_setting(sandbox: Sandbox) -> None:
    changed = sandbox.cluster.deployment()
    changed["spec"]["template"]["spec"]["containers"][0]["env"] = []
    sandbox.cluster.change_template()
    await sandbox.cluster.wait_for_rollout()

    [(before, _)] = await sandbox.rows(NEWEST)
    await sandbox.until(NEWEST, lambda rows: rows[0][0] != before)


async def test_blocked_users_buy_no_more(sandbox: Sandbox) -> None:
    await sandbox.begin("high-dispute-rate")
    await sandbox.elsewhere("block-users")

    newest = "SELECT count(*) FROM orders"
    [(orders,)] = await sandbox.rows(newest)
    [(bought,)] = await sandbox.rows(QUICK)
    await sandbox.until(newest, lambda rows: rows[0][0] > orders + 2)
    assert await sandbox.rows(QUICK) == [(bought,)]
    assert await sandbox.holding() == []


async def test_three_users_buy_until_pause(sandbox: Sandbox) -> None:
    await sandbox.begin("high-dispute-rate")

    top = [row[0] for row in await sandbox.rows("review-orders.sql")][:3]
    suspicious = await sandbox.rows("SELECT id FROM users WHERE starts_with(email, 'quick.')")
    assert set(top) == {order_id for (order_id,) in suspicious}
    [(disputes,)] = await sandbox.rows(
        "SELECT count(*) FROM disputes WHERE status = 'NEEDS_RESPONSE'"
        " AND created_at > now() - interval '1 hour'"
    )
    assert disputes >= 36
    [(bought,)] = await sandbox.rows(QUICK)
    await sandbox.until(QUICK, lambda rows: rows[0][0] > bought)

    pause(sandbox.cluster)
    await sandbox.cluster.wait_for_rollout()
    await sandbox.cluster.wait_until(lambda: not sandbox.cluster.accepts_orders())
    [(paused, _)] = await sandbox.rows("SELECT count(*), pg_sleep(0.1) FROM orders")
    assert (await sandbox.rows("SELECT count(*), pg_sleep(0.2) FROM orders"))[0][0] == paused

    await sandbox.begin("all-well")
    assert sandbox.cluster.accepts_orders()
    assert await sandbox.rows(QUICK) == [(0,)]


def pause(cluster: Cluster) -> None:
    """Let somebody set the variable, as the playbook says."""
    changed = cluster.deployment()
    env = changed["spec"]["template"]["spec"]["containers"][0]["env"]
    next(variable for variable in env if variable["name"] == "ORDERS_PAUSED")["value"] = "true"
    cluster.change_template()


async def test_ending_blocker_frees_waiting_sessions(sandbox: Sandbox) -> None:
    await sandbox.begin("slow-response-times")

    waiting = await sandbox.until(WAITING, lambda rows: len(rows) == 4)
    blockers = {blocker for _, blocked_by in waiting for blocker in blocked_by}
    [job] = await sandbox.rows(
        "SELECT pid, state, usename, application_name FROM pg_stat_activity"
        " WHERE query LIKE 'SELECT settle_orders%'"
    )
    assert job[0] in blockers
    assert job[1:] == ("active", "order_service", "order-service")
    assert "under pressure" in sandbox.log()

    # Ended alone, a checkout comes back and waits again.
    await sandbox.rows(f"SELECT pg_terminate_backend({waiting[0][0]})")
    await sandbox.until(
        WAITING, lambda rows: len(rows) == 4 and waiting[0][0] not in {pid for pid, _ in rows}
    )
    assert await sandbox.holding() == ["slow-response-times"]

    await sandbox.rows(f"SELECT pg_terminate_backend({job[0]})")
    await sandbox.until(WAITING, lambda rows: not rows)
    assert await sandbox.holding() == []
    assert sandbox.cluster.state.loads == {}


async def test_more_pods_share_the_work(sandbox: Sandbox) -> None:
    await sandbox.begin("slow-response-times")
    three = await cpu(sandbox.cluster)
    assert 900 <= three <= 1000

    sandbox.cluster.scale(4)
    await sandbox.cluster.wait_for_ready_pods(4)

    assert await cpu(sandbox.cluster) < 800


async def cpu(cluster: Cluster) -> int:
    """What the busiest pod is told to use, in thousandths of a core."""
    url = f"{cluster.url}/apis/metrics.k8s.io/v1beta1/namespaces/tickettoken/pods"
    query = {"labelSelector": "app=order-service"}
    headers = {"Authorization": f"Bearer {cluster.token()}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(url, params=query) as response,
    ):
        pods = (await response.json())["items"]
    return max(int(pod["containers"][0]["usage"]["cpu"].removesuffix("m")) for pod in pods)


async def test_new_scenario_ends_the_first(sandbox: Sandbox) -> None:
    await sandbox.begin("slow-response-times")
    again = await sandbox.begin("slow-response-times")
    assert again["begun"] is False
    assert again["said"] == "Slow responses is true already."
    assert len(await sandbox.until(WAITING, lambda rows: len(rows) >= 4)) == 4

    await sandbox.begin("payment-refund-failures")

    assert await sandbox.holding() == ["payment-refund-failures"]
    assert await sandbox.rows(WAITING) == []


async def test_two_presses_begin_it_once(sandbox: Sandbox) -> None:
    both = await asyncio.gather(*(sandbox.begin("high-dispute-rate") for _ in range(2)))

    assert sorted(answer["begun"] for answer in both) == [False, True]


@pytest.mark.parametrize(
    "name",
    [
        "complete-service-outage",
        "payment-refund-failures",
        "high-dispute-rate",
        "slow-response-times",
    ],
)
async def test_all_well_again_leaves_nothing_behind(sandbox: Sandbox, name: str) -> None:
    await sandbox.begin(name)
    answer = await sandbox.begin("all-well")

    assert answer["said"] == "All is well."
    assert await sandbox.holding() == []
    assert await sandbox.rows("stuck-orders.sql") == []
    assert await sandbox.rows("idempotency.sql") == []
    assert await sandbox.rows(QUICK) == [(0,)]
    assert await sandbox.rows(WAITING) == []
    await sandbox.until(OURS, lambda rows: rows == [(1,)])
    assert len(sandbox.cluster.ready_pods()) == 3
    assert "v2.3.1" in sandbox.cluster.image()


@pytest.mark.parametrize(
    "body", [{"name": "flood"}, {"nam": "all-well"}, "all-well", [], {"name": 3}]
)
async def test_what_makes_no_sense_is_refused(sandbox: Sandbox, body: object) -> None:
    answer = await sandbox.post(body)

    assert answer["ok"] is False
    assert answer["error"].startswith("There is no such scenario. Send the name of one of: ")
    assert (await sandbox.post(body, "elsewhere"))["error"].startswith("Nobody does that")


async def test_every_playbook_scenario_has_button(sandbox: Sandbox) -> None:
    words = (ROOT / "templates" / "playbooks" / "order-service.yml").read_text()
    ids = [line.split(": ")[1] for line in words.splitlines() if line.startswith("  - id: ")]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sandbox.slack.url}/sandbox/scenarios") as response,
    ):
        told = (await response.json())["scenarios"]
    assert [line["name"] for line in told] == ids
    assert all(line["then"].startswith("/incident declare sev") for line in told)
