"""Trouble at each door between an approval and its outcome, for every change that there is.

The points are counted, not listed: an undisturbed run tells how many statements, requests and
calls there are. `make test` tries a few of them; `make kills` all (RUNBOLT_KILLS=1), or each n-th.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict

from bot.actions.base import Change
from bot.model import ChannelId
from bot.settings import Settings
from bot.systems.kubernetes.resources import FENCE_ANNOTATION
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.postgres import Server
from sandbox.shop import Shop
from sandbox.slack import Slack
from tests.cluster_fixtures import is_fence
from tests.conftest import ORDERS, Bot, Clock, Walk, start_bot
from tests.doors import Doors, Killed, doors_in_place, nothing, replica
from tests.sessions import Session, Sessions, sessions
from tests.test_planning_changes_nothing import CHANGES, KEY, PARAMS, on_the_cluster, team

__all__ = ["doors_in_place", "sessions", "team"]

Work = Callable[[], Awaitable[None]]

EVERY = int(os.environ.get("RUNBOLT_KILLS", "0"))
OUTAGE_SECONDS = 0.3
DONE, NOT_DONE = "Done and checked", "Not done"
UNKNOWN, SENT_TO_SLACK = "Unknown", ("customer-message", "withdraw-customer-message")
# What people read once it is over, and whether the change is there then.
OUTCOMES = {DONE: True, "Done, but the check failed": True, NOT_DONE: False}

pytestmark = pytest.mark.usefixtures("doors_in_place")


@pytest.fixture
def playbooks(tmp_path: Path, slack: Slack, shared_shop: Shop) -> Path:
    """A playbook with one step for each change that there is, each with a short watch."""
    places: dict[str, Any] = {
        "withdraw-customer-message": {"channel": slack.channel("status").id},
        "end-queries": {"database": shared_shop.database},
    }
    steps = [step(action, places.get(action.name, {})) for action in CHANGES]
    scenario = {
        "id": "every-change",
        "title": "Every change",
        "severity": "sev1",
        "symptoms": ["s"],
        "steps": steps,
    }
    level = {"meaning": "m", "response": "15 min", "examples": "e", "customers": True}
    book = {
        "service": "order-service",
        "title": "Orders",
        "severities": {f"sev{number}": dict(level) for number in range(1, 5)},
        "scenarios": [scenario],
    }
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "every-change.yml").write_text(yaml.safe_dump(book), encoding="utf-8")
    return folder


def step(action: type[Change], place: dict[str, Any]) -> dict[str, Any]:
    """The step of a change."""
    watch = {"watch_seconds": 0.1} if "watch_seconds" in action.model_fields else {}
    return {
        "id": action.name,
        "title": action.name,
        "phase": "immediate",
        "action": action.name,
        "params": PARAMS[action.name] | place | watch,
    }


@pytest.fixture
def shop(shared_shop: Shop) -> Shop:
    """The sessions that are ended are of the shop that the bot is given."""
    return shared_shop


@dataclass
class Scene:
    """One attempt: a cluster of its own, a replica that trouble befalls, and one that does not."""

    action: type[Change]
    given: Settings
    slack: Slack
    kube: Cluster
    clock: Clock
    postgres: Server
    doors: Doors
    session: Session | None
    channel: str = ""
    outages: list[asyncio.Task[None]] = field(default_factory=list)

    def outage(self, begin: Work, end: Work) -> Work:
        """What begins an outage that ends a little later."""

        async def later() -> None:
            await asyncio.sleep(OUTAGE_SECONDS)
            await end()

        async def both() -> None:
            await begin()
            self.outages.append(asyncio.create_task(later()))

        return both

    async def truth(self) -> tuple[object, ...]:
        """What is so, whatever is said: the cluster, what customers read, the slow query."""
        told = [message["text"] for message in self.slack.messages("status", "lead")]
        alive = self.session is None or await self.session.alive()
        objects = on_the_cluster(self.kube)
        for found in objects.values():
            notes = found["annotations"] or {}
            found["annotations"] = {name: notes[name] for name in notes if name != FENCE_ANNOTATION}
        return objects, told, alive

    def writes(self) -> int:
        """How many times the bot changed something in the cluster, or in the customers' channel."""
        said = [
            call
            for method in ("chat.postMessage", "chat.delete")
            for call in self.slack.called(method)
            if call.ok and call.arguments.get("channel") == self.slack.channel("status").id
        ]
        sent = [
            write for write in self.kube.writes if write.user == "runbolt" and not is_fence(write)
        ]
        return len(sent) + len(said)


Trouble = Callable[[Scene], None]


def kill(scene: Scene) -> None:
    """The process dies."""
    scene.doors.before = scene.doors.kill


def stop(scene: Scene) -> None:
    """SIGSTOP, and SIGCONT after 40 s, during which another replica looks after things."""
    scene.doors.before = scene.doors.suspend


def lose_the_answer(scene: Scene) -> None:
    """What was sent arrives, and its answer does not."""
    scene.doors.after = nothing


def stop_the_cluster(scene: Scene) -> None:
    """The API server is down for a moment."""
    scene.doors.before = scene.outage(scene.kube.stop_listening, scene.kube.start_listening)


def stop_slack(scene: Scene) -> None:
    """Slack answers with an error for a moment."""

    async def fail() -> None:
        scene.slack.fail("*", status=503, times=None)

    async def heal() -> None:
        scene.slack.heal()

    scene.doors.before = scene.outage(fail, heal)


def stop_the_database(scene: Scene) -> None:
    """PostgreSQL ends every session and takes no new ones for a moment."""
    name = str(conninfo_to_dict(scene.given.database_url)["dbname"])

    async def allow(allowed: bool) -> None:
        query = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        async with await AsyncConnection.connect(scene.postgres.dsn(), autocommit=True) as conn:
            await conn.execute(query.format(sql.Identifier(name), sql.SQL(str(allowed))))
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )

    scene.doors.before = scene.outage(lambda: allow(False), lambda: allow(True))


TROUBLES = (kill, stop, lose_the_answer, stop_the_cluster, stop_slack, stop_the_database)


@asynccontextmanager
async def scene_of(
    action: type[Change],
    given: Settings,
    slack: Slack,
    sessions: Sessions,
    state: str,
    folder: Path,
    doors: Doors,
) -> AsyncIterator[Scene]:
    """Everything fresh but Slack and the servers of the databases."""
    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(Cluster(speed=400))
        await kube.seed_order_service()
        kubeconfig = kube.write_kubeconfig(folder / "kubeconfig")
        async with await AsyncConnection.connect(state) as conn:
            await conn.execute("SET LOCAL session_replication_role = replica")
            await conn.execute("TRUNCATE incidents CASCADE")
        session = await sessions.open() if action.name == "end-queries" else None
        yield Scene(
            action=action,
            given=given.model_copy(update={"kubeconfig": kubeconfig}),
            slack=slack,
            kube=kube,
            clock=Clock(),
            postgres=sessions.shop.server,
            doors=doors,
            session=session,
        )
        if session is not None:
            session.running.cancel()


async def request(scene: Scene, bot: Bot) -> None:
    """People declare an incident and ask for the change."""
    walk = Walk(scene.slack, bot)
    if scene.action.name == "withdraw-customer-message":
        status = ChannelId(str(scene.slack.channel("status").id))
        await bot.world.services.systems(ORDERS).customers.post(status, "We are on it.", KEY)
    scene.channel = await walk.declare()
    await walk.press_step("oncall", scene.action.name, scene.channel)
    await walk.submit("oncall", reason="It is broken")


async def settle(scene: Scene, bot: Bot) -> None:
    """Time passes, the clock ticks, and people press what they are offered."""
    walk = Walk(scene.slack, bot)
    for _ in range(5):
        scene.clock.forward(seconds=25)
        await bot.tick()
        buttons = walk.execution(scene.channel).buttons
        if "Check what happened" in buttons:
            await walk.press("second", action_ids.CHECK_INTERRUPTED, scene.channel)
        elif "Approve" in buttons:
            await walk.press("second", action_ids.APPROVE, scene.channel)


async def attempt(scene: Scene, trouble: Trouble | None) -> tuple[str, int]:
    """Approve, have trouble, settle: what people read at the end, and how much was written."""
    async with AsyncExitStack() as stack:
        victim = await stack.enter_async_context(start_victim(scene))
        scene.slack.request_url = f"{victim.url}/slack/events"
        await request(scene, victim)
        before, written = await scene.truth(), scene.writes()
        if trouble is not None:
            trouble(scene)
        await approve(scene, victim, stack)
        other = await stack.enter_async_context(start_bot(scene.given, scene.clock))
        scene.slack.request_url = f"{other.url}/slack/events"
        await settle(scene, other)
        state = Walk(scene.slack, other).execution(scene.channel).state
        check(scene.action, state, landed=await scene.truth() != before)
        return state, scene.writes() - written


@asynccontextmanager
async def start_victim(scene: Scene) -> AsyncIterator[Bot]:
    """The replica that trouble befalls; a dead one cannot close what it had open."""
    bot = start_bot(scene.given, scene.clock)
    with replica(scene.doors):
        opened = await bot.__aenter__()
    try:
        yield opened
    finally:
        # Trouble may begin later than it did without any; who stands still by now would never end.
        scene.doors.armed = False
        scene.doors.resume()
        with suppress(Killed):
            await bot.__aexit__(None, None, None)


async def approve(scene: Scene, victim: Bot, stack: AsyncExitStack) -> None:
    """Somebody approves; returns when the replica that had trouble has nothing more to do."""
    scene.doors.armed = True
    await scene.slack.press("second", action_id=action_ids.APPROVE, channel=scene.channel)
    drained = asyncio.create_task(victim.drain())
    struck = asyncio.create_task(scene.doors.struck.wait())
    await asyncio.wait((drained, struck), return_when=asyncio.FIRST_COMPLETED)
    struck.cancel()
    if not scene.doors.open.is_set():  # the process stands still
        other = await stack.enter_async_context(start_bot(scene.given, scene.clock))
        scene.clock.forward(seconds=40)
        await other.tick()
        scene.doors.resume()
    await drained
    scene.doors.armed = False
    await asyncio.gather(*scene.outages)


def check(action: type[Change], state: str, *, landed: bool) -> None:
    """No sentence that the systems contradict, and none that leaves people without one.

    What was sent to Slack may arrive at any time, so of that nobody can say that it was not done.
    """
    if action.name in SENT_TO_SLACK and state == UNKNOWN:
        return
    assert (state, landed) == (state, OUTCOMES.get(state))


@pytest.mark.long
@pytest.mark.timeout(0 if EVERY else 240)
@pytest.mark.parametrize("trouble", TROUBLES if EVERY else TROUBLES[:1])
@pytest.mark.parametrize("action", CHANGES, ids=lambda action: action.name)
async def test_told_right_after_any_trouble(
    action: type[Change],
    trouble: Trouble,
    given: Settings,
    slack: Slack,
    sessions: Sessions,
    state: str,
    tmp_path: Path,
) -> None:
    async def run(given_trouble: Trouble | None, point: int | None) -> tuple[Doors, str, int]:
        doors = Doors(point)
        async with scene_of(action, given, slack, sessions, state, tmp_path, doors) as scene:
            return doors, *await attempt(scene, given_trouble)

    undisturbed, outcome, written = await run(None, None)
    assert outcome == DONE
    points = range(len(undisturbed.passed))
    chance = random.Random(action.name)
    wrong = []
    for point in points[::EVERY] if EVERY else [chance.choice(points)]:
        try:
            _, _, writes = await run(trouble, point)
            assert writes <= written, "written twice"
        except AssertionError as error:
            where = f"{trouble.__name__} at {point} ({undisturbed.passed[point]})"
            wrong.append(f"{where}: {error}")
            print(action.name, wrong[-1], flush=True)
    print(f"{action.name}, {trouble.__name__}: {len(points)} points", flush=True)
    assert not wrong, "\n".join(wrong)
