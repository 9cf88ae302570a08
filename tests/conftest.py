"""People, the outside world at the wire, and the bot among them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import __main__ as root
from bot import scheduler
from bot.settings import Settings
from bot.store import db
from bot.views import presses
from bot.world import World
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from sandbox.postgres import Server
from sandbox.shop import Shop
from sandbox.slack import Call, Delivery, Slack
from tests.databases import (
    database,
    fresh_database,
    new_name,
    postgres,
    redis,
    redis_url,
    shop,
    shop_template,
    wait_for,
)

__all__ = ["database", "postgres", "redis", "redis_url", "shop", "shop_template"]

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "templates" / "playbooks" / "order-service.yml"
CLUSTER_SPEED = 40.0


class Clock:
    """The time, moved forward by hand."""

    def __init__(self) -> None:
        # A Tuesday in working hours: the milder severities wait for them.
        self.time = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **span: float) -> None:
        """Let time pass."""
        self.time += timedelta(**span)


@dataclass
class Bot:
    """One replica of the bot, in this process; its clock ticks when a test says so."""

    world: World
    url: str

    async def quiet(self) -> None:
        """Wait until nothing is under way."""
        await self.world.work.drain(50)

    async def tick(self) -> None:
        """Run every sweep once, and wait for what it started."""
        await scheduler.tick(self.world)
        await self.quiet()


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    """A workspace with nobody's bot in it yet; no rate limits, unless a test wants them."""
    async with Slack(manifest=ROOT / "app-manifest.yml", rate_limits=False) as workspace:
        yield workspace


@pytest.fixture
async def kube() -> AsyncIterator[Cluster]:
    """The shop's cluster, healthy, its time running faster."""
    async with Cluster(speed=CLUSTER_SPEED) as cluster:
        await cluster.seed_order_service()
        yield cluster


@pytest.fixture(scope="session")
def state_template(postgres: Server) -> Iterator[str]:
    """A database with the bot's own schema, to be cloned."""
    name = new_name("state")
    wait_for(db.migrate(wait_for(postgres.create_database(name))))
    yield name
    wait_for(postgres.drop_database(name))


@pytest.fixture
async def state(postgres: Server, state_template: str) -> str:
    """The bot's own database, empty."""
    return await fresh_database(postgres, state_template)


@pytest.fixture
def playbooks(tmp_path: Path) -> Path:
    """The shipped playbook, with checks that watch for a moment instead of half a minute."""
    folder = tmp_path / "playbooks"
    folder.mkdir()
    words = SHIPPED.read_text(encoding="utf-8")
    quick = words.replace(
        "          deployment: order-service\n",
        "          deployment: order-service\n          watch_seconds: 0.4\n",
    )
    (folder / "order-service.yml").write_text(quick, encoding="utf-8")
    return folder


@pytest.fixture
def team(tmp_path: Path, playbooks: Path) -> Path:
    """What the team decided."""
    file = tmp_path / "runbolt.yml"
    file.write_text(
        f"playbooks: {playbooks}\n"
        "responders: {groups: [order-service-responders]}\n"
        "approvers: {groups: [order-service-approvers]}\n"
    )
    return file


@pytest.fixture
def given(
    tmp_path: Path,
    slack: Slack,
    kube: Cluster,
    state: str,
    redis_url: str,
    shop: Shop,
    team: Path,
) -> Settings:
    """The environment of one replica."""
    return Settings(
        slack_bot_token=slack.bot_token,
        slack_app_token=None,
        slack_signing_secret=slack.signing_secret,
        slack_api_url=slack.api_url,
        host="127.0.0.1",
        port=free_port(),
        database_url=state,
        redis_url=redis_url,
        orders_database_url=shop.ro_dsn,
        orders_database_admin_url=shop.ops_dsn,
        kubeconfig=kube.write_kubeconfig(tmp_path / "kubeconfig"),
        kubernetes_namespace=DEFAULT_NAMESPACE,
        config=team,
    )


class Walk:
    """What people do, one after another; each waits until the bot has nothing more to do."""

    def __init__(self, slack: Slack, bot: Bot) -> None:
        self.slack = slack
        self.bot = bot

    async def say(self, who: str, text: str, channel: str = "general") -> Delivery:
        """Say something, or a slash command."""
        delivery = await self.slack.say(who, text, channel=channel)
        await self.bot.quiet()
        return delivery

    async def press(
        self,
        who: str,
        action_id: str,
        channel: str,
        value: str | None = None,
        ts: str | None = None,
    ) -> Delivery:
        """Press a button, or choose from a menu."""
        delivery = await self.slack.press(who, action_id, channel=channel, ts=ts, value=value)
        await self.bot.quiet()
        return delivery

    async def step(self, who: str, step: str, channel: str) -> Delivery:
        """Press a step's button."""
        return await self.press(who, presses.RUN_STEP, channel, step)

    async def submit(self, who: str, **values: object) -> Delivery:
        """Fill in the form on top, and send it."""
        view = self.slack.views(who)[-1]
        filled = {name: {name: value} for name, value in values.items()}
        delivery = await self.slack.submit(who, view["id"], filled)
        await self.bot.quiet()
        return delivery

    async def ask_for_rollback(self, channel: str, who: str = "oncall") -> Delivery:
        """Ask for the rollback of the order service."""
        await self.step(who, "roll-back", channel)
        return await self.submit(who, reason="The new version crash-loops")

    async def declare(self, title: str = "Orders are failing", severity: str = "sev1") -> str:
        """Declare, and return the name of the channel."""
        await self.say("oncall", f"/incident declare {severity} {title}")
        names = [channel["name"] for channel in self.slack.channels("oncall")]
        return str(max((name for name in names if name.startswith("inc-")), key=_number))

    def text(self, channel: str, who: str = "oncall") -> str:
        """Everything that somebody reads in a channel."""
        return self.slack.text(channel, who)

    def calls(self, method: str) -> list[Call]:
        """The Web API calls of one method."""
        return [call for call in self.slack.calls if call.method == method]


def _number(channel: str) -> int:
    return int(channel.split("-")[1])


@contextlib.asynccontextmanager
async def start_bot(given: Settings, clock: Callable[[], datetime]) -> AsyncIterator[Bot]:
    """A replica that listens over HTTP; its clock stands still."""
    async with root.open_world(given, clock) as world, root.listening(world, given) as server:
        serving = asyncio.create_task(server.serve())
        try:
            await server.ready.wait()
            yield Bot(world, f"http://{given.host}:{given.port}")
        finally:
            server.stop()
            await serving


@pytest.fixture
async def bot(given: Settings, slack: Slack, clock: Clock) -> AsyncIterator[Bot]:
    """The bot, called by the workspace."""
    async with start_bot(given, clock) as replica:
        slack.request_url = f"{replica.url}/slack/events"
        yield replica


@pytest.fixture
def walk(slack: Slack, bot: Bot) -> Walk:
    return Walk(slack, bot)
