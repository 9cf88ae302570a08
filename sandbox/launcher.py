"""Starts and stops Runbolt together with everything it talks to."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout

from sandbox.checkout import Checkout
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from sandbox.pagerduty import PagerDuty
from sandbox.payments import PaymentService
from sandbox.postgres import Postgres
from sandbox.proxy import Proxy
from sandbox.redis import Child, Redis, ServerError, free_port
from sandbox.scenarios import ShopSystems
from sandbox.shop import Shop, build
from sandbox.slack import Slack
from sandbox.stripe import Stripe

HERE = Path(__file__).parent
ROOT = HERE.parent
START_TIMEOUT = 30.0


@dataclass(frozen=True)
class RunningSandbox:
    """The running systems, and the environment that the bot was given."""

    slack: Slack
    systems: ShopSystems
    environment: Mapping[str, str]
    bot: Child


@asynccontextmanager
async def start_sandbox(
    folder: Path, slack: Slack, *, keep: bool = False, playbooks: Path | None = None
) -> AsyncIterator[RunningSandbox]:
    """Start everything on loopback, the bot last; raises ServerError with the reason."""
    async with AsyncExitStack() as stack:
        cluster, redis = Cluster(), Redis(folder / "redis")
        postgres = Postgres(folder / "postgres", keep=keep)
        await asyncio.gather(
            stack.enter_async_context(slack),
            stack.enter_async_context(cluster),
            stack.enter_async_context(redis),
            stack.enter_async_context(postgres),
        )
        shop = await stack.enter_async_context(await build(postgres))
        await cluster.seed_order_service()
        stripe, pagerduty = Stripe(live=True), PagerDuty()
        payments = await stack.enter_async_context(PaymentService())
        proxy = Proxy({("payment-service", 3006): payments.url})
        for service in (stripe, pagerduty, proxy):
            await stack.enter_async_context(service)
        checkout = await stack.enter_async_context(Checkout(shop, stripe, cluster.accepts_orders))
        systems = ShopSystems(cluster, shop, checkout, payments)
        environment = await _environment(folder, slack, cluster, redis, postgres, shop)
        environment |= _other_services(stripe, pagerduty, proxy)
        environment["RUNBOLT_CONFIG"] = str(_team(folder, playbooks))
        bot = await stack.enter_async_context(run_bot(folder, slack, environment))
        yield RunningSandbox(slack, systems, environment, bot)


async def _environment(
    folder: Path, slack: Slack, cluster: Cluster, redis: Redis, postgres: Postgres, shop: Shop
) -> dict[str, str]:
    """The bot's environment; it does not know that it runs in a sandbox."""
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_API_URL": slack.api_url,
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "DATABASE_URL": await postgres.create_owned_database("runbolt"),
        "REDIS_URL": redis.url,
        "ORDERS_DATABASE_URL": shop.ro_dsn,
        "ORDERS_DATABASE_ADMIN_URL": shop.ops_dsn,
        "KUBECONFIG": str(cluster.write_kubeconfig(folder / "kubeconfig")),
        "KUBERNETES_NAMESPACE": DEFAULT_NAMESPACE,
    }


def _team(folder: Path, playbooks: Path | None) -> Path:
    """The demo team's configuration file, with other playbooks when some are given."""
    shipped = HERE / "runbolt.yml"
    if playbooks is None:
        return shipped
    file = folder / "runbolt.yml"
    file.write_text(f"{shipped.read_text()}playbooks: {json.dumps(str(playbooks.absolute()))}\n")
    return file


def _other_services(stripe: Stripe, pagerduty: PagerDuty, proxy: Proxy) -> dict[str, str]:
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
