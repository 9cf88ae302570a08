"""Command: an empty chair is everybody's, and who has it is asked before it is taken."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot import flows
from bot.model import IncidentId, UserError, UserId
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.two_services import both, declare, payments, playbooks, team

__all__ = ["payments", "playbooks", "team"]

COMMANDER = "Incident commander"
REFUSED = (
    "@oncall is in command of INC-1, and only responders and approvers of order-service can change "
    "that. Nothing was changed; ask @oncall, or one of them."
)
NO_RESOLVER = (
    "You are neither a responder nor an approver of {}, so you cannot resolve INC-1. Nothing was "
    "done; ask one of them."
)


@pytest.fixture
async def other(given: Settings, clock: Clock, bot: Bot) -> AsyncIterator[Bot]:
    """Another replica beside the first one."""
    async with start_bot(given, clock) as twin:
        yield twin


def allow(team: Path, *rights: str) -> None:
    """Let anyone have these rights in order-service alone."""
    policy = f"    policy: {{anyone_may: [{', '.join(rights)}]}}\n"
    first = "    databases: {orders"
    team.write_text(team.read_text().replace(first, f"{policy}{first}"))


@pytest.mark.parametrize("way", ["button", "command"])
async def test_outsiders_take_nothing_over(walk: Walk, way: str) -> None:
    channel = await declare(walk)
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    walk.slack.join("outsider", channel)

    if way == "button":
        await walk.press("outsider", action_ids.TAKE_OVER, channel)
    else:
        await walk.say("outsider", "/incident role ic @outsider", channel)

    assert walk.slack.views("outsider") == []
    assert walk.answer("outsider") == REFUSED
    assert walk.card(channel)[COMMANDER] == "@oncall"


async def test_the_answer_decides(walk: Walk) -> None:
    channel = await declare(walk)
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    await walk.press("second", action_ids.TAKE_OVER, channel)
    walk.slack.set_group("order-service-approvers", "lead")
    walk.slack.set_group("order-service-responders", "lead")

    await walk.submit("second")

    assert walk.answer("second") == REFUSED
    assert walk.card(channel)[COMMANDER] == "@oncall"


async def test_commanders_give_it_to_anybody(walk: Walk) -> None:
    channel = await declare(walk)
    walk.slack.join("outsider", channel)
    await walk.press("outsider", action_ids.TAKE_COMMAND, channel)

    await walk.say("outsider", "/incident role ic @lead", channel)

    assert walk.slack.views("outsider") == []
    assert walk.card(channel)[COMMANDER] == "@lead"


async def test_somebody_else_is_asked_about(walk: Walk) -> None:
    channel = await declare(walk)
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)

    await walk.say("second", "/incident role ic @lead", channel)

    assert walk.form("second").text == (
        "@oncall has command of INC-1 since 2026-11-24 10:00 UTC.\nGive it to @lead?"
    )
    await walk.submit("second")
    assert walk.card(channel)[COMMANDER] == "@lead"


async def test_who_took_it_meanwhile_keeps_it(walk: Walk) -> None:
    channel = await declare(walk)
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    await walk.press("second", action_ids.TAKE_OVER, channel)
    await walk.say("oncall", "/incident role ic @lead", channel)

    await walk.submit("second")

    assert walk.answer("second") == (
        "@lead took command at 10:00:00 UTC. Nothing was changed. To take it from them, press Take "
        "over command… on the card."
    )
    assert walk.card(channel)[COMMANDER] == "@lead"


async def test_of_two_at_once_one_has_it(walk: Walk, bot: Bot, other: Bot) -> None:
    channel = await declare(walk)
    worlds = (bot.world, other.world)
    people = [UserId(walk.slack.user(name).id) for name in ("oncall", "second")]

    answers = await asyncio.gather(
        *(
            flows.command.assign_commander(world, IncidentId(1), user, seen=None, by=user)
            for world, user in zip(worlds, people, strict=True)
        ),
        return_exceptions=True,
    )

    await bot.drain()
    await other.drain()
    [winner] = [each.commander for each in answers if not isinstance(each, BaseException)]
    [told] = [str(each) for each in answers if isinstance(each, UserError)]
    assert told.startswith(f"<@{winner}> took command at 10:00:00 UTC. Nothing was changed.")
    assert walk.card(channel)[COMMANDER] == walk.read(f"<@{winner}>")
    taken = [post for post in walk.posts(channel) if post.heading.startswith(":firefighter:")]
    assert len(taken) == 1


async def test_a_further_team_may_do_both(walk: Walk, payments: Cluster) -> None:
    channel = await both(walk)
    await walk.press("second", action_ids.TAKE_COMMAND, channel)

    await walk.take_over("payments-oncall", channel)
    assert walk.card(channel)[COMMANDER] == "@payments-oncall"
    walk.slack.join("payments-lead", channel)
    await walk.say("payments-lead", "/incident resolve", channel)
    await walk.submit("payments-lead", resolution="The provider is back")

    assert walk.card(channel)["Status"] == "Resolved"


async def test_another_team_resolves_nothing(walk: Walk) -> None:
    channel = await declare(walk)
    walk.slack.join("payments-oncall", channel)

    await walk.say("payments-oncall", "/incident resolve", channel)

    assert walk.answer("payments-oncall") == NO_RESOLVER.format("order-service")


class TestAnyoneMay:
    """A team that lets anyone do what is otherwise its own people's."""

    @pytest.fixture
    def team(self, team: Path) -> Path:
        allow(team, "take-command", "resolve")
        return team

    async def test_everybody_may(self, walk: Walk) -> None:
        channel = await declare(walk)
        await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
        walk.slack.join("outsider", channel)

        await walk.take_over("outsider", channel)
        await walk.say("outsider", "/incident resolve", channel)
        await walk.submit("outsider", resolution="It went away")

        assert walk.card(channel)[COMMANDER] == "@outsider"
        assert walk.card(channel)["Status"] == "Resolved"

    async def test_only_where_each_service_lets_them(self, walk: Walk, payments: Cluster) -> None:
        channel = await both(walk)
        walk.slack.join("outsider", channel)

        await walk.say("outsider", "/incident resolve", channel)

        assert walk.answer("outsider") == NO_RESOLVER.format("order-service or payment-service")
