"""People, the outside world at the wire, and the bot among them."""

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection, sql

from bot import __main__ as root
from bot import scheduler
from bot.clock import utc_now
from bot.model import Place
from bot.settings import Settings
from bot.slack.starting import START_SECONDS
from bot.store import db
from bot.views import action_ids
from bot.world import World
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from sandbox.postgres import Server
from sandbox.shop import Shop
from sandbox.slack import Call, Delivery, Refusal, Slack
from tests import readers
from tests.databases import (
    database,
    new_name,
    postgres,
    redis,
    redis_client,
    redis_url,
    run_sync,
    shop,
    shop_template,
)
from tests.readers import Execution, Form, Item, Post

__all__ = [
    "database",
    "postgres",
    "redis",
    "redis_client",
    "redis_url",
    "shop",
    "shop_template",
]

ROOT = Path(__file__).parent.parent
ORDERS = Place(service="order-service")
SHIPPED = ROOT / "templates" / "playbooks" / "order-service.yml"
CLUSTER_SPEED = 40.0
PATIENCE = 10.0
LONG = {"browser", "long"}
# Objects, then younger looks before an older one.
GARBAGE_THRESHOLDS = (20_000, 10, 10)
TITLES = {"sev1": "Orders are failing", "sev3": "Orders are slow"}

# Nobody here shows a certificate; reading the machine's takes each client of a cluster 20 ms.
os.environ["SSL_CERT_FILE"] = os.devnull


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each worker begins with its share of what is long: who ends with it has the others wait.

    Workers are first given as many tests each, one after another; those that share something
    costly go to one of them.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [list(unit) for _, unit in groupby(filter(_is_long, items), key=_unit)]
    others = [item for item in items if not _is_long(item)]
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        share = list(chain.from_iterable(long[worker::workers]))
        count = max(0, (len(items) - len(ordered)) // (workers - worker) - len(share))
        ordered += share + others[:count]
        del others[:count]
    items[:] = ordered


def pytest_collection() -> None:
    """What is imported and collected stays, so nobody needs to look for garbage among it."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage less often: a worker has memory enough, and each look takes time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    gc.enable()


def _unit(item: pytest.Item) -> object:
    """What stays with one worker: the tests of one file, or a single test."""
    return item.path if item.get_closest_marker("together") else item.nodeid


def _is_long(item: pytest.Item) -> bool:
    return bool(LONG & {mark.name for mark in item.iter_markers()})


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

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        await self.world.background.drain(50)

    async def tick(self) -> None:
        """Run every sweep once, and wait for what it started."""
        await scheduler.run_sweeps(self.world)
        await self.drain()


Obj = dict[str, Any]


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
def kept_state(postgres: Server) -> Iterator[str]:
    """A database with the bot's own schema."""
    name = new_name("state")
    url = run_sync(postgres.create_database(name))
    run_sync(db.migrate(url))
    yield url
    run_sync(postgres.drop_database(name))


@pytest.fixture(scope="session")
def shared_shop(shop_template: Shop) -> Iterator[Shop]:
    """A shop that tests only look at, so one serves all of them."""
    shop = run_sync(shop_template.clone(new_name()))
    yield shop
    run_sync(shop.server.drop_database(shop.database))


@pytest.fixture(scope="session")
def emptying(kept_state: str) -> sql.Composed:
    """What empties the bot's database of what a test left."""
    return run_sync(_emptying(kept_state))


@pytest.fixture
async def state(kept_state: str, emptying: sql.Composed) -> str:
    """The bot's own database, emptied of what the test before left.

    That costs a sixth of a new one. Rows are few, so deleting them is quicker than TRUNCATE.
    """
    async with await AsyncConnection.connect(kept_state) as conn:
        await conn.execute(emptying)
    return kept_state


async def _emptying(url: str) -> sql.Composed:
    """What ends all other sessions, deletes all rows but those of `migrations`, and has ids begin
    at 1 again.
    """
    async with await AsyncConnection.connect(url) as conn:
        cursor = await conn.execute(
            "SELECT relkind, relname FROM pg_class WHERE relkind IN ('r', 'S')"
            " AND relnamespace = 'public'::regnamespace AND relname <> 'migrations'"
        )
        relations = await cursor.fetchall()
    statements: list[sql.Composable] = [
        # The function of the view pg_stat_activity, which takes longer to plan.
        sql.SQL(
            "SELECT pg_terminate_backend(pid)"
            " FROM pg_stat_get_activity(NULL) JOIN pg_database ON oid = datid"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ),
        # No trigger and no foreign key stands in the way, nor need one be looked at.
        sql.SQL("SET LOCAL session_replication_role = replica"),
    ]
    for kind, name in relations:
        if kind == "r":
            statements.append(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
        else:
            statements.append(sql.SQL("SELECT setval({}, 1, false)").format(sql.Literal(name)))
    return sql.SQL(";").join(statements)


@pytest.fixture
def playbooks(tmp_path: Path, shared_shop: Shop) -> Path:
    """The shipped playbook, with checks that watch for a moment instead of half a minute."""
    folder = tmp_path / "playbooks"
    folder.mkdir()
    words = SHIPPED.read_text(encoding="utf-8")
    quick = words.replace(
        "          deployment: order-service\n",
        "          deployment: order-service\n          watch_seconds: 0.4\n",
    )
    quick = quick.replace(
        "        action: delete-pods\n        params:\n",
        "        action: delete-pods\n        params:\n          watch_seconds: 0.4\n",
    )
    quick = quick.replace("database: orders", f"database: {shared_shop.database}")
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
        "runbooks: https://runbooks.example/order-service/\n"
        "masking: {show_variables: ['*_PAUSED']}\n"
    )
    return file


@pytest.fixture
def given(
    tmp_path: Path,
    slack: Slack,
    kube: Cluster,
    state: str,
    redis_url: str,
    shared_shop: Shop,
    team: Path,
) -> Settings:
    """The environment of one replica."""
    return Settings(
        slack_bot_token=slack.bot_token,
        slack_app_token=None,
        slack_signing_secret=slack.signing_secret,
        slack_api_url=slack.api_url,
        host="127.0.0.1",
        port=0,
        database_url=state,
        redis_url=redis_url,
        orders_database_url=shared_shop.ro_dsn,
        orders_database_admin_url=shared_shop.ops_dsn,
        kubeconfig=kube.write_kubeconfig(tmp_path / "kubeconfig"),
        kubernetes_namespace=DEFAULT_NAMESPACE,
        playbook_proxy=None,
        stripe_api_key=None,
        stripe_api_url="http://127.0.0.1:9",
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
        await self.bot.drain()
        await self.slack.settled()
        return delivery

    async def press(
        self,
        who: str,
        action_id: str,
        channel: str,
        value: str | None = None,
        ts: str | None = None,
    ) -> Delivery:
        """Press a button, or choose from a menu; `value` tells which of them."""
        buttons = self.slack.find_buttons(action_id, channel, who)
        matching = [button for button in buttons if button.value == value]
        if matching:
            delivery = await self.slack.press(who, matching[-1])
        else:
            delivery = await self.slack.press(
                who, action_id=action_id, channel=channel, ts=ts, value=value
            )
        await self.bot.drain()
        await self.slack.settled()
        return delivery

    async def take_over(self, who: str, channel: str) -> Delivery:
        """Take command from somebody: press the button, and say yes."""
        await self.press(who, action_ids.TAKE_OVER, channel)
        return await self.submit(who)

    async def press_step(self, who: str, step: str, channel: str) -> Delivery:
        """Press a step's button."""
        return await self.press(who, action_ids.RUN_STEP, channel, step)

    async def submit(self, who: str, **values: object) -> Delivery:
        """Fill in the form on top, and send it."""
        view = self.slack.views(who)[-1]
        filled = {name: {name: value} for name, value in values.items()}
        delivery = await self.slack.submit(who, view["id"], filled)
        await self.bot.drain()
        await self.slack.settled()
        return delivery

    async def ask_for_rollback(self, channel: str, who: str = "oncall") -> Delivery:
        """Ask for the rollback of the order service."""
        await self.press_step(who, "roll-back", channel)
        return await self.submit(who, reason="The new version crash-loops")

    async def declare(self, title: str = "", severity: str = "sev1") -> str:
        """Declare, in words that fit the playbook, and return the name of the channel."""
        title = title or TITLES.get(severity, TITLES["sev1"])
        await self.say("oncall", f"/incident declare {severity} {title}")
        names = [channel["name"] for channel in self.slack.channels("oncall")]
        return str(max((name for name in names if name.startswith("inc-")), key=_number))

    def text(self, channel: str, who: str = "oncall") -> str:
        """Everything that somebody reads in a channel."""
        shown = self.slack.messages(channel, who)
        return "\n".join(message_text(message) for message in shown if not _by_slack(message))

    def buttons(self, channel: str) -> list[str]:
        """What is written on everything that can be pressed in a channel."""
        elements = [
            element
            for message in self.slack.messages(channel, "oncall")
            for block in message.get("blocks", [])
            for element in (*block.get("elements", []), block.get("accessory", {}))
        ]
        return [element["text"]["text"] for element in elements if element.get("type") == "button"]

    def names(self) -> dict[str, str]:
        """The names of people, groups and channels by their ids."""
        workspace = self.slack.workspace
        users = {user.id: user.handle for user in workspace.users.values()}
        groups = {group.id: group.handle for group in workspace.groups.values()}
        return users | groups | {key: shown.name for key, shown in workspace.channels.items()}

    def read(self, mrkdwn: str) -> str:
        """A text as a person reads it."""
        return readers.reader(self.names())(mrkdwn)

    def posts(self, channel: str, who: str = "oncall") -> list[Post]:
        """The messages of a channel that everybody sees, each with its thread."""
        shown = [part for part in self.slack.messages(channel, who) if not part["ephemeral"]]
        return readers.posts(shown, self.names())

    def replies(self, channel: str) -> list[Post]:
        """The messages in the threads of a channel."""
        return [reply for post in self.posts(channel) for reply in post.thread]

    def private_post(self, who: str, channel: str = "general") -> Post:
        """The last message that somebody alone sees in a channel, with its blocks."""
        return readers.posts(self.slack.ephemerals(channel, who), self.names())[-1]

    def card(self, channel: str) -> dict[str, str]:
        """The card's fields by their labels, and “Colour”, “Severity”, “Name”, “Title”."""
        return readers.card(self.slack.messages(channel, "oncall"), self.read)

    def step(self, channel: str, step: str) -> Item:
        """A step of the playbook, by its id; by its title once the incident is resolved."""
        return readers.steps(self.slack.messages(channel, "oncall"), self.read)[step]

    def tasks(self, channel: str) -> list[Item]:
        """The tasks of all lists in the channel."""
        return readers.tasks(self.slack.messages(channel, "oncall"), self.read)

    def executions(self, channel: str) -> list[Execution]:
        """The changes that were asked for, the oldest first."""
        return readers.executions(self.slack.messages(channel, "oncall"), self.names())

    def execution(self, channel: str, title: str | None = None) -> Execution:
        """The newest change that was asked for, or the newest of this title."""
        found = self.executions(channel)
        return [execution for execution in found if title in (None, execution.title)][-1]

    def answers(self, who: str, channel: str) -> list[str]:
        """What somebody alone was told in a channel."""
        return [self.read(message["text"]) for message in self.slack.ephemerals(channel, who)]

    def answer(self, who: str) -> str:
        """The last thing that somebody alone was told, wherever; empty if nothing."""
        told = [
            message
            for channel in self.slack.channels(who)
            for message in self.slack.ephemerals(channel["name"], who)
        ]
        newest = max(told, key=lambda message: str(message["ts"]), default={"text": ""})
        return self.read(newest["text"])

    async def timeline(self, channel: str, who: str = "lead") -> list[str]:
        """The timeline's entries without their times, as somebody asks for them."""
        self.slack.join(who, channel)
        await self.say(who, "/incident timeline", channel)
        return readers.timeline(self.slack.ephemerals(channel, who)[-1], self.read)

    def form(self, who: str = "oncall") -> Form:
        """The form on top."""
        return readers.form(self.slack.views(who)[-1], self.read)

    async def submit_refused(self, who: str, **values: object) -> dict[str, str]:
        """Send the form on top, which is refused: what it says, by the names of its fields."""
        with pytest.raises(Refusal) as refused:
            await self.submit(who, **values)
        return refused.value.errors

    def calls(self, method: str) -> list[Call]:
        """The Web API calls of one method."""
        return self.slack.called(method)


def _by_slack(message: Obj) -> bool:
    """Whether Slack itself wrote it: who joined, what the topic is."""
    return str(message.get("subtype", "")).startswith("channel_")


def message_text(message: Obj) -> str:
    """What a person sees of a message and its thread: the blocks, or the text where none are."""
    own = block_texts(message["blocks"]) if message.get("blocks") else [message["text"]]
    files = [file["name"] for file in message.get("files", [])]
    return "\n".join([*own, *files, *map(message_text, message.get("replies", []))])


def block_texts(content: Any) -> list[str]:
    """Every text inside of blocks, in reading order."""
    if isinstance(content, str):
        return []
    if isinstance(content, list):
        return [word for part in content for word in block_texts(part)]
    own = [content["text"]] if isinstance(content.get("text"), str) else []
    inside = [part for part in content.values() if isinstance(part, dict | list)]
    return [*own, *(word for part in inside for word in block_texts(part))]


def _number(channel: str) -> int:
    return int(channel.split("-")[1])


@contextlib.asynccontextmanager
async def start_bot(
    given: Settings,
    clock: Clock | None,
    slack_seconds: float = PATIENCE,
    wall_clock: Callable[[], datetime] = utc_now,
    start_seconds: float = START_SECONDS,
) -> AsyncIterator[Bot]:
    """A replica that listens over HTTP; its clock stands still, or (None) is the database's."""
    async with (
        root.open_world(given, clock, slack_seconds, wall_clock, start_seconds) as world,
        root.listening(world, given) as server,
    ):
        door = root.open_listening_socket(given)  # closed by the server
        serving = asyncio.create_task(server.serve([door]))
        try:
            await server.ready.wait()
            yield Bot(world, f"http://{given.host}:{door.getsockname()[1]}")
        finally:
            server.stop()
            await serving


@pytest.fixture
def slack_seconds() -> float:
    """How long the bot waits for Slack; a test of silence has it wait for a shorter time."""
    return PATIENCE


@pytest.fixture
async def bot(
    given: Settings, slack: Slack, clock: Clock, slack_seconds: float
) -> AsyncIterator[Bot]:
    """The bot, called by the workspace."""
    async with start_bot(given, clock, slack_seconds) as replica:
        slack.request_url = f"{replica.url}/slack/events"
        slack.options_url = f"{replica.url}/slack/events"
        yield replica


@pytest.fixture
def walk(slack: Slack, bot: Bot) -> Walk:
    return Walk(slack, bot)
