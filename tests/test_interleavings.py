"""What people, two replicas and the cluster do at once, in every order that Hypothesis thinks of.

An interleaving is one race: two or three operations begin together, and each stops at every door
(a statement, a request, a call) until it is its turn. Hypothesis draws the operations and the
turns. A race counts if more than one of them had a turn, and if nobody took the same turns before.

The database, the simulated cluster and Slack are real servers; presses enter at the listeners.
Drawing is left out: another replica has the lease of the only incident, and is slow.

`make test` runs a thousand, always the same. `make interleavings` runs 50,000, and prints how many;
RUNBOLT_SEED has it begin elsewhere, and RUNBOLT_INTERLEAVINGS says how many.
"""

import asyncio
import json
import logging
import os
import random
import re
import sys
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from psycopg import AsyncConnection

from bot import __main__ as root
from bot import scheduler, store
from bot.clock import utc_now
from bot.config import Config, Policy
from bot.flows import declarations
from bot.model import Execution, ExecutionId, ExecutionState, IncidentId, Risk, Severity, UserId
from bot.settings import Settings
from bot.store import db
from bot.systems.kubernetes.resources import EXECUTION_ANNOTATION
from bot.views import action_ids
from bot.world import World
from commands import listen, routes, steps
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from sandbox.cluster.managed_fields import Writer
from sandbox.cluster.requests import Request
from sandbox.cluster.resources import DEPLOYMENTS
from sandbox.cluster.store import editable_copy
from sandbox.postgres import Server
from sandbox.slack import Slack
from tests import doors
from tests.cluster_fixtures import is_fence
from tests.conftest import ROOT, Clock
from tests.databases import new_name, run_sync

TARGET = int(os.environ.get("RUNBOLT_INTERLEAVINGS", "1000"))
FIRST_SEED = int(os.environ.get("RUNBOLT_SEED", "0"))
TOLD_EVERY = 1000  # interleavings of one process
PARTS, SEEDS_APART = 2, 100_000  # two processes share the work
EXAMPLES, STEPS = 9, 8  # from ten on, Hypothesis repeats most of an example in the next one
STEP_SECONDS = 0.02  # after that, who was let through waits for a lock that somebody else has
SKEW = timedelta(hours=1)  # the clock of the second machine is ahead
BUTTONS = {"approve": steps.approve, "approve twice": steps.approve, "check": steps.check}
FORMS = {
    "ask": (routes.FORMS[action_ids.STEP_FORM], {"reason": "It is broken"}),
    "deny": (routes.FORMS[action_ids.DENY_FORM], {"reason": "Not now"}),
    "resolve": (routes.FORMS[action_ids.RESOLVE_FORM], {"resolution": "It is over"}),
}
ACTIVE = (ExecutionState.PROPOSED, ExecutionState.APPROVED, ExecutionState.RUNNING)
UNKNOWN = (ExecutionState.RUNNING, ExecutionState.INTERRUPTED)
PEOPLE = ("oncall", "second", "lead", "outsider")
APPROVERS = ("second", "lead")
VARIABLE, CONTROLLER = "ORDERS_PAUSED", "argocd-controller"
INCIDENT = IncidentId(1)


@dataclass
class Turns(doors.Doors):
    """Doors at which everybody waits for a turn; the answer at door number `lost` is lost."""

    lost: int | None = None
    free: bool = False
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.after = doors.nothing

    async def enter(self, name: str) -> bool:
        """Wait for a turn; True where the answer will be lost. Raises Killed."""
        self.check_alive()
        if not self.free:
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append(turn)
            self.arrived.set()
            await turn
            self.check_alive()
        self.passed.append(name)
        return len(self.passed) - 1 == self.lost

    async def let_one_through(self) -> None:
        """Let the first one through, and wait until it stands at the next door, or hangs."""
        self.arrived.clear()
        self.waiting.popleft().set_result(None)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.arrived.wait(), STEP_SECONDS)

    def die(self) -> None:
        """The process dies, and with it whoever waits."""
        self.dead = True
        self.release()

    def release(self) -> None:
        """Let everybody through from now on."""
        self.free = True
        while self.waiting:
            self.waiting.popleft().set_result(None)


@dataclass(frozen=True)
class Operation:
    """What one of them does; `which` counts executions from the newest, `lost` doors."""

    kind: str
    replica: int = 0
    who: str = "oncall"
    which: int = 0
    value: str = "a"
    seconds: int = 0
    lost: int | None = None


@dataclass(frozen=True)
class Drift:
    """What somebody else changed, after how many requests, and who it was."""

    number: int
    manager: str


@dataclass
class Press:
    """Somebody's press, and the doors that may have been in the way of its answer."""

    operation: Operation
    turns: Turns


def with_policy(config: Config, policy: Policy) -> Config:
    """The same configuration with another policy."""
    defaults = config.defaults.model_copy(update={"policy": policy})
    return config.model_copy(update={"defaults": defaults})


@dataclass
class Stage:
    """The servers and two replicas, opened once; each example finds them as at the start."""

    clock: Clock
    slack: Slack
    kube: Cluster
    worlds: list[World]
    conn: AsyncConnection[Any]
    channel: str
    needed: int = 1
    counted: int = 0
    orders: set[tuple[object, ...]] = field(default_factory=set)

    async def begin(self, needed: int) -> None:
        """Nothing was asked yet, and the policy asks for so many approvals."""
        self.needed = needed
        policy = Policy(approvals={Risk.DESTRUCTIVE: needed})
        self.worlds = [
            replace(world, config=with_policy(world.config, policy)) for world in self.worlds
        ]
        self.kube.requests.clear()
        self.slack.calls.clear()
        for who in PEOPLE:
            self.slack.reload(who)
        await self.conn.execute("DELETE FROM temporary_changes")
        await self.conn.execute("DELETE FROM executions")
        await self.conn.execute(
            "UPDATE incidents SET status = 'investigating', resolved_at = NULL, resolved_by = NULL,"
            " resolution = NULL"
        )
        # Somebody else draws, for ever.
        await self.conn.execute(
            "UPDATE publications SET lease = gen_random_uuid(), leased_until = 'infinity'"
        )

    def user(self, who: str) -> UserId:
        """Somebody's id."""
        return UserId(self.slack.user(who).id)

    def told(self, who: str) -> int:
        """How many answers somebody has had."""
        return len(self.slack.ephemerals(self.channel, who))

    def interaction(
        self, operation: Operation, execution: ExecutionId
    ) -> tuple[listen.Listener, dict[str, Any]]:
        """The listener of a press or of a form, and the payload that Slack sends to it."""
        world, user = self.worlds[operation.replica], self.slack.user(operation.who)
        channel = self.slack.channel(self.channel)
        url = self.slack.core.response_url(user, channel)
        body: dict[str, Any] = {
            "type": "block_actions",
            "user": {"id": user.id},
            "channel": {"id": channel.id},
            "trigger_id": self.slack.core.trigger(user),
            "response_url": url,
        }
        if operation.kind in BUTTONS:
            action = {"action_id": operation.kind, "value": str(execution)}
            body["actions"] = [action]
            return listen.interaction_listener(world, BUTTONS[operation.kind]), body
        form, values = FORMS[operation.kind]
        metadata = {
            "channel": channel.id,
            "response_url": url,
            "incident": INCIDENT,
            "step": operation.value,
            "action": "set-env",
            "execution": execution,
        }
        body["type"] = "view_submission"
        body["view"] = {
            "id": self.slack.workspace.ids.new("V"),
            "private_metadata": json.dumps(metadata),
            "state": {"values": {name: {name: {"value": text}} for name, text in values.items()}},
        }
        return listen.form_listener(world, *form), body

    async def executions(self) -> tuple[Execution, ...]:
        """All that were asked for, the oldest first."""
        return await store.executions.of_incident(self.conn, INCIDENT)

    def writes(self) -> list[tuple[int, ExecutionId, Request]]:
        """What the bot changed: when (as the number of the request), in whose name, and how."""
        return [
            (number, _execution_of(request), request)
            for number, request in enumerate(self.kube.requests)
            if request.changed and request.user == "runbolt" and not is_fence(request)
        ]

    def drift(self) -> list[Drift]:
        """Somebody rolls something else out."""
        self.kube.change_template()
        return [Drift(len(self.kube.requests), "kubectl-edit")]

    def put_back(self) -> list[Drift]:
        """A controller removes what it does not find in its repository, if there is any."""
        if self.value() is None:
            return []
        changed = editable_copy(self.kube.deployment())
        container = changed["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [entry for entry in container["env"] if entry["name"] != VARIABLE]
        changed["metadata"]["generation"] += 1
        self.kube.state.store.update(DEPLOYMENTS, changed, Writer(CONTROLLER))
        return [Drift(len(self.kube.requests), CONTROLLER)]

    def value(self) -> str | None:
        """The value of the variable, as the cluster has it now."""
        [container] = self.kube.deployment()["spec"]["template"]["spec"]["containers"]
        return {entry["name"]: str(entry["value"]) for entry in container["env"]}.get(VARIABLE)


def _execution_of(request: Request) -> ExecutionId:
    """Whose write it is, by the annotation in the same patch."""
    values = [part["value"] for part in request.body if isinstance(part.get("value"), dict)]
    [number] = [value[EXECUTION_ANNOTATION] for value in values if EXECUTION_ANNOTATION in value]
    return ExecutionId(int(number))


def _written_value(request: Request) -> str:
    """The value that a patch gives the variable."""
    return str(re.findall(rf'"name": "{VARIABLE}", "value": "(\w+)"', json.dumps(request.body))[-1])


PRESSES = ("ask", "approve", "approve twice", "deny", "check", "resolve")
OTHERS = ("tick", "time", "drift", "put back", "kill")
KINDS = (*PRESSES, *OTHERS, "ask", "approve", "approve", "approve", "tick")
OPERATIONS = st.builds(
    Operation,
    kind=st.sampled_from(KINDS),
    replica=st.integers(0, 1),
    who=st.sampled_from(PEOPLE),
    which=st.sampled_from((0, 0, 0, 1)),
    value=st.sampled_from(("a", "b")),
    seconds=st.sampled_from((35, 45, 300, 700)),
    lost=st.one_of(st.none(), st.none(), st.none(), st.integers(0, 25)),
)


class Race(RuleBasedStateMachine):
    """Races, one after another, on one incident; after each, everything said must be true."""

    stage: ClassVar[Stage]
    loop: ClassVar[asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self.story: list[str] = []
        self.drifts: list[Drift] = []
        self.asked: dict[ExecutionId, int] = {}
        self.approved: set[tuple[ExecutionId, UserId]] = set()
        self.resolved_at: int | None = None
        self.presses: list[Press] = []

    @initialize(needed=st.sampled_from((1, 1, 2)), value=st.sampled_from(("a", "b")))
    def begin(self, needed: int, value: str) -> None:
        self.story.append(f"needs {needed} approvals; asked for {value}")
        self.run(self.stage.begin(needed))
        self.run(self.hold([Operation("ask", value=value)], 0))

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Everything happens in one event loop.

        What fails is printed at once: on a busy machine its repetition may go another way.
        """
        try:
            self.loop.run_until_complete(work)
        except Exception:
            print("\n", *self.story, traceback.format_exc(), sep="\n")
            raise

    @rule(
        operations=st.lists(OPERATIONS, min_size=2, max_size=3),
        turns=st.integers(0, 2**32 - 1),
    )
    def race(self, operations: list[Operation], turns: int) -> None:
        self.story.append(f"{operations}, turns={turns}")
        self.run(self.hold(operations, turns))

    async def hold(self, operations: Sequence[Operation], turns_of: int) -> None:
        """Hold one race, and look at everything that was said and done; `turns_of` is a seed."""
        known = await self.stage.executions()
        runners = [(operation, Turns(lost=operation.lost)) for operation in operations]
        work = []
        for operation, turns in runners:
            with doors.replica(turns):
                work.append(asyncio.create_task(self.perform(operation, turns, known, runners)))
        over = asyncio.create_task(self.wait_for_all(work))
        try:
            taken = await self.take_turns(runners, over, random.Random(turns_of))
            await over
        finally:
            for _, turns in runners:
                turns.release()
        if len(set(taken)) > 1:
            self.stage.counted += 1
            self.stage.orders.add((*operations, *taken))
        await self.check()

    async def wait_for_all(self, work: Sequence[asyncio.Task[None]]) -> None:
        """Return when nothing is under way; raises what went wrong, but for deaths."""
        for ended in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(ended, BaseException) and not isinstance(ended, doors.Killed):
                raise ended
        for world in self.stage.worlds:
            await world.background.drain(50)

    async def take_turns(
        self,
        runners: Sequence[tuple[Operation, Turns]],
        over: asyncio.Task[None],
        chance: random.Random,
    ) -> list[int]:
        """Let one after another through, until it is over; returns whose turn it was each time."""
        taken = []
        while not over.done():
            ready = [index for index, (_, turns) in enumerate(runners) if turns.waiting]
            if not ready:
                await asyncio.wait((over,), timeout=0.002)
                continue
            taken.append(chance.choice(ready))
            await runners[taken[-1]][1].let_one_through()
        return taken

    async def perform(
        self,
        operation: Operation,
        turns: Turns,
        known: Sequence[Execution],
        runners: Sequence[tuple[Operation, Turns]],
    ) -> None:
        """Do what one of them does; raises Killed where its replica dies meanwhile."""
        stage, world = self.stage, self.stage.worlds[operation.replica]
        if operation.kind in PRESSES:
            await self.press(operation, turns, known)
            return
        if operation.kind == "tick":
            with suppress(*(db.ERRORS if operation.lost is not None else ())):
                await scheduler.run_sweeps(world)
            return
        await turns.enter(operation.kind)
        if operation.kind == "time":
            stage.clock.forward(seconds=operation.seconds)
        elif operation.kind == "kill":
            for other, doors_of in runners:
                if other.replica == operation.replica and other.kind in (*PRESSES, "tick"):
                    doors_of.die()
        else:
            self.drifts += stage.drift() if operation.kind == "drift" else stage.put_back()

    async def press(self, operation: Operation, turns: Turns, known: Sequence[Execution]) -> None:
        """Press or send what people press and send; what that needs is there already."""
        if operation.kind in ("approve", "approve twice", "deny", "check") and not known:
            return
        execution = known[-1 - operation.which % len(known)].id if known else ExecutionId(0)
        if operation.kind == "approve":
            self.approved.add((execution, self.stage.user(operation.who)))
        self.presses.append(Press(operation, turns))
        listener, body = self.stage.interaction(operation, execution)
        await listener(ack=_ack, body=body)
        if operation.kind == "approve twice":
            self.approved.add((execution, self.stage.user(operation.who)))
            await listener(ack=_ack, body=body)

    async def check(self) -> None:
        """Everything that must be true of what was done and said."""
        executions, writes = await self.stage.executions(), self.stage.writes()
        now = len(self.stage.kube.requests)
        for execution in executions:
            self.check_approvals(execution)
            mine = [(number, sent) for number, owner, sent in writes if owner == execution.id]
            self.check_said(execution, len(mine))
            for number, sent in mine:
                self.check_write(execution, number, sent)
                self.check_what_became_of_it(execution, number)
            self.asked.setdefault(execution.id, now)
        assert {owner for _, owner, _ in writes} <= {execution.id for execution in executions}
        if writes:
            self.check_in_place(writes)
        await self.check_resolved(executions, writes, now)
        self.check_answers(executions)

    def check_approvals(self, execution: Execution) -> None:
        """Only approvers who pressed, each once, never the requester, and enough of them."""
        people = [approval.by for approval in execution.approvals]
        allowed = {self.stage.user(who) for who in APPROVERS} - {execution.requested_by}
        assert len(set(people)) == len(people)
        assert set(people) <= allowed
        assert {(execution.id, person) for person in people} <= self.approved
        if execution.started_at is not None:
            assert len(people) >= self.stage.needed
            assert execution.expires_at is not None
            assert execution.started_at < execution.expires_at

    def check_said(self, execution: Execution, writes: int) -> None:
        """Never twice; and what is said of it is what the cluster took."""
        assert writes <= 1
        unwritten = execution.check_passed is None
        if execution.state in (ExecutionState.SUCCEEDED, ExecutionState.FAILED):
            assert writes == (0 if unwritten else 1), execution.outcome
        elif execution.state not in (ExecutionState.RUNNING, ExecutionState.INTERRUPTED):
            assert writes == 0, execution.state

    def check_write(self, execution: Execution, number: int, sent: Request) -> None:
        """Exactly what was approved, of a cluster as it was when people saw the plan."""
        assert _written_value(sent) == execution.params["value"]
        seen_at = self.asked.get(execution.id, number)
        assert not [drift for drift in self.drifts if seen_at <= drift.number <= number]

    def check_what_became_of_it(self, execution: Execution, number: int) -> None:
        """Nobody is said to have put it back who did not."""
        since = [drift.manager for drift in self.drifts if drift.number > number]
        assert since or not execution.evidence.undone_outside, execution.outcome
        assert CONTROLLER in since or CONTROLLER not in (execution.outcome or "")

    def check_in_place(self, writes: Sequence[tuple[int, ExecutionId, Request]]) -> None:
        """What was written last is there, unless somebody else came."""
        number, _, sent = writes[-1]
        if not [drift for drift in self.drifts if drift.number > number]:
            assert self.stage.value() == _written_value(sent)

    async def check_resolved(
        self,
        executions: Sequence[Execution],
        writes: Sequence[tuple[int, ExecutionId, Request]],
        now: int,
    ) -> None:
        """In a resolved incident nothing waits, runs or changes production."""
        incident = await store.incidents.get(self.stage.conn, INCIDENT)
        assert incident is not None
        if incident.open:
            return
        if self.resolved_at is None:
            self.resolved_at = now
        assert not [execution for execution in executions if execution.state in ACTIVE]
        assert not [number for number, *_ in writes if number >= self.resolved_at]

    def check_answers(self, executions: Sequence[Execution]) -> None:
        """Whoever pressed was told, or sees what they did; unless their replica was in trouble."""
        for who in PEOPLE:
            mine = [press for press in self.presses if press.operation.who == who]
            due = [press for press in mine if press.turns.lost is None and not press.turns.dead]
            told = self.stage.told(who)
            effects = self.effects(executions, who)
            assert told + effects >= len(due), (who, told, effects, due)

    def effects(self, executions: Sequence[Execution], who: str) -> int:
        """How many of their presses can be seen in what became of the incident."""
        user = self.stage.user(who)
        asked = [execution for execution in executions if execution.requested_by == user]
        approved = [
            approval
            for execution in executions
            for approval in execution.approvals
            if approval.by == user
        ]
        denied = [execution for execution in executions if execution.decided_by == user]
        others = [
            press
            for press in self.presses
            if press.operation.who == who and press.operation.kind in ("check", "resolve")
        ]
        return len(asked) + len(approved) + len(denied) + len(others)

    def teardown(self) -> None:
        """In the end every process has died or finished: what happened is known and true."""
        self.run(self.settle())

    async def settle(self) -> None:
        """Let time pass, and have somebody look at what was interrupted."""
        for _ in range(3):
            executions = await self.stage.executions()
            unknown = [execution for execution in executions if execution.state in UNKNOWN]
            if not unknown:
                return
            # What was asked for meanwhile expires: until then the same step cannot be checked.
            self.stage.clock.forward(seconds=700)
            await scheduler.run_sweeps(self.stage.worlds[0])
            for execution in unknown:
                check = Operation("check", who="lead")
                listener, body = self.stage.interaction(check, execution.id)
                await listener(ack=_ack, body=body)
                await self.stage.worlds[0].background.drain(20)
            await self.check()
        raise AssertionError("what was interrupted was never known")


async def _ack(**_: object) -> None:
    """Slack is told that the press has arrived."""


@asynccontextmanager
async def open_stage(database_url: str, redis_url: str, folder: Path) -> AsyncIterator[Stage]:
    """The simulated Slack and cluster, two replicas, and one incident."""
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            Slack(manifest=ROOT / "app-manifest.yml", rate_limits=False)
        )
        kube = await stack.enter_async_context(Cluster(speed=400))
        await kube.seed_order_service(replicas=0)
        make_small(kube)
        clock = Clock()
        given = environment(slack, kube, database_url, redis_url, folder)
        walls = (utc_now, lambda: utc_now() + SKEW)
        worlds = [
            await stack.enter_async_context(root.open_world(given, clock, wall_clock=wall))
            for wall in walls
        ]
        declaration = declarations.Declaration(text="Orders fail", severity=Severity.SEV1)
        by = UserId(slack.user("oncall").id)
        declared = await declarations.declare(worlds[0], declaration, by=by)
        await worlds[0].background.drain(20)
        conn = await AsyncConnection.connect(database_url, autocommit=True)
        await stack.enter_async_context(conn)
        channel = str(declared.incident.channel_name)
        for who in PEOPLE:
            slack.join(who, channel)
        yield Stage(clock, slack, kube, worlds, conn, channel)


def make_small(kube: Cluster) -> None:
    """A Deployment with little in it: each plan compares all of it, line by line."""
    changed = editable_copy(kube.deployment())
    [container] = changed["spec"]["template"]["spec"]["containers"]
    kept = {"name": container["name"], "image": container["image"], "env": []}
    changed["spec"]["template"]["spec"] = {"containers": [kept]}
    changed["spec"]["revisionHistoryLimit"] = 1
    kube.state.store.update(DEPLOYMENTS, changed, Writer("kubectl-edit"))


def environment(
    slack: Slack, kube: Cluster, database_url: str, redis_url: str, folder: Path
) -> Settings:
    """The environment of both replicas."""
    playbooks = folder / "playbooks"
    playbooks.mkdir()
    (playbooks / "orders.yml").write_text(yaml.safe_dump(playbook()), encoding="utf-8")
    team = folder / "team.yaml"
    team.write_text(
        f"playbooks: {playbooks}\napprovers: {{users: [{', '.join(map(_id(slack), APPROVERS))}]}}\n"
    )
    return Settings(
        slack_bot_token=slack.bot_token,
        slack_app_token=None,
        slack_signing_secret=slack.signing_secret,
        slack_api_url=slack.api_url,
        host="127.0.0.1",
        port=0,
        database_url=database_url,
        redis_url=redis_url,
        orders_database_url=None,
        orders_database_admin_url=None,
        kubeconfig=kube.write_kubeconfig(folder / "kubeconfig"),
        kubernetes_namespace=DEFAULT_NAMESPACE,
        playbook_proxy=None,
        stripe_api_key=None,
        stripe_api_url="http://127.0.0.1:9",
        config=team,
    )


def _id(slack: Slack) -> Callable[[str], str]:
    return lambda who: str(slack.user(who).id)


def playbook() -> dict[str, Any]:
    """Two steps that set one variable to one of two values."""
    levels = {
        f"sev{number}": {"meaning": "m", "response": "15 min", "examples": "e"}
        for number in range(1, 5)
    }
    scenario = {
        "id": "orders",
        "title": "Orders",
        "severity": "sev1",
        "symptoms": ["s"],
        "steps": [
            {
                "id": value,
                "title": value,
                "phase": "immediate",
                "action": "set-env",
                "params": {
                    "deployment": "order-service",
                    "variable": VARIABLE,
                    "value": value,
                    "watch_seconds": 0.1,
                },
            }
            for value in ("a", "b")
        ],
    }
    return {
        "service": "order-service",
        "title": "Orders",
        "severities": levels,
        "scenarios": [scenario],
    }


@pytest.mark.long
@pytest.mark.timeout(0 if TARGET > 1000 else 600)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_untrue_in_any_order(
    part: int, postgres: Server, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors.put_in_place(monkeypatch)
    monkeypatch.setattr(logging.root, "disabled", True)
    url = run_sync(postgres.create_database(new_name("races")))
    with asyncio.Runner() as runner:
        opened = open_stage(url, redis_url, tmp_path)
        Race.stage, Race.loop = runner.run(opened.__aenter__()), runner.get_loop()
        try:
            first = FIRST_SEED + part * SEEDS_APART
            last = run_batches(first)
        finally:
            runner.run(opened.__aexit__(None, None, None))
    print(
        f"\n{len(Race.stage.orders)} different interleavings in {Race.stage.counted} races, "
        f"with the seeds {first} to {last}"
    )


def run_batches(first: int) -> int:
    """Run batches until enough interleavings were seen; returns the seed of the last one."""
    number, told = first, 0
    run_batch(number)
    while len(Race.stage.orders) < TARGET / PARTS:
        number += 1
        run_batch(number)
        if len(Race.stage.orders) >= told + TOLD_EVERY:
            told = len(Race.stage.orders)
            # Around pytest, which shows nothing before the end: a run that is ended counts too.
            print(
                f"{told} since the seed {first}, now at {number}", file=sys.__stderr__, flush=True
            )
    return number


def run_batch(number: int) -> None:
    """A batch of examples; one that fails is made as short as it can be, and printed."""
    try:
        run_state_machine_as_test(
            seed(number)(Race),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                database=None,
                phases=(Phase.generate,),  # to shorten one takes many times longer than to find it
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    except Exception:
        print(f"\nAgain with RUNBOLT_SEED={number}")
        raise
