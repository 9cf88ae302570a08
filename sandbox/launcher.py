"""Starts and stops Runbolt together with everything it talks to."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout

from sandbox.accounts import BOT, PERSON, grant_rights
from sandbox.checkout import Checkout
from sandbox.cluster import Cluster, write_kubeconfig
from sandbox.configuration import write_configuration
from sandbox.pagerduty import PagerDuty, Shift
from sandbox.payments import PaymentDatabase, PaymentService, start_payments
from sandbox.postgres import Postgres
from sandbox.proxy import Proxy
from sandbox.redis import Child, Redis, ServerError, free_port
from sandbox.scenarios import ShopSystems
from sandbox.shop import build
from sandbox.slack import Slack
from sandbox.stripe import Stripe

HERE = Path(__file__).parent
ROOT = HERE.parent
START_TIMEOUT = 30.0
# The shop has a name of its own for the Service of another namespace.
PAYMENT_ADDRESSES = (("payment-service", 3006), ("payment-service.payments", 3006))
SHIFTS = (
    Shift("Maya Okafor", service="Order Service"),
    Shift("Nadia Haddad", schedule="PSCHED2", policy="PPOLIC2", service="Payment Service"),
)


@dataclass(frozen=True)
class RunningSandbox:
    """The running systems, a person's kubeconfig, and the environment that the bot was given."""

    slack: Slack
    systems: ShopSystems
    kubeconfig: Path
    environment: Mapping[str, str]
    bot: Child


@asynccontextmanager
async def start_sandbox(
    folder: Path, slack: Slack, *, keep: bool = False, playbooks: Path | None = None
) -> AsyncIterator[RunningSandbox]:
    """Start everything on loopback, the bot last; raises ServerError with the reason."""
    async with AsyncExitStack() as stack:
        cluster, abroad = Cluster(name="us-east"), Cluster(name="eu-west")
        redis = Redis(folder / "redis")
        postgres = Postgres(folder / "postgres", keep=keep)
        await asyncio.gather(
            stack.enter_async_context(slack),
            stack.enter_async_context(cluster),
            stack.enter_async_context(abroad),
            stack.enter_async_context(redis),
            stack.enter_async_context(postgres),
        )
        shop = await stack.enter_async_context(await build(postgres))
        await cluster.seed_order_service(alone=False)
        stripe, pagerduty = Stripe(live=True), PagerDuty(shifts=list(SHIFTS))
        health = await stack.enter_async_context(PaymentService())
        payments = await stack.enter_async_context(
            start_payments(PaymentDatabase(postgres), cluster, abroad, health)
        )
        proxy = Proxy(dict.fromkeys(PAYMENT_ADDRESSES, health.url))
        for service in (stripe, pagerduty, proxy):
            await stack.enter_async_context(service)
        checkout = await stack.enter_async_context(Checkout(shop, stripe, cluster.accepts_orders))
        systems = ShopSystems(cluster, shop, checkout, health, payments)
        environment = await _environment(slack, redis, postgres)
        environment |= _services(folder, systems)
        environment |= _other_systems(stripe, pagerduty, proxy)
        environment["RUNBOLT_CONFIG"] = str(write_configuration(folder, playbooks))
        bot = await stack.enter_async_context(run_bot(folder, slack, environment))
        kubeconfig = write_kubeconfig(folder / "kubeconfig", clusters(systems), PERSON)
        yield RunningSandbox(slack, systems, kubeconfig, environment, bot)


async def _environment(slack: Slack, redis: Redis, postgres: Postgres) -> dict[str, str]:
    """The bot's environment; it does not know that it runs in a sandbox."""
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_API_URL": slack.api_url,
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "DATABASE_URL": await postgres.create_owned_database("runbolt"),
        "REDIS_URL": redis.url,
    }


def _services(folder: Path, systems: ShopSystems) -> dict[str, str]:
    """Both clusters, and the secrets of both services by the names that the teams' files give."""
    assert systems.payments is not None
    orders, payments = systems.shop, systems.payments
    grant_rights(systems.cluster, payments.cluster)
    grant_rights(payments.abroad)
    kubeconfig = write_kubeconfig(folder / "runbolt.kubeconfig", clusters(systems), BOT)
    return {
        "KUBECONFIG": str(kubeconfig),
        "ORDERS_DATABASE_URL": orders.ro_dsn,
        "ORDERS_DATABASE_ADMIN_URL": orders.ops_dsn,
        "PAYMENTS_DATABASE_URL": payments.database.ro_dsn,
        "PAYMENTS_DATABASE_ADMIN_URL": payments.database.ops_dsn,
    }


def clusters(systems: ShopSystems) -> tuple[Cluster, ...]:
    """Both clusters, each as seen from the namespace that people look at first."""
    assert systems.payments is not None
    return systems.cluster, systems.payments.abroad


def _other_systems(stripe: Stripe, pagerduty: PagerDuty, proxy: Proxy) -> dict[str, str]:
    return {
        "STRIPE_API_KEY": stripe.key,
        "STRIPE_API_URL": stripe.url,
        "PAGERDUTY_TOKEN": pagerduty.token,
        "PAGERDUTY_API_URL": pagerduty.url,
        "PLAYBOOK_PROXY": proxy.url,
    }


@asynccontextmanager
async def run_bot(
    folder: Path, slack: Slack, environment: Mapping[str, str]
) -> AsyncIterator[Child]:
    """Run the bot as a process of its own; yields once it is ready."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [sys.executable, "-m", "bot"]
    child = Child(command, folder / "bot.log", {"cwd": ROOT}, env={**inherited, **environment})
    url = f"http://127.0.0.1:{environment['PORT']}"
    try:
        await _ready(child, url)
        slack.request_url = f"{url}/slack/events"
        slack.options_url = f"{url}/slack/events"
        yield child
    finally:
        await child.stop()


async def _ready(child: Child, url: str) -> None:
    async with ClientSession(timeout=ClientTimeout(total=5)) as session:
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        while asyncio.get_running_loop().time() < deadline:
            if not child.running:
                raise ServerError(f"The bot did not start: {child.log_tail()}")
            with suppress(ClientError, TimeoutError):
                async with session.get(f"{url}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.02)
    raise ServerError(f"The bot was not ready within {START_TIMEOUT:.0f} s: {child.log_tail()}")
