"""Pausing orders: for a while only, extended by approvers, resumed early or in time."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import pytest

from bot.flows import temporary_changes
from bot.model import ExecutionId, UserError, UserId
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.cluster_fixtures import SHOP
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.manual_changes import patch_env, variable
from tests.pausing import approve_pause, declare, patches, paused, request_pause
from tests.refusals import not_an_approver
from tests.rollbacks import DONE, WAITS

__all__ = ["paused"]

IN_FORCE = (
    ":double_vertical_bar: Orders paused since 2026-11-24 10:00 UTC by @oncall, resumes "
    "2026-11-24 10:30 UTC (2026-11-24 10:30 UTC)"
)
PROMISE = (
    "The bot ends it then by itself, and an approver can end it before. Neither needs a new "
    "approval, unless its target changes first."
)
RUNS_AT_ONCE = (
    "This runs at once, as soon as you send this form: it ends orders paused, which was approved "
    "along with its end. Only if its target has changed since does it wait for approval."
)
HAS_ENDED = ":arrow_forward: orders paused has ended:"
RESUME, PAUSE = "Undo: Pause new orders", "Pause new orders"


def in_force(walk: Walk, channel: str) -> list[str]:
    """What the card and the newest announcement say of what is in force."""
    announced = [line for line in walk.posts("incidents")[0].lines if "Orders paused" in line]
    return [*filter(None, [walk.card(channel).get("In force")]), *announced]


def notices(walk: Walk, channel: str) -> list[tuple[str, ...]]:
    """The buttons of each notice that the pause ends soon."""
    posts = [post for post in walk.posts(channel) if post.heading.startswith(":hourglass: ")]
    return [post.buttons for post in posts]


def notice(walk: Walk, channel: str) -> str:
    """What the first notice says now."""
    return next(line for line in said(walk, channel) if line.startswith(":hourglass: "))


def said(walk: Walk, channel: str) -> list[str]:
    """The headings of all messages of a channel."""
    return [post.heading for post in walk.posts(channel)]


async def resume(walk: Walk, channel: str, who: str = "oncall") -> None:
    """Ask for the step that resumes orders."""
    await walk.press_step(who, "resume-orders", channel)
    await walk.submit(who, reason="The fraud has stopped")


async def test_a_pause_shows_its_plan(walk: Walk, kube: Cluster) -> None:
    channel = await request_pause(walk)

    request = walk.execution(channel)
    assert request.plan["Plan"] == (
        "Set ORDERS_PAUSED of order-service from “false” to “true” for 30 min"
    )
    assert re.fullmatch(
        r"Nobody can place a new order for 30 min: until 2026-11-24 10:3\d UTC if it starts at "
        r"once\.\nNo capacity is lost: 3 pods are replaced; none stops before its successor is "
        r"ready\.",
        request.loss,
    )
    assert request.warnings == (
        f":double_vertical_bar: orders paused for 30 min from the start. {PROMISE} An approver can "
        "extend it.",
    )
    assert in_force(walk, channel) == []
    assert variable(kube) == "false"


async def test_orders_are_resumed_in_time(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    assert variable(kube) == "true"
    assert in_force(walk, paused) == [IN_FORCE] * 2

    clock.forward(minutes=24.9)
    await bot.tick()
    assert notices(walk, paused) == []
    clock.forward(minutes=0.2)
    await bot.tick()
    await bot.tick()
    assert notices(walk, paused) == [("Extend 30 min", "Undo")]
    assert variable(kube) == "true"

    clock.forward(minutes=5)
    await bot.tick()
    assert variable(kube) == "false"
    assert in_force(walk, paused) == []
    assert notices(walk, paused) == [()]
    change, undo = walk.executions(paused)
    assert (change.state, change.notes) == (
        DONE,
        (":leftwards_arrow_with_hook: Undone by the clock",),
    )
    assert (undo.title, undo.requested_by, undo.state) == (RESUME, "the clock", DONE)
    assert undo.reason == "The time of “orders paused” is over"
    assert undo.plan["Approval"] == "given along with the change that this undoes"

    clock.forward(hours=5)
    await bot.tick()
    assert patches(kube) == 2


async def test_an_approver_extends_it(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    clock.forward(minutes=26)
    await bot.tick()

    await walk.press("lead", action_ids.EXTEND, paused)

    extended = ":double_vertical_bar: @lead extended orders paused by 30 min"
    assert said(walk, paused).count(extended) == 1
    assert notices(walk, paused) == [()]
    until = "2026-11-24 11:00 UTC"
    assert notice(walk, paused) == (
        f":hourglass: orders paused was extended: it ends {until} ({until})"
    )
    assert in_force(walk, paused) == [IN_FORCE.replace("2026-11-24 10:30 UTC", until)] * 2
    clock.forward(minutes=10)
    await bot.tick()
    assert variable(kube) == "true"
    clock.forward(minutes=20)
    await bot.tick()
    assert notices(walk, paused) == [(), ("Extend 30 min", "Undo")]
    clock.forward(minutes=5)
    await bot.tick()
    assert variable(kube) == "false"
    assert notice(walk, paused) == ":hourglass: orders paused has ended"


async def test_it_is_extended_once(
    slack: Slack, given: Settings, kube: Cluster, clock: Clock
) -> None:
    without_redis = given.model_copy(update={"redis_url": "redis://127.0.0.1:9/0"})
    async with start_bot(without_redis, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await approve_pause(walk)
        clock.forward(minutes=26)
        await bot.tick()
        [button] = slack.find_buttons(action_ids.EXTEND, channel, "lead")
        question = "It then ends at 11:00 UTC instead of 10:30 UTC."
        assert button.element["confirm"]["text"]["text"] == question

        both = await asyncio.gather(*(slack.press(who, button) for who in ("lead", "second")))
        for delivery in both:
            await slack.redeliver(delivery)
        await bot.drain()

        told = [answer for who in ("lead", "second") for answer in walk.answers(who, channel)]
        assert set(told) == {
            "“orders paused” was already extended, to 11:00 UTC. Nothing more was extended."
        }
        extended = IN_FORCE.replace("2026-11-24 10:30 UTC", "2026-11-24 11:00 UTC")
        assert in_force(walk, channel) == [extended] * 2


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        (
            "oncall",
            "You requested this yourself, so you cannot extend it. Another approver has to.",
        ),
        (
            "outsider",
            not_an_approver("extended", "second", "lead"),
        ),
    ],
)
async def test_not_everybody_may_extend(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, who: str, refusal: str, paused: str
) -> None:
    clock.forward(minutes=26)
    await bot.tick()
    walk.slack.join(who, paused)

    await walk.press(who, action_ids.EXTEND, paused)

    assert walk.answer(who) == refusal
    entry = (await walk.timeline(paused))[-1]
    assert entry.startswith(f"@{who} was refused: ")
    assert entry.endswith(f"(answer: “{refusal}”)")
    clock.forward(minutes=5)
    await bot.tick()
    assert variable(kube) == "false"


async def test_four_hours_are_the_most(walk: Walk, bot: Bot, kube: Cluster, clock: Clock) -> None:
    channel = await approve_pause(walk, minutes=240)
    clock.forward(minutes=236)
    await bot.tick()

    await walk.press("lead", action_ids.EXTEND, channel)

    assert walk.answer("lead") == (
        "“orders paused” would last longer than 4 h. Nothing was extended; request it again once "
        "it has ended."
    )
    clock.forward(minutes=5)
    await bot.tick()
    assert variable(kube) == "false"


async def test_a_late_press_extends_nothing(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    clock.forward(minutes=26)
    await bot.tick()
    clock.forward(minutes=5)

    await walk.press("lead", action_ids.EXTEND, paused)
    assert walk.answer("lead") == (
        "The time of “orders paused” is over. Nothing was extended; request it again."
    )

    await bot.tick()
    assert variable(kube) == "false"
    lead = UserId(walk.slack.user("lead").id)
    with pytest.raises(UserError, match=r"already ended\. Nothing was extended"):
        await temporary_changes.extend(
            bot.world, ExecutionId(1), by=lead, seen_end=clock.time - timedelta(minutes=1)
        )


async def test_what_is_being_undone_is_not_extended(
    walk: Walk, bot: Bot, clock: Clock, paused: str
) -> None:
    clock.forward(minutes=26)
    await bot.tick()
    walk.slack.join("outsider", paused)
    await walk.press("outsider", action_ids.UNDO, paused)
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'running' WHERE undo_of = 1")

    await walk.press("lead", action_ids.EXTEND, paused)

    assert walk.answer("lead") == "“orders paused” is being undone already. Nothing was extended."


async def test_an_approver_resumes_now(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    clock.forward(minutes=26)
    await bot.tick()

    await walk.press("lead", action_ids.UNDO, paused)

    assert variable(kube) == "false"
    assert in_force(walk, paused) == []
    assert notices(walk, paused) == [()]
    clock.forward(minutes=10)
    await bot.tick()
    assert patches(kube) == 2


async def test_an_approver_need_not_wait_for_a_request(
    walk: Walk, bot: Bot, kube: Cluster, paused: str
) -> None:
    walk.slack.join("outsider", paused)
    await walk.press("outsider", action_ids.UNDO, paused)
    assert walk.execution(paused, RESUME).state == WAITS

    await walk.press("lead", action_ids.UNDO, paused)

    assert walk.execution(paused, RESUME).state == DONE
    assert variable(kube) == "false"
    approved = "@lead approved: Set ORDERS_PAUSED of order-service from “true” to “false”"
    assert approved in await walk.timeline(paused)


@pytest.mark.parametrize("decision", [None, action_ids.DENY])
async def test_an_outsider_asks_to_resume(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, decision: str | None, paused: str
) -> None:
    clock.forward(minutes=26)
    await bot.tick()
    walk.slack.join("outsider", paused)

    await walk.press("outsider", action_ids.UNDO, paused)

    assert variable(kube) == "true"
    assert walk.execution(paused, RESUME).state == WAITS
    if decision is not None:
        await walk.press("lead", decision, paused)
        await walk.submit("lead", reason="Not yet")

    clock.forward(minutes=5)  # and neither keeps them paused any longer
    await bot.tick()
    assert variable(kube) == "false"
    assert patches(kube) == 2
    assert in_force(walk, paused) == []


@pytest.mark.parametrize("by_step", [True, False], ids=["resume-orders", "undo"])
async def test_a_step_and_undo_are_one(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, by_step: bool, paused: str
) -> None:
    until = "orders paused until 2026-11-24 10:30 UTC"
    assert walk.execution(paused).notes == (f"{until}. {PROMISE}",)
    assert walk.execution(paused).warnings == (
        ":double_vertical_bar: orders paused for 30 min from the start.",
    )
    assert not kube.accepts_orders()

    if by_step:
        await walk.press_step("oncall", "resume-orders", paused)
        assert RUNS_AT_ONCE in walk.form().text.splitlines()
        [*_, reason] = walk.slack.views("oncall")[-1]["blocks"]
        placeholder = "What do you see, and why does this help?"
        assert reason["element"]["placeholder"]["text"] == placeholder
        await walk.submit("oncall", reason="The fraud has stopped")
    else:
        await walk.press("oncall", action_ids.UNDO, paused)

    assert kube.accepts_orders()
    assert variable(kube) == "false"
    assert in_force(walk, paused) == []
    reason = "The fraud has stopped" if by_step else ""
    change, undo = walk.executions(paused)
    assert change.notes == (":leftwards_arrow_with_hook: Undone by @oncall",)
    pressed = "Resume orders" if by_step else RESUME
    assert (undo.title, undo.requested_by, undo.reason) == (pressed, "@oncall", reason)
    assert (undo.state, undo.approvals) == (DONE, ())
    assert walk.step(paused, "resume-orders").state == (
        ":white_check_mark: ORDERS_PAUSED of order-service is “false”: 3 of 3 ready, no restarts "
        f"for 0.4 s · {undo.requested_by}, 2026-11-24 10:00 UTC"
    )

    for _ in range(8):
        clock.forward(minutes=5)
        await bot.tick()
    assert patches(kube) == 2
    assert HAS_ENDED not in walk.text(paused)


@pytest.mark.parametrize("by_step", [True, False], ids=["resume-orders", "undo"])
async def test_both_need_approval_after_drift(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, by_step: bool, paused: str
) -> None:
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})
    clock.forward(minutes=26)
    await bot.tick()
    changed = "ts target has changed since, so its undo needs a new approval"
    requests = "I" + changed + ": the bot requests it then, or you before."
    assert notice(walk, paused) == (
        ":hourglass: @oncall @second orders paused ends 2026-11-24 10:30 UTC (2026-11-24 10:30 "
        f"UTC). {requests} An approver who did not request it can extend it, to 4 h in all."
    )
    until = "orders paused until 2026-11-24 10:30 UTC"
    assert walk.execution(paused).notes == (f"{until}. {requests}",)
    assert walk.card(paused)["In force"].endswith(f"(2026-11-24 10:30 UTC): i{changed}")

    if by_step:
        await walk.press_step("oncall", "resume-orders", paused)
        assert "Nothing runs yet." in walk.form().text
        await walk.submit("oncall", reason="The fraud has stopped")
    else:
        await walk.press("oncall", action_ids.UNDO, paused)

    pressed = "Resume orders" if by_step else RESUME
    assert (walk.execution(paused).title, walk.execution(paused).state) == (pressed, WAITS)
    assert variable(kube) == "true"
    await walk.press("lead", action_ids.APPROVE, paused)
    assert variable(kube) == "false"


@pytest.mark.parametrize("value", ["false", None])
async def test_only_a_pause_is_resumed(walk: Walk, kube: Cluster, value: str | None) -> None:
    if value is None:
        await patch_env(kube, {"name": "ORDERS_PAUSED", "$patch": "delete"})
    channel = await declare(walk)

    await resume(walk, channel)

    state = "not set" if value is None else "“false”"
    assert walk.answer("oncall") == (
        "Orders are not paused, so there is nothing to resume. ORDERS_PAUSED of order-service "
        f"{SHOP} is {state}, and nothing was planned. If something is still wrong, look at the "
        "pods and the logs."
    )
    assert walk.executions(channel) == []


@pytest.fixture
def removing(playbooks: Path) -> None:
    """A step that removes the variable, whatever its value was: not what the undo does."""
    file = playbooks / "order-service.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('          unless: "false"\n', ""), encoding="utf-8")


async def test_another_change_of_it_needs_approval(
    removing: None, walk: Walk, bot: Bot, kube: Cluster, paused: str
) -> None:
    await resume(walk, paused)
    assert walk.execution(paused).state == WAITS
    await walk.press("lead", action_ids.APPROVE, paused)
    assert variable(kube) is None

    await bot.tick()

    ended_by = "“Resume orders”, requested by @oncall, ended it"
    assert said(walk, paused)[-1] == f"{HAS_ENDED} {ended_by}"
    ended = f"the clock saw that this has ended: orders paused ({ended_by})"
    assert (await walk.timeline(paused))[-1] == ended
    assert in_force(walk, paused) == []


async def test_undoing_the_resume_pauses_again(
    removing: None, walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    await resume(walk, paused)
    await walk.press("lead", action_ids.APPROVE, paused)
    await bot.tick()
    again = "orders paused again until 10:30 UTC"
    [*_, undo] = walk.slack.find_buttons("Undo", paused, "lead")
    assert undo.element["confirm"]["title"]["text"] == "Undo “Resume orders”?"
    assert undo.element["confirm"]["text"]["text"].endswith(f"“true” ({again})")

    await walk.press("lead", action_ids.UNDO, paused, "2")
    await bot.tick()
    assert walk.execution(paused).reason == "orders paused again"
    assert variable(kube) == "true"
    needs_approval = ": its target has changed since, so its undo needs a new approval"
    assert in_force(walk, paused) == [IN_FORCE.replace("resumes", "until") + needs_approval] * 2

    clock.forward(minutes=31)
    await bot.tick()
    late = (
        ":rotating_light: @oncall @second orders paused should have ended by now and has not: its "
        "target has changed since, so it is not undone without a new approval. Look at the new "
        "request, and approve or deny it."
    )
    assert said(walk, paused).count(late) == 1
    await walk.press("second", action_ids.APPROVE, paused)
    assert variable(kube) == "false"


async def test_undoing_it_late_says_so(
    removing: None, walk: Walk, bot: Bot, clock: Clock, paused: str
) -> None:
    await resume(walk, paused)
    await walk.press("lead", action_ids.APPROVE, paused)
    await bot.tick()
    clock.forward(minutes=31)

    await walk.press("lead", action_ids.UNDO, paused, "2")

    assert walk.execution(paused).reason == (
        "orders paused again, although its time is over: people will be asked to end it"
    )


async def test_people_end_it_by_hand(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    other = await walk.declare(
        "Down without memory"
    )  # a step on the same target that does not end it
    await walk.press_step("oncall", "rolling-restart", other)
    await walk.submit("oncall", reason="It grows")
    await walk.press("second", action_ids.APPROVE, other)
    assert walk.execution(other).state == DONE
    await bot.tick()
    await patch_env(kube, {"name": "ORDERS_PAUSED", "value": "false"})

    clock.forward(minutes=31)
    await bot.tick()

    by_hand = "Python ended it, outside Runbolt. ORDERS_PAUSED of order-service is “false”"
    assert said(walk, paused)[-1] == f"{HAS_ENDED} {by_hand}"
    assert "In force" not in walk.card(paused)
    assert patches(kube) == 2


async def test_another_incident_ends_it(walk: Walk, bot: Bot, clock: Clock, paused: str) -> None:
    clock.forward(minutes=2)  # else it is the same declaration
    other = await declare(walk)
    await resume(walk, other, "second")
    assert (walk.execution(other).title, walk.execution(other).state) == ("Resume orders", DONE)
    await bot.tick()

    ended_by = "“Resume orders” of INC-2, requested by @second, ended it"
    assert said(walk, paused)[-1] == f"{HAS_ENDED} {ended_by}"
    assert in_force(walk, paused) == []
    assert walk.execution(paused).buttons == ()


async def test_pausing_twice_is_refused(walk: Walk, paused: str) -> None:
    await walk.press_step("oncall", "pause-orders", paused)
    await walk.submit("oncall", reason="Still stolen", revert_after="30")

    assert walk.answer("oncall") == (
        f"ORDERS_PAUSED of order-service {SHOP} is “true” already, so there is nothing to do."
    )
    assert len(walk.executions(paused)) == 1


async def test_a_pause_of_another_incident_ends(walk: Walk, clock: Clock, paused: str) -> None:
    """Whoever counts on it is told that it does not last."""
    clock.forward(minutes=2)  # else it is the same declaration
    other = await declare(walk)
    await walk.press_step("oncall", "pause-orders", other)
    await walk.submit("oncall", reason="More stolen cards", revert_after="60")

    assert walk.answer("oncall") == (
        f"ORDERS_PAUSED of order-service {SHOP} is “true” already, so there is nothing to do. But "
        "“orders "
        "paused” of INC-1 ends at 10:30 UTC. If it must last longer, extend it there: the bot asks "
        "5 min before."
    )


async def test_a_pause_outlives_its_incident(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    await walk.say("oncall", "/incident resolve", paused)
    assert walk.form().text.splitlines()[1:] == [
        ":double_vertical_bar: orders paused is in force until 2026-11-24 10:30 UTC. Resolving "
        "does not end it: the bot still undoes it, and says so in this channel. To end it first, "
        "cancel this form and undo it."
    ]
    await walk.submit("oncall", resolution="The cards are blocked")
    assert variable(kube) == "true"
    assert in_force(walk, paused) == [IN_FORCE] * 2
    [summary] = [post for post in walk.posts(paused) if post.heading.endswith("is resolved")]
    assert summary.lines[-1] == IN_FORCE

    clock.forward(minutes=26)
    await bot.tick()
    assert notices(walk, paused) == [("Extend 30 min", "Undo")]
    clock.forward(minutes=5)
    await bot.tick()

    assert variable(kube) == "false"
    undone = (":leftwards_arrow_with_hook: Undone by the clock",)
    assert walk.execution(paused, PAUSE).notes == undone
    assert in_force(walk, paused) == []
    entry = (await walk.timeline(paused))[-1]
    requested = "the clock requested this, and it was done and checked: Set ORDERS_PAUSED"
    assert entry.startswith(requested)


async def test_drift_is_asked_about_after_resolving(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})
    await walk.say("oncall", "/incident resolve", paused)
    await walk.submit("oncall", resolution="The cards are blocked")
    clock.forward(minutes=31)
    await bot.tick()
    assert walk.execution(paused).buttons == ("Approve", "Deny…")

    await walk.press("lead", action_ids.APPROVE, paused)

    assert variable(kube) == "false"
    assert [request.buttons for request in walk.executions(paused)] == [(), ()]


async def test_a_request_outlives_the_incident(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})
    clock.forward(minutes=31)
    await bot.tick()
    await walk.say("oncall", "/incident resolve", paused)
    await walk.submit("oncall", resolution="The cards are blocked")
    assert walk.execution(paused).state == WAITS

    await walk.press("lead", action_ids.APPROVE, paused)

    assert variable(kube) == "false"


@pytest.mark.parametrize("minutes", ["5", "300"])
async def test_too_short_or_long_is_refused(walk: Walk, minutes: str) -> None:
    channel = await declare(walk)
    await walk.press_step("oncall", "pause-orders", channel)

    errors = await walk.submit_refused("oncall", reason="Stolen cards", revert_after=minutes)

    assert list(errors) == ["revert_after"]


async def test_a_value_from_elsewhere_is_refused(walk: Walk, kube: Cluster) -> None:
    source = {"configMapKeyRef": {"name": "shop", "key": "paused", "optional": True}}
    await patch_env(kube, {"name": "ORDERS_PAUSED", "value": None, "valueFrom": source})

    channel = await request_pause(walk)

    assert walk.answer("oncall") == (
        f"ORDERS_PAUSED of order-service {SHOP} comes from ConfigMap shop (paused), so nothing was "
        "planned. Change it there, or by hand."
    )
    assert walk.executions(channel) == []
    assert patches(kube) == 0
