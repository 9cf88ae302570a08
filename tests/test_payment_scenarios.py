"""The scenarios of the sandbox's second team: what they make true, and what ends them."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from sandbox.checkout import Checkout
from sandbox.cluster import Cluster
from sandbox.cluster.cluster import PAYMENT_SERVICE
from sandbox.payments import PaymentDatabase, PaymentService, PaymentSystems, start_payments
from sandbox.postgres import Server
from sandbox.scenarios import Scenarios, ShopSystems
from sandbox.shop import Shop
from sandbox.slack import Slack
from sandbox.stripe import Stripe
from tests.databases import new_name, run_sync
from tests.test_scenarios import NEWEST, Sandbox

ROOT = Path(__file__).parent.parent
SQL = ROOT / "sandbox" / "playbooks" / "sql"
PACE = 0.02
Rows = list[tuple[Any, ...]]
NEWEST_CALL = "SELECT outcome, version FROM provider_calls WHERE cluster = %s ORDER BY id DESC"


class Teams(Sandbox):
    """The scenarios of both teams, and what they changed."""

    @property
    def payments(self) -> PaymentSystems:
        """What the second team has."""
        assert self.systems.payments is not None
        return self.systems.payments

    async def paid(self, query: str, *params: str) -> Rows:
        """What the payments team's reader finds; a name ending in .sql is of its playbook."""
        text = (SQL / query).read_text() if query.endswith(".sql") else query
        async with await psycopg.AsyncConnection.connect(self.payments.database.ro_dsn) as conn:
            return await (await conn.execute(text.encode(), params or None)).fetchall()

    async def when_paid(self, holds: Callable[[Rows], bool], query: str, *params: str) -> Rows:
        """Query the payments again and again until the rows are so."""
        while not holds(rows := await self.paid(query, *params)):
            pass
        return rows

    def payment_log(self, cluster: Cluster | None = None) -> str:
        """What the pods of payment-service have written."""
        cluster = cluster or self.payments.cluster
        pods = cluster.ready_pods(PAYMENT_SERVICE)
        runs = [cluster.state.logs.run(pod, PAYMENT_SERVICE, previous=False) for pod in pods]
        return "\n".join(line.text for run in runs for line in run.lines[-500:])


@pytest.fixture
def payments_database(postgres: Server) -> Iterator[PaymentDatabase]:
    database = PaymentDatabase(postgres, new_name("payments"))
    yield database
    run_sync(postgres.drop_database(database.database))


@pytest.fixture
async def teams(shop: Shop, payments_database: PaymentDatabase) -> AsyncIterator[Teams]:
    scenarios = Scenarios()
    async with (
        Cluster(speed=20.0, name="us-east") as kube,
        Cluster(speed=20.0, name="eu-west") as abroad,
        Slack(manifest=ROOT / "app-manifest.yml", routes=scenarios.routes()) as slack,
        Stripe() as stripe,
        PaymentService() as service,
        Checkout(shop, stripe, kube.accepts_orders, pace=PACE) as checkout,
    ):
        await kube.seed_order_service(alone=False)
        async with start_payments(payments_database, kube, abroad, service, pace=PACE) as payments:
            systems = ShopSystems(kube, shop, checkout, service, payments)
            async with scenarios.on(systems, lambda: slack.workspace.changed("scenarios")):
                yield Teams(slack, systems)


async def test_payments_go_through_both_clusters(teams: Teams) -> None:
    await teams.when_paid(
        lambda rows: {row[0] for row in rows} == {"us-east", "eu-west"},
        "SELECT cluster FROM provider_calls ORDER BY id DESC LIMIT 20",
    )

    assert await teams.paid("declines.sql") == []
    assert await teams.paid("waiting-payments.sql") == []
    assert [row[0] for row in await teams.paid("provider-answers.sql")] == ["eu-west", "us-east"]


async def test_a_release_makes_the_provider_decline(teams: Teams) -> None:
    answer = await teams.begin("payments-declined")

    command = "/incident declare sev2 Payments: cards are declined"
    assert answer["said"] == f"Cards declined: type {command}"
    assert await teams.holding() == ["payments-declined"]
    [(count, reason, cluster, version, _)] = await teams.when_paid(bool, "declines.sql")
    assert (reason, cluster, version) == ("currency_not_supported", "us-east", "v1.19.0")
    assert count > 5
    await teams.until(NEWEST, lambda rows: rows[0][1] == "CANCELLED")
    assert "payment declined" in teams.log()
    assert "currency_not_supported" not in teams.payment_log(teams.payments.abroad)


async def test_a_rollback_ends_the_declines(teams: Teams) -> None:
    await teams.begin("payments-declined")

    teams.payments.cluster.deploy("v1.18.0", PAYMENT_SERVICE)
    await teams.payments.cluster.wait_for_rollout(PAYMENT_SERVICE)

    assert await teams.holding() == []
    await teams.when_paid(
        lambda rows: {version for _, version in rows} == {"v1.18.0"},
        f"{NEWEST_CALL} LIMIT 5",
        "us-east",
    )
    assert not teams.systems.checkout.declined
    assert "currency_not_supported" not in teams.payment_log()


async def test_a_slow_provider_lets_payments_wait(teams: Teams) -> None:
    await teams.begin("provider-slow")

    assert len(await teams.paid("waiting-payments.sql")) > 0
    assert await teams.health() == 503
    assert "no free worker" in teams.payment_log()
    assert "no free worker" not in teams.payment_log(teams.payments.abroad)

    teams.payments.cluster.scale(4, PAYMENT_SERVICE)
    await teams.payments.cluster.wait_for_rollout(PAYMENT_SERVICE)
    await teams.when_paid(lambda rows: not rows, "waiting-payments.sql")
    await teams.when_paid(
        lambda rows: {outcome for outcome, _ in rows} == {"ok"},
        f"{NEWEST_CALL} LIMIT 20",
        "us-east",
    )
    assert await teams.holding() == ["provider-slow"]


async def test_the_provider_is_fast_again(teams: Teams) -> None:
    await teams.begin("provider-slow")
    await teams.elsewhere("mend-provider")

    assert await teams.health() == 200
    assert await teams.holding() == []
    await teams.when_paid(lambda rows: not rows, "waiting-payments.sql")


async def test_all_well_puts_back_both_clusters(teams: Teams) -> None:
    await teams.begin("payments-declined")
    for cluster in (teams.payments.cluster, teams.payments.abroad):
        cluster.scale(4, PAYMENT_SERVICE)

    await teams.begin("all-well")

    assert await teams.holding() == []
    assert not teams.payments.declines
    assert not teams.systems.checkout.declined
    for cluster in (teams.payments.cluster, teams.payments.abroad):
        await cluster.wait_for_ready_pods(2, PAYMENT_SERVICE)


async def test_failing_payments_are_in_its_log(teams: Teams) -> None:
    await teams.begin("payment-refund-failures")
    assert "provider timeout" in teams.payment_log()

    await teams.elsewhere("mend-payment-service")
    assert "provider timeout" not in teams.payment_log()[-2000:]


async def test_scenarios_tell_their_service(teams: Teams) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{teams.slack.url}/sandbox/scenarios") as response,
    ):
        listed = (await response.json())["scenarios"]

    assert [entry["service"] for entry in listed] == ["Orders"] * 4 + ["Payments"] * 2


async def test_each_database_has_its_own_readers(teams: Teams) -> None:
    name = teams.payments.database.database
    stranger = teams.shop.server.dsn(name, teams.shop.roles.reader)

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        await psycopg.AsyncConnection.connect(stranger)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await teams.paid("DELETE FROM payments")
