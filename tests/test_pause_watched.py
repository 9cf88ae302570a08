"""A pause is looked at all the time: who ended it is told soon, and never another than that."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from bot import flows, scheduler, store
from bot.flows import temporary_changes
from bot.model import IncidentId
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.manual_changes import DEPLOYMENT, delete_deployment, patch_env, set_env, variable
from tests.pausing import PAUSED, approve_pause, patches, paused, request_pause
from tests.test_silent_replicas import approve, sent

__all__ = ["paused"]

HAS_ENDED = ":arrow_forward: orders paused has ended: "
IN_FORCE = ":double_vertical_bar: Orders paused since 2026-11-24 10:00 UTC"
OUTSIDE = "it was ended outside Runbolt. "
NOT_WATCHED = (
    "Runbolt does not watch it any more. If it is set again outside Runbolt, it has no end: end it "
    "by hand, or request it anew."
)
VALUE = "ORDERS_PAUSED of order-service is"


async def look(bot: Bot, clock: Clock) -> None:
    """A few seconds later."""
    clock.forward(seconds=5)
    await bot.tick()


async def die_after_the_write(walk: Walk, bot: Bot, kube: Cluster) -> str:
    """A pause is approved and written, and the process ends before it notes that."""
    channel = await request_pause(walk)
    [button] = walk.slack.find_buttons(action_ids.APPROVE, channel, "second")
    await walk.slack.press("second", button)
    await kube.wait_until(lambda: patches(kube) == 1)
    await bot.world.background.drain(0)
    return channel


def told(walk: Walk, channel: str) -> list[str]:
    """How the pause ended, as the channel was told."""
    headings = [post.heading for post in walk.posts(channel)]
    return [line.removeprefix(HAS_ENDED) for line in headings if line.startswith(HAS_ENDED)]


async def restart(walk: Walk) -> None:
    """The order service is restarted from another incident."""
    other = await walk.declare("Down without memory")
    await walk.press_step("oncall", "rolling-restart", other)
    await walk.submit("oncall", reason="It grows")
    await walk.press("second", action_ids.APPROVE, other)


async def remove(kube: Cluster) -> None:
    """Whoever removes a variable leaves no name behind."""
    await patch_env(kube, {"name": "ORDERS_PAUSED", "$patch": "delete"})


async def move_to_secret(kube: Cluster) -> None:
    source = {"secretKeyRef": {"name": "shop", "key": "paused", "optional": True}}
    await patch_env(kube, {"name": "ORDERS_PAUSED", "value": None, "valueFrom": source})


async def test_a_pause_is_in_force_during_checks(walk: Walk, kube: Cluster) -> None:
    """Nobody can order from the write on, and until the undo is done; right under the impact."""

    def ends_with(words: str) -> bool:
        lines = walk.posts(channel)[0].lines
        return any(line.startswith(IN_FORCE) and line.endswith(words) for line in lines[2:3])

    channel = await request_pause(walk)
    await approve(walk, channel)
    await kube.wait_until(lambda: ends_with("; its check is running"))
    await walk.bot.drain()
    assert ends_with("(2026-11-24 10:30 UTC)")

    [button] = walk.slack.find_buttons(action_ids.UNDO, channel, "second")
    await walk.slack.press("second", button)
    await kube.wait_until(lambda: ends_with("by @oncall: its undo is running"))
    await walk.bot.drain()
    assert "In force" not in walk.card(channel)


OUTSIDE_ENDS: list[tuple[Callable[[Cluster], Awaitable[None]], str]] = [
    (
        lambda kube: set_env(kube, "kubectl-set", ORDERS_PAUSED="false"),
        f"kubectl-set ended it, outside Runbolt. {VALUE} “false”",
    ),
    (
        lambda kube: set_env(kube, "argocd-controller", ORDERS_PAUSED="false", LOG="info"),
        f"argocd-controller ended it, outside Runbolt. {VALUE} “false”",
    ),
    (
        move_to_secret,
        "Python ended it, outside Runbolt. ORDERS_PAUSED of order-service is no plain value",
    ),
    (remove, f"{OUTSIDE}{VALUE} not set"),
    (delete_deployment, f"{OUTSIDE}deployment/order-service does not exist any more"),
]


@pytest.mark.parametrize(("end", "words"), OUTSIDE_ENDS)
async def test_an_outside_end_is_told_soon(
    walk: Walk,
    bot: Bot,
    kube: Cluster,
    clock: Clock,
    end: Callable[[Cluster], Awaitable[None]],
    words: str,
    paused: str,
) -> None:
    await end(kube)
    await look(bot, clock)

    assert told(walk, paused) == [words]
    assert walk.posts(paused)[-1].lines[1:] == (NOT_WATCHED,)
    assert "In force" not in walk.card(paused)
    assert walk.execution(paused).buttons == ()
    assert walk.execution(paused).notes == ("orders paused has ended: there is nothing to undo.",)
    ended = f"the clock saw that this has ended: orders paused ({words})"
    assert (await walk.timeline(paused))[-1] == ended
    clock.forward(minutes=31)
    await bot.tick()
    assert patches(kube) == 1


def test_looks_are_often_enough() -> None:
    seconds = temporary_changes.LOOK_EVERY.total_seconds()
    assert seconds + scheduler.SWEEPS[temporary_changes.look_at_due] < 10


@pytest.mark.parametrize(
    ("looked", "words"),
    [(True, OUTSIDE), (False, "it is not known what ended it. ")],
    ids=["looked-between", "not-looked-between"],
)
async def test_another_step_is_not_blamed(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, looked: bool, words: str, paused: str
) -> None:
    await restart(walk)
    if looked:
        await look(bot, clock)
    await remove(kube)
    await look(bot, clock)

    assert told(walk, paused) == [f"{words}{VALUE} not set"]


async def test_a_scale_before_is_not_blamed(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    """It changed nothing of the pod template, and the pause was seen in force after it."""
    other = await walk.declare("Slow under load", "sev3")
    await walk.press_step("oncall", "scale-up", other)
    await walk.submit("oncall", reason="Load", replicas="4")
    await walk.press("second", action_ids.APPROVE, other)
    await look(bot, clock)
    await remove(kube)

    await look(bot, clock)

    assert told(walk, paused) == [f"{OUTSIDE}{VALUE} not set"]


async def test_a_release_meanwhile_is_not_undone(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    """Its undo would take back a release that nobody has approved to take back."""
    channel = await request_pause(walk)
    await approve(walk, channel)
    await sent(kube, dry_run=False)
    await kube.wait_until(lambda: variable(kube) == "true")
    kube.deploy("v2.4.2")
    await bot.drain()
    await look(bot, clock)

    clock.forward(minutes=31)
    await bot.tick()

    assert variable(kube) == "true"
    request = walk.execution(channel)
    assert request.requested_by == "the clock"
    assert request.state.startswith("Needs 1 more approval")


async def test_an_old_interruption_is_left_alone(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    """A version of before left it interrupted, for a press to check; a pause is in force now."""
    await set_env(kube, "kubectl-set", ORDERS_PAUSED="false")
    await look(bot, clock)
    clock.forward(minutes=2)
    second = await approve_pause(walk, 60)
    async with bot.world.pool.connection() as conn:
        await conn.execute("DELETE FROM temporary_changes WHERE execution_id = 1")
        await conn.execute(
            "UPDATE executions SET state = 'interrupted', outcome = NULL, check_passed = NULL,"
            " holds_target = false, evidence = '{}', undo_until = NULL, undo_digest = NULL,"
            " started_at = started_at - interval '10 days',"
            " heartbeat_at = heartbeat_at - interval '10 days' WHERE id = 1"
        )
        await store.publications.mark_stale(conn, IncidentId(1))
    before = patches(kube)

    await look(bot, clock)
    await look(bot, clock)
    await walk.press("second", action_ids.CHECK_INTERRUPTED, paused)
    await look(bot, clock)

    assert (patches(kube), variable(kube)) == (before, "true")
    assert "In force" in walk.card(second)
    assert "In force" not in walk.card(paused)
    old = walk.execution(paused)
    assert (old.state, old.buttons) == (
        ":warning: Done, then order-service was changed by another execution, or outside Runbolt: "
        "it runs image v2.3.1 now, and ORDERS_PAUSED of order-service is “true”.",
        (),
    )
    assert old.notes[-1] == "orders paused has ended: there is nothing to undo."


async def test_what_does_not_end_it(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    kube.autoscale(4, 6)
    await kube.wait_until(lambda: kube.deployment()["spec"]["replicas"] == 4)
    await set_env(kube, "kubectl-set", LOG="debug")
    await restart(walk)
    for status in (403, 404, 500):
        fault = kube.fail("get */deployments/order-service", status)
        await look(bot, clock)
        kube.heal(fault)
    await kube.stop_listening()
    await look(bot, clock)
    await kube.start_listening()
    await look(bot, clock)

    assert told(walk, paused) == []
    assert PAUSED in walk.text(paused)
    assert variable(kube) == "true"


async def test_looks_that_fail_are_told(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    in_force = walk.card(paused)["In force"]
    await kube.stop_listening()
    await look(bot, clock)
    assert walk.card(paused)["In force"] == in_force  # an API server may restart

    clock.forward(seconds=60)
    await look(bot, clock)

    unknown = "Whether it is still in force is not known since 2026-11-24 10:00 UTC: Kubernetes"
    [first, second] = walk.card(paused)["In force"].splitlines()
    assert first == in_force
    assert second.startswith(f":grey_question: {unknown}")
    assert walk.execution(paused).notes[-1].startswith(f":grey_question: {unknown}")

    await kube.start_listening()
    await look(bot, clock)
    assert walk.card(paused)["In force"] == in_force


async def test_a_silent_cluster_delays_nothing_else(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    other = await walk.declare()
    await walk.ask_for_rollback(other)
    clock.forward(minutes=26)
    kube.hang("get *")
    looking = asyncio.create_task(temporary_changes.look_at_due(bot.world))
    await kube.wait_until(lambda: kube.requests[-1].verb == "get")

    for sweep in scheduler.SWEEPS:
        await sweep(bot.world)  # also another look: this one is taken
    await bot.drain()

    assert walk.execution(other).state == "Expired"
    assert not looking.done()
    kube.heal()
    await looking
    await bot.tick()
    assert "orders paused* ends" in walk.text(paused)


@pytest.fixture
def two_pauses(playbooks: Path) -> None:
    """A playbook that has a second temporary change of the same Deployment."""
    file = playbooks / "order-service.yml"
    text = file.read_text(encoding="utf-8")
    pause = text[text.index("      - id: pause-orders") : text.index("      - id: review-orders")]
    refunds = (
        pause.replace("pause-orders", "pause-refunds")
        .replace("Pause new orders", "Pause refunds")
        .replace("orders paused", "refunds paused")
        .replace("ORDERS_PAUSED", "REFUNDS_PAUSED")
    )
    file.write_text(text.replace(pause, pause + refunds), encoding="utf-8")


async def test_two_pauses_of_one_target(
    two_pauses: None, walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    await walk.press_step("oncall", "pause-refunds", channel)
    await walk.submit("oncall", reason="Stolen cards", revert_after="60")
    await walk.press("second", action_ids.APPROVE, channel)
    await look(bot, clock)
    assert walk.card(channel)["In force"]

    await set_env(kube, "kubectl-set", REFUNDS_PAUSED="false")
    await look(bot, clock)

    ended = [post.heading for post in walk.posts(channel) if "has ended" in post.heading]
    assert ended == [
        ":arrow_forward: refunds paused has ended: kubectl-set ended it, outside Runbolt. "
        "REFUNDS_PAUSED of order-service is “false”"
    ]
    assert PAUSED in walk.text(channel)


async def test_death_before_the_write_withdraws(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await request_pause(walk)
    kube.slow("patch *", 0.3)
    await approve(walk, channel)
    await sent(kube, dry_run=True)
    kube.hang("get */deployments/order-service")
    # Its row is there when it reads the Deployment to write it.
    await kube.wait_until(lambda: kube.requests[-1].verb == "get")
    await bot.world.background.drain(0)
    kube.heal()
    await look(bot, clock)
    may_be = (
        ":grey_question: Orders paused may be in force since 2026-11-24 10:00 UTC by @oncall: it "
        "is not known whether this was done. The bot looks until it knows, and undoes it "
        "2026-11-24 10:30 UTC if it was."
    )
    assert walk.card(channel)["In force"] == may_be

    clock.forward(seconds=41)
    await bot.tick()

    assert "In force" not in walk.card(channel)
    change = walk.execution(channel)
    assert change.state == "Not done"
    assert change.notes == (
        "Nothing was written: orders paused never began, and there is nothing to undo.",
    )
    clock.forward(minutes=31)
    await bot.tick()
    assert patches(kube) == 0


async def changes(bot: Bot) -> list[bool]:
    """Of each temporary change, whether it is known to be written."""
    async with bot.world.pool.connection() as conn:
        found = await store.temporary_changes.of_incident(conn, IncidentId(1))
    return [change.applied for change in found]


async def test_death_after_the_write_is_seen(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await die_after_the_write(walk, bot, kube)
    assert await changes(bot) == [False]

    await look(bot, clock)

    assert PAUSED in walk.text(channel)
    assert walk.execution(channel).state == "Interrupted"
    clock.forward(minutes=1)
    await bot.tick()
    assert walk.execution(channel).state == "Done and checked"
    clock.forward(minutes=29)
    await bot.tick()
    assert variable(kube) == "false"
    assert patches(kube) == 2


async def test_what_is_found_late_ends_at_once(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    """No bot ran until its time was over: nobody reads that it ends in the past."""
    channel = await die_after_the_write(walk, bot, kube)
    clock.forward(hours=1)
    for sweep in (flows.runs.mark_interrupted, flows.runs.check_unsettled):
        await sweep(bot.world)
    await bot.drain()
    late = (
        ":rotating_light: Orders paused since 2026-11-24 10:00 UTC by @oncall, should have resumed "
        "2026-11-24 10:30 UTC and has not: the bot knows only now that this was done, and undoes "
        "it, or asks for approval of that."
    )
    assert walk.card(channel)["In force"] == late

    await bot.tick()
    await bot.tick()

    assert (variable(kube), patches(kube)) == ("false", 2)
    assert "In force" not in walk.card(channel)


@pytest.mark.parametrize(
    ("status", "said"), [(500, "Unknown"), (403, "Not done")], ids=["unknown", "refused"]
)
async def test_a_write_that_lands_late_ends(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, status: int, said: str
) -> None:
    channel = await request_pause(walk)
    kube.slow("patch *", 0.3)
    await approve(walk, channel)
    await sent(kube, dry_run=True)
    kube.heal()
    kube.fail("patch *", status)  # a proxy's own answer, while the server goes on
    await bot.drain()
    kube.heal()
    assert walk.execution(channel).state == said
    sent_patches = [each for each in kube.requests if each.verb == "patch"]
    assert any("dryRun" not in each.query for each in sent_patches)
    rehearsal = [each for each in sent_patches if each.dry_run][-1]
    note = {"op": "add", "path": "/metadata/annotations/runbolt.dev~1execution", "value": "1"}

    headers = {
        "Authorization": f"Bearer {kube.token()}",
        "Content-Type": "application/json-patch+json",
    }
    async with aiohttp.ClientSession(headers=headers) as session:
        answer = await session.patch(kube.url + DEPLOYMENT, json=[*rehearsal.body, note])
    await kube.wait_for_rollout()
    await look(bot, clock)
    assert (PAUSED in walk.text(channel)) is answer.ok

    for minutes in (1, 30, 60):
        clock.forward(minutes=minutes)
        await bot.tick()
    assert variable(kube) == "false"
    assert PAUSED not in walk.text(channel)
