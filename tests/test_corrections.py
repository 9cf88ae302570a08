"""What docs/playbook-corrections.md says of the source's commands: each is run as it stands."""

import asyncio
import os
import re
import shlex
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from psycopg import AsyncConnection, errors

from sandbox.cluster import Cluster
from sandbox.redis import free_port
from sandbox.shop import Shop
from tests.conftest import ROOT
from tests.manual_changes import patch_pods
from tests.test_kubectl import Kubectl, kube, kubectl
from tests.test_playbook_render import SOURCE

__all__ = ["kube", "kubectl"]

DOCUMENT = (ROOT / "docs" / "playbook-corrections.md").read_text(encoding="utf-8")
RUNBOOK = SOURCE.read_text(encoding="utf-8")
needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None and os.environ.get("RUNBOLT_REQUIRE_KUBECTL") != "1",
    reason="no kubectl on PATH",
)
FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def in_source(part: str) -> str:
    """The one block of code of the source that has this part."""
    [found] = [text for _, text in FENCE.findall(RUNBOOK) if part in text]
    return str(found)


def command(part: str) -> list[str]:
    """The words after `kubectl` of the source's command that has this part."""
    lines = [line for _, text in FENCE.findall(RUNBOOK) for line in text.splitlines()]
    [found] = [line for line in lines if part in line]
    first, *words = shlex.split(found.partition(" | ")[0])
    assert first == "kubectl"
    return words


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        yield conn


async def rows(conn: AsyncConnection[Any], statement: str) -> list[dict[str, Any]]:
    cursor = await conn.execute(statement.encode())
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


def test_quotes_stand_in_the_source() -> None:
    quoted = [line for kind, text in FENCE.findall(DOCUMENT) if kind for line in text.splitlines()]
    source = {" ".join(line.split()) for line in RUNBOOK.splitlines()}

    assert len(quoted) > 20
    assert [line for line in quoted if " ".join(line.split()) not in source] == []


async def test_killing_queries_is_refused(shop: Shop) -> None:
    async with connected(shop.dsn) as conn:
        with pytest.raises(errors.UndefinedColumn) as refused:
            await rows(conn, in_source("pg_terminate_backend"))

    assert refused.value.diag.message_primary == 'column "duration" does not exist'
    assert f"\n{refused.value.diag.message_primary}\n" in DOCUMENT


@pytest.mark.kubectl
@needs_kubectl
async def test_the_pod_is_a_placeholder(kubectl: Kubectl) -> None:
    ran = await kubectl(*command("tickettoken-postgres 5432"))

    assert ran.code == 1
    assert ran.err == 'Error from server (NotFound): pods "order-service-xxx" not found\n'
    assert ran.err in DOCUMENT


@pytest.mark.kubectl
@needs_kubectl
async def test_there_is_no_terminal(kube: Cluster, kubectl: Kubectl) -> None:
    words = command("tickettoken-postgres 5432")
    real = [word.replace("order-service-xxx", kube.pod_names()[0]) for word in words]

    asked = await kubectl.ok(*real)
    unasked = await kubectl.ok(*[word for word in real if word != "-it"])

    assert asked.err.splitlines()[0] in DOCUMENT.splitlines()
    assert "TTY" not in unasked.err


@pytest.mark.kubectl
@needs_kubectl
async def test_logs_of_one_container_are_read(kube: Cluster, kubectl: Kubectl) -> None:
    await patch_pods(kube, {"containers": [{"name": "proxy", "image": "envoy:1"}]})

    ran = await kubectl.ok(*command("--tail=500"))
    whole = await kubectl.ok(*command("--tail=500"), "--all-containers")

    assert '"service":"order-service"' not in ran.out
    assert '"service":"order-service"' in whole.out
    assert set(ran.err.splitlines()) <= set(DOCUMENT.splitlines())
    assert ran.err


@pytest.mark.kubectl
@needs_kubectl
async def test_six_logs_are_not_followed(kube: Cluster, kubectl: Kubectl) -> None:
    kube.scale(6)
    await kube.wait_for_ready_pods(6)

    ran = await kubectl(*command("--tail=500"), "-f")

    assert ran.code == 1
    assert ran.err in DOCUMENT


@pytest.mark.kubectl
@needs_kubectl
async def test_deletion_takes_all_pods(kube: Cluster, kubectl: Kubectl) -> None:
    assert len(kube.ready_pods()) == 3
    deleting = asyncio.create_task(kubectl.ok(*command("delete pod")))

    await kube.wait_until(lambda: not kube.ready_pods())

    assert (await deleting).out.count(" deleted") == 3


@pytest.mark.kubectl
@needs_kubectl
async def test_second_rollback_restores_bad_version(kube: Cluster, kubectl: Kubectl) -> None:
    await kube.scenario("crash-loop")
    bad = kube.image()

    await kubectl.ok(*command("rollout undo"))
    good = kube.image()
    await kubectl.ok(*command("rollout undo"))

    assert good != bad
    assert kube.image() == bad


@pytest.mark.kubectl
@needs_kubectl
async def test_scaling_up_scales_down(kube: Cluster, kubectl: Kubectl) -> None:
    kube.scale(6)
    await kube.wait_for_ready_pods(6)

    await kubectl.ok(*command("--replicas=4"))

    await kube.wait_until(lambda: len(kube.pods()) == 4)


@pytest.mark.kubectl
@needs_kubectl
async def test_pausing_orders_replaces_every_pod(kube: Cluster, kubectl: Kubectl) -> None:
    before = set(kube.pod_names())

    await kubectl.ok(*command("ORDERS_PAUSED"))
    await kube.wait_for_rollout()
    await kube.wait_until(lambda: len(kube.pods()) == 3)

    assert not before & set(kube.pod_names())
    assert RUNBOOK.count("ORDERS_PAUSED") == 1


async def test_one_database_hides_the_others(shop: Shop, database: str) -> None:
    """The source's statement, about this shop's database, while another takes connections."""
    query = re.search(r'psql -U postgres -c "(.*)"', RUNBOOK)
    assert query is not None
    counted = query[1].replace("'orders'", f"'{shop.database}'")
    all_used = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"

    async with connected(database) as conn, AsyncExitStack() as others:
        before = [await rows(conn, query) for query in (counted, all_used)]
        for _ in range(5):
            await others.enter_async_context(connected(database))
        after = [await rows(conn, query) for query in (counted, all_used)]

    assert after[0] == before[0]
    assert after[1][0]["count"] >= before[1][0]["count"] + 5


async def test_webhook_events_have_addresses_in_them(shop: Shop) -> None:
    async with connected(shop.dsn) as conn:
        found = await rows(conn, in_source("FROM webhook_events"))

    assert found
    assert re.search(r"[\w.]+@[\w.]+", str([row["payload"] for row in found]))


async def test_a_total_mixes_currencies(shop: Shop) -> None:
    several = """
        SELECT user_id FROM orders WHERE created_at > NOW() - INTERVAL '24 hours'
        GROUP BY user_id HAVING count(DISTINCT currency) > 1
    """
    async with connected(shop.dsn) as conn:
        found = await rows(conn, in_source("SUM(total_cents)").replace("LIMIT 20", ""))
        mixed = {row["user_id"] for row in await rows(conn, several)}
        [user] = [row for row in found if row["user_id"] == min(mixed)]
        by_currency = await rows(
            conn,
            "SELECT currency, sum(total_cents) AS cents FROM orders "  # noqa: S608
            f"WHERE user_id = '{min(mixed)}' AND created_at > NOW() - INTERVAL '24 hours' "
            "GROUP BY currency",
        )

    assert len(by_currency) > 1
    assert user["total"] == sum(row["cents"] for row in by_currency)


WAITING = """
    SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'
"""


async def test_lock_holders_run_no_query(shop: Shop) -> None:
    """With every query counted as long: who waits is listed, who is waited for and who asks not."""
    statement = in_source("AS duration").replace("5 seconds", "0 seconds")

    async with connected(shop.dsn) as holder, connected(shop.dsn) as waiter:
        await holder.execute("BEGIN; LOCK TABLE orders")
        waiting = asyncio.create_task(waiter.execute("SELECT count(*) FROM orders"))
        async with connected(shop.dsn) as asker:
            while not await (await asker.execute(WAITING, (waiter.info.backend_pid,))).fetchall():
                continue
            pids = {row["pid"] for row in await rows(asker, statement)}
            waits = waiter.info.backend_pid
            others = {holder.info.backend_pid, asker.info.backend_pid}
        await holder.execute("ROLLBACK")
        await waiting

    assert waits in pids
    assert not others & pids


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on PATH")
async def test_curl_accepts_a_503() -> None:
    async def ill(_: web.Request) -> web.Response:
        return web.Response(status=503, text="no database")

    app = web.Application()
    app.router.add_get("/health", ill)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    words = shlex.split(in_source("curl ").replace("payment-service:3006", f"127.0.0.1:{port}"))

    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    said, _ = await process.communicate()
    await runner.cleanup()

    assert (process.returncode, said) == (0, b"no database")
