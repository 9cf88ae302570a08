"""The composition root: open the world, register the routes, start the server and scheduler."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, nullcontext
from datetime import datetime
from importlib.resources import as_file, files
from typing import Any

import uvicorn
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot import config, on_call, redaction, rules, scheduler, slack, store
from bot.actions.registry import ACTIONS
from bot.background import BackgroundTasks
from bot.backoff import Backoff
from bot.cache import Cache
from bot.clock import DatabaseClock, utc_now
from bot.config import Config, ServiceConfig, Surroundings
from bot.model import Playbook, UserError
from bot.playbooks import loader
from bot.publishers import Publishers
from bot.services import Services
from bot.settings import Settings
from bot.settings import read as read_settings
from bot.slack import workspace
from bot.slack.customer_channel import CustomerChannel
from bot.slack.directory import Directory
from bot.slack.starting import START_SECONDS, Start
from bot.store import db
from bot.systems.kubernetes import Clusters
from bot.systems.pagerduty import PagerDuty
from bot.views import text
from bot.web import NO_PAYLOAD, ApprovePage, BoundedProtocol, Refusals, SignatureCheck, Web
from bot.world import World
from commands import routes

log = logging.getLogger("runbolt")

DRAIN_SECONDS = 25  # Kubernetes grants 30 between TERM and KILL
BACKLOG = 2048
SHORTEST_SECRET = 16


def load_playbooks(team_config: Config) -> tuple[Playbook, ...]:
    """The team's playbooks, or the shipped ones; raises UserError that lists every mistake."""
    services, defaults = team_config.for_playbooks, team_config.defaults.for_playbooks
    with ExitStack() as stack:
        folder = team_config.playbooks
        if folder is None:
            folder = stack.enter_context(as_file(files("templates") / "playbooks"))
        loaded = loader.load(folder, ACTIONS, services, defaults)
    return tuple(_titled(playbook, team_config) for playbook in loaded)


def _titled(playbook: Playbook, team_config: Config) -> Playbook:
    """The playbook under the title that its team gives the service, so that it has one name."""
    title = team_config.of(playbook.service).title
    return playbook.model_copy(update={"title": title}) if title else playbook


@asynccontextmanager
async def open_world(
    settings: Settings,
    now: Callable[[], datetime] | None = None,
    slack_seconds: float = slack.client.TIMEOUT_SECONDS,
    wall_clock: Callable[[], datetime] = utc_now,
    start_seconds: float = START_SECONDS,
) -> AsyncIterator[World]:
    """Load the configuration and connect to everything; raises UserError.

    `now` replaces the database's clock. `slack_seconds` is the time limit of each call to Slack,
    `start_seconds` how long the start waits for what Slack refuses in passing.
    """
    clusters = Clusters(settings.kubeconfig)
    risks = {action.name: action.risk for action in ACTIONS}
    team_config = config.load(settings.config, _surroundings(settings, clusters), risks)
    for cluster in {name for service in team_config.all for name in service.all_clusters}:
        await clusters.check(cluster)
    for warning in rules.policy.loud_warnings(team_config):
        log.warning("%s", warning)
    loaded_playbooks = load_playbooks(team_config)
    text.compile_all()
    async with AsyncExitStack() as stack:
        client = _open_slack(stack, settings, slack_seconds)
        start = Start(client.base_url, start_seconds)
        identity = await workspace.authenticate(client, start)
        cache = await _open_cache(stack, settings)
        people = Directory(client, cache, identity.team_id)
        bot_workspace = await workspace.load_workspace(
            client, identity, people, team_config, start, risks
        )
        pool = await db.open_pool(settings.database_url)
        stack.push_async_callback(pool.close)
        clock = await stack.enter_async_context(DatabaseClock(wall_clock).kept_in_step(pool))
        stack.push_async_callback(clusters.close)
        background = BackgroundTasks()
        world = World(
            pool=pool,
            slack=client,
            workspace=bot_workspace,
            directory=people,
            cache=cache,
            services=_services(
                settings, team_config, clusters, client, bot_workspace, now or clock
            ),
            playbooks=loaded_playbooks,
            actions={action.name: action for action in ACTIONS},
            config=team_config,
            now=now or clock,
            clock=clock,
            backoff=Backoff(),
            background=background,
            publishers=Publishers(background),
            pagerduty=_pagerduty(settings),
        )
        background.start(on_call.warn_of_unknown(world), "looking up who is on call")
        yield world


def _open_slack(stack: AsyncExitStack, settings: Settings, seconds: float) -> AsyncWebClient:
    client = slack.client.open_client(settings.slack_bot_token, settings.slack_api_url, seconds)
    assert client.session is not None
    stack.push_async_callback(client.session.close)
    return client


async def _open_cache(stack: AsyncExitStack, settings: Settings) -> Cache:
    cache = Cache(settings.redis_url)
    stack.push_async_callback(cache.close)
    await cache.warm_up()
    return cache


def _pagerduty(settings: Settings) -> PagerDuty | None:
    if settings.pagerduty_token is None:
        return None
    return PagerDuty(settings.pagerduty_token, settings.pagerduty_api_url)


def _surroundings(settings: Settings, clusters: Clusters) -> Surroundings:
    return Surroundings(settings.kubernetes_namespace, clusters.contexts(), settings.variable)


def _services(
    settings: Settings,
    team_config: Config,
    clusters: Clusters,
    client: AsyncWebClient,
    bot_workspace: workspace.Workspace,
    now: Callable[[], datetime],
) -> Services:
    def customers(service: ServiceConfig) -> CustomerChannel:
        return CustomerChannel(client, bot_workspace.channel(service.channels.customers))

    return Services(team_config, settings, clusters, customers, now)


def make_app(world: World, settings: Settings, refusals: Refusals) -> AsyncApp:
    """The Bolt app; it knows its own identity, so no acknowledgement waits for Slack."""

    async def authorize(**_: Any) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=world.workspace.team_id,
            bot_user_id=world.workspace.bot_user_id,
            bot_token=settings.slack_bot_token,
        )

    app = AsyncApp(
        name="runbolt",  # without it, Bolt would take the name of the calling source file
        # Bolt only receives: the bot sends with a client of its own.
        client=AsyncWebClient(base_url=settings.slack_api_url),
        request_verification_enabled=False,  # `Web` has checked the signature before
        authorize=authorize,
        process_before_response=True,
        raise_error_for_unhandled_request=True,
    )

    async def refuse_malformed(error: Exception, body: Any) -> BoltResponse:
        """Answer what a listener raises before it acknowledges: until then it only reads."""
        is_unknown = isinstance(error, BoltUnhandledRequestError)
        if is_unknown and _is_event(body):
            # The app was subscribed to more: Slack need not repeat it.
            return BoltResponse(status=200)
        if is_unknown:
            log.error("a request of Slack's is of no kind that the bot knows")
        else:
            log.error("a request of Slack's could not be read", exc_info=error)
        refusals.add(NO_PAYLOAD)
        return BoltResponse(status=400, body="malformed request")

    app.error(refuse_malformed)
    routes.register(app, world)
    return app


def _is_event(body: Any) -> bool:
    """Whether a body is an event of any type."""
    event = body.get("event") if isinstance(body, dict) else None
    has_type = isinstance(event, dict) and isinstance(event.get("type"), str)
    return has_type and body.get("type") == "event_callback"


def open_listening_socket(settings: Settings) -> socket.socket:
    """The listening socket, taken before anything else starts; raises UserError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    address = settings.host, settings.port
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise UserError(
            f"Nothing was started, because the bot cannot listen on {settings.host}, port "
            f"{settings.port}: {error.strerror}. Set PORT (or HOST) to one that is free, then "
            "start the bot again."
        ) from error


class Server(uvicorn.Server):
    """uvicorn with signal handlers of our own: its own would stop the process before its tasks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and set `ready`."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM stop the server in order."""
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signal_number, self.stop)
        yield

    def stop(self) -> None:
        """Accept no more requests, and return from `serve`."""
        self.should_exit = True


@asynccontextmanager
async def listening(world: World, settings: Settings) -> AsyncIterator[Server]:
    """Receive from Slack, by Socket Mode or HTTP; leaving waits for background tasks.

    The server that is yielded is not started yet.
    """
    refusals = Refusals()
    app = make_app(world, settings, refusals)
    signatures = None
    if settings.slack_app_token is None:
        assert settings.slack_signing_secret is not None
        signatures = SignatureCheck(settings.slack_signing_secret, world.clock)
    try:
        connected = _socket_mode(app, world, settings) if signatures is None else nullcontext()
        async with connected:
            yield _server(Web(app, world, signatures, refusals, _approve_page(world, settings)))
    finally:
        await world.background.drain(DRAIN_SECONDS)


@asynccontextmanager
async def _socket_mode(app: AsyncApp, world: World, settings: Settings) -> AsyncIterator[None]:
    # Imported only where it is used.
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

    assert settings.slack_app_token is not None
    # The SDK would ask for it again and again, whatever Slack answers.
    start = Start(world.slack.base_url)
    url = await workspace.socket_url(world.slack, settings.slack_app_token, start)
    handler = AsyncSocketModeHandler(app, settings.slack_app_token)
    handler.client.wss_uri = url
    await handler.connect_async()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


def _approve_page(world: World, settings: Settings) -> ApprovePage | None:
    sign_in = world.config.sign_in
    if sign_in is None:
        return None
    secret = settings.secret(sign_in.secret)
    if secret is None or len(secret) < SHORTEST_SECRET:
        raise UserError(
            f"Nothing was started, because {sign_in.secret}, which sign_in.secret in RUNBOLT_CONFIG"
            f" names, has fewer than {SHORTEST_SECRET} characters. Make a random one, such as with"
            " `openssl rand -hex 32`, and give it to the proxy too."
        )
    return ApprovePage(world, sign_in, secret)


def _server(web: Web) -> Server:
    return Server(
        uvicorn.Config(
            web,
            http=BoundedProtocol,
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            # Who the peer is decides whose word for a signed-in person is taken.
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
    )


@asynccontextmanager
async def running_scheduler(world: World) -> AsyncIterator[None]:
    """Run the scheduler; first publish all open incidents, as this version may show them anew."""
    async with world.pool.connection() as conn:
        await store.messages.clear_final(conn)
        await store.publications.mark_all_open_stale(conn)
    running = scheduler.start(world)
    try:
        yield
    finally:
        running.shutdown(wait=False)


async def serve(settings: Settings) -> None:
    """Run until a signal, then finish the background tasks; raises UserError."""
    with open_listening_socket(settings) as listener:
        async with (
            open_world(settings) as world,
            listening(world, settings) as server,
            running_scheduler(world),
        ):
            log.info("Runbolt is listening on port %s", settings.port)
            # What is loaded stays: a full collection, which stops everything, need not visit it.
            gc.freeze()
            # A thread that renders gives way sooner, so that an answer has to wait less often.
            sys.setswitchinterval(0.001)
            await server.serve([listener])
            log.info("Runbolt is stopping")


def main() -> None:
    """`runbolt`: read the environment and serve; exit with a sentence for a UserError.

    With arguments it runs the tools for people who write playbooks, which the bot does not need.
    """
    if sys.argv[1:]:
        from bot.authoring import cli

        sys.exit(cli.run(sys.argv[1:]))
    redaction.log_redacted()
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it logs every tick
    try:
        settings = read_settings(os.environ)
        with asyncio.Runner() as runner:
            runner.run(serve(settings))
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)  # before the server had started


if __name__ == "__main__":
    main()
