"""The composition root: make the world, register the routes, start listening and the clock."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import uvicorn
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot import config, playbooks, scheduler, settings, slack, store, workspace
from bot.actions import ChangingSystems
from bot.backends import Backends
from bot.cache import Cache
from bot.cluster import Cluster
from bot.config import Config
from bot.customers import Customers
from bot.database import Database
from bot.http import Http
from bot.model import Playbook, UserError
from bot.network import Network
from bot.pagerduty import PagerDuty
from bot.people import Directory
from bot.settings import Settings
from bot.store import db
from bot.stripe import Stripe
from bot.views import text
from bot.web import Web
from bot.work import Work
from bot.world import World
from commands import routes
from commands.actions import ACTIONS

log = logging.getLogger("runbolt")

FAMILY = (socket.AF_INET, socket.AF_INET6)
DRAIN_SECONDS = 25  # Kubernetes grants 30 between TERM and KILL


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def load_playbooks(folder: Path | None) -> tuple[Playbook, ...]:
    """The team's playbooks, or those that are shipped; raises UserError for every mistake."""
    if folder is not None:
        return playbooks.load(folder, ACTIONS)
    with as_file(files("templates") / "playbooks") as shipped:
        return playbooks.load(shipped, ACTIONS)


@asynccontextmanager
async def open_world(
    given: Settings,
    now: Callable[[], datetime] = utc_now,
    slack_seconds: float = slack.TIMEOUT_SECONDS,
) -> AsyncIterator[World]:
    """Connect to everything; raises UserError before anything starts."""
    team = config.load(given.config)
    books = load_playbooks(team.playbooks)
    text.compile_all()
    async with AsyncExitStack() as stack:
        client = slack.client(given.slack_bot_token, given.slack_api_url, slack_seconds)
        assert client.session is not None
        stack.push_async_callback(client.session.close)
        identity = await workspace.identify(client)
        cache = Cache(given.redis_url)
        stack.push_async_callback(cache.close)
        await cache.greet()
        people = Directory(client, cache, identity["team_id"])
        home = await workspace.find_home(client, identity, people, team)
        pool = await db.open_pool(given.database_url)
        stack.push_async_callback(pool.close)
        yield World(
            pool=pool,
            slack=client,
            home=home,
            people=people,
            cache=cache,
            systems=await _open_systems(stack, given, now, Customers(client, home.customers)),
            playbooks=books,
            actions={action.name: action for action in ACTIONS},
            config=team,
            now=now,
            work=Work(),
            pagerduty=_pagerduty(given, team),
        )


def _pagerduty(given: Settings, team: Config) -> PagerDuty | None:
    if given.pagerduty_token is None:
        return None
    return PagerDuty(given.pagerduty_token, given.pagerduty_api_url, team.pagerduty)


async def _open_systems(
    stack: AsyncExitStack, given: Settings, now: Callable[[], datetime], customers: Customers
) -> ChangingSystems:
    cluster = await stack.enter_async_context(
        Cluster.open(given.kubeconfig, given.kubernetes_namespace)
    )
    return ChangingSystems(
        cluster=cluster,
        database=Database(given.orders_database_url),
        network=Network(),
        customers=customers,
        backends=Backends(given.orders_database_admin_url),
        now=now,
        http=Http(given.playbook_proxy),
        stripe=Stripe(given.stripe_api_key, given.stripe_api_url),
    )


def make_app(world: World, given: Settings) -> AsyncApp:
    """The Bolt app; who it is was asked once, so no acknowledgement waits for Slack."""

    async def authorize(**_: Any) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=world.home.team_id,
            bot_user_id=world.home.bot_user,
            bot_token=given.slack_bot_token,
        )

    app = AsyncApp(
        name="runbolt",  # or Bolt looks for one in the source code of whoever calls it
        # Bolt only listens; what the bot says, it says through its own client.
        client=AsyncWebClient(base_url=given.slack_api_url),
        signing_secret=given.slack_signing_secret or "unused in Socket Mode",
        authorize=authorize,
        process_before_response=True,
        raise_error_for_unhandled_request=False,
    )
    routes.register(app, world)
    return app


def open_door(given: Settings) -> socket.socket:
    """The port that is listened on, taken before anything starts; raises UserError."""
    address = given.host, given.port
    try:
        return socket.create_server(address, family=FAMILY[":" in given.host], backlog=2048)
    except OSError as error:
        raise UserError(
            f"Nothing was started, because the bot cannot listen on {given.host}, port "
            f"{given.port}: {error.strerror}. Set PORT (or HOST) to one that is free, then start "
            "it again."
        ) from error


class Server(uvicorn.Server):
    """uvicorn, stopped by us: by itself it repeats the signal and would end what is under way."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell whoever waits for it."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM ask for a stop in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        yield

    def stop(self) -> None:
        """Take no more requests, and return from `serve`."""
        self.should_exit = True


@asynccontextmanager
async def listening(world: World, given: Settings) -> AsyncIterator[Server]:
    """Slack's two ways in and the HTTP side; leaving waits for what is under way."""
    app = make_app(world, given)
    by_http = given.slack_app_token is None
    try:
        async with nullcontext() if by_http else _socket(app, given):
            yield _server(Web(app, world, events=by_http))
    finally:
        await world.work.drain(DRAIN_SECONDS)


@asynccontextmanager
async def _socket(app: AsyncApp, given: Settings) -> AsyncIterator[None]:
    """Socket Mode, imported by those who use it only."""
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

    handler = AsyncSocketModeHandler(app, given.slack_app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


def _server(web: Web) -> Server:
    return Server(
        uvicorn.Config(
            web,
            http="httptools",
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
        )
    )


@asynccontextmanager
async def ticking(world: World) -> AsyncIterator[None]:
    """The clock; open incidents are drawn again first, since this version may say it otherwise."""
    async with world.pool.connection() as conn:
        await store.messages.forget_final(conn)
        await store.pictures.want_all_open(conn)
    clock = scheduler.start(world)
    try:
        yield
    finally:
        clock.shutdown(wait=False)


async def serve(given: Settings) -> None:
    """Run until a signal says stop, then finish what is under way."""
    with open_door(given) as door:
        async with open_world(given) as world, listening(world, given) as server, ticking(world):
            log.info("Runbolt is listening on port %s", given.port)
            await server.serve([door])
            log.info("Runbolt is stopping")


def main() -> None:
    """`runbolt`: read the environment and serve; a mistake in it is said in a sentence.

    With arguments, it is a tool for people who write playbooks, which the bot has no use for.
    """
    if sys.argv[1:]:
        from bot.authoring import cli

        sys.exit(cli.run(sys.argv[1:]))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # or it writes a line each tick
    try:
        given = settings.read(os.environ)
        with asyncio.Runner() as runner:
            runner.run(serve(given))
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)  # before the server had started


if __name__ == "__main__":
    main()
