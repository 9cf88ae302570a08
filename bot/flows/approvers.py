"""Approvers: who can approve a request now, and the reminder when half of its time is over.

Nothing waits for what Slack and PagerDuty say about the approvers. Where nobody else is on call and
the policy wants it, the next level is called: its people are approvers of this one request.
"""

import asyncio
import logging
from collections.abc import Set
from functools import partial
from typing import NamedTuple

from bot import on_call, rules, slack, store, sweeps
from bot.config import ServiceConfig
from bot.flows.lookups import approvers_of, get
from bot.flows.transactions import changing, changing_several, log_execution
from bot.model import (
    AloneChoice,
    Duty,
    Execution,
    ExecutionId,
    ExecutionState,
    Membership,
    OnCallMember,
    Requirement,
    Shortage,
    ShortageKind,
    UserError,
    UserId,
    entries,
)
from bot.store.db import Conn
from bot.store.nudges import Look
from bot.systems.pagerduty import PagerDutyError
from bot.world import World

log = logging.getLogger(__name__)

# Slack's answers, and PagerDuty's about the list and about the next level.
LOOK_SECONDS = 10
MAX_NAMED = 8


def look_for(world: World, execution: Execution) -> None:
    """Look in the background who can approve a new request, and say so."""
    if execution.state is ExecutionState.PROPOSED:
        work = _tell(world, execution)
        world.background.start(work, f"looking for approvers of {execution.id}")


async def _tell(world: World, execution: Execution) -> None:
    look = await _look(world, execution)
    if look.shortage is None and look.available is None:
        return
    async with changing(world, execution.incident_id) as conn:
        waiting = await store.nudges.set_look(conn, execution.id, look)
        if waiting is not None:
            await _log_call(world, conn, execution, waiting)


async def _log_call(world: World, conn: Conn, before: Execution, after: Execution) -> None:
    """Write into the timeline who was called, the first time."""
    seen = after.available
    if before.called or not after.called or seen is None:
        return
    duties = dict.fromkeys(member.duty for member in seen.called)
    people = tuple(member.user for member in seen.called)
    entry = entries.Called(people=people, duty=", ".join(duties))
    await log_execution(conn, after, entry, at=world.now())


async def _look(world: World, execution: Execution) -> Look:
    """Who can approve it, or why nobody can; neither, while Slack does not say."""
    nothing = Look(None, execution.available, execution.called)
    if execution.requirement is None:
        return nothing
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await _read(world, execution, execution.requirement)
    except TimeoutError:
        return nothing
    except UserError as error:
        if _passes(error):
            return nothing
        kind = ShortageKind.UNREADABLE
        return Look(Shortage(kind=kind, at=world.now(), refusal=str(error)), None, execution.called)


async def _read(world: World, execution: Execution, asked: Requirement) -> Look:
    """Who of the list is there; where nobody else on call is, who was called, or is called now."""
    config = world.config.of(execution.place.service)
    approvers = await on_call.membership(world, config, approvers_of(world, execution))
    look = await _judge(world, execution, asked, approvers)
    seen = look.available
    alone = seen and rules.availability.when_alone(config, execution, seen, look.shortage)
    if seen is None or alone is None:
        return look
    called, found = execution.called, on_call.Found()
    if called:
        found = await on_call.find(world, config.people, called)
    elif alone is AloneChoice.NEXT_LEVEL:
        called, found = await _next_level(world, config, execution, asked)
    both = approvers.model_copy(update={"on_call": (*approvers.on_call, *found.members)})
    with_called = await _judge(world, execution, asked, both)
    now = with_called.available
    assert now is not None
    those = {member.user for member in found.members}
    called_people = tuple(member for member in now.on_call if member.user in those)
    update = {"alone": alone, "called": called_people}
    return Look(with_called.shortage, now.model_copy(update=update), called)


async def _judge(
    world: World, execution: Execution, asked: Requirement, approvers: Membership
) -> Look:
    config = world.config.of(execution.place.service)
    given = {approval.by for approval in execution.approvals}
    able = await _able(world, asked, given, approvers)
    now = world.now()
    return Look(
        rules.policy.find_shortage(asked, given, approvers, able, now),
        rules.availability.availability(config, execution, asked, approvers, able, now),
        execution.called,
    )


async def _able(
    world: World, asked: Requirement, given: Set[UserId], approvers: Membership
) -> frozenset[UserId]:
    """Those who are active full members: the people on call and named, and enough of the groups."""
    without = {*asked.requesters, *given}
    on_duty = [member.user for member in approvers.on_call]
    named = [user for user in dict.fromkeys((*on_duty, *asked.users)) if user not in without]
    others = sorted(approvers.everybody - without - set(named))
    enough = asked.approvals - len(given)
    able = await world.directory.full_members(named, MAX_NAMED)
    able |= await world.directory.full_members(others, max(enough - len(able), 1))
    if not able:
        rest = sorted(approvers.everybody - set(others) - set(named))
        able = await world.directory.full_members(rest, 1)
    return able


class Called(NamedTuple):
    """What somebody is called for, and who that is."""

    duties: tuple[Duty, ...]
    found: on_call.Found


async def _next_level(
    world: World, config: ServiceConfig, execution: Execution, asked: Requirement
) -> Called:
    """The first level beyond the list on which anybody can approve, of each policy."""
    duties, members = list[Duty](), list[OnCallMember]()
    for duty in approvers_of(world, execution).on_call:
        if duty.escalation_policy:
            for member in await _first_able(world, config, duty, execution, asked):
                members.append(member)
                duties.append(Duty(escalation_policy=duty.escalation_policy, levels=member.level))
    return Called(tuple(dict.fromkeys(duties)), on_call.Found(members=tuple(members)))


async def _first_able(
    world: World, config: ServiceConfig, duty: Duty, execution: Execution, asked: Requirement
) -> list[OnCallMember]:
    try:
        on_duty = await on_call.ask(world, duty, every_level=True)
    except PagerDutyError as error:
        log.warning("who is on the next level is not known: %s", error)
        return []
    without = {*asked.requesters, *(approval.by for approval in execution.approvals)}
    for level in sorted({each.level for each in on_duty if each.level > duty.levels}):
        there = [each for each in on_duty if each.level == level]
        found = await on_call.match(world, config.people, there, on_call.CLICK_SECONDS)
        users = [member.user for member in found.members if member.user not in without]
        able = await world.directory.full_members(users, len(users))
        if able:
            return [member for member in found.members if member.user in able]
    return []


def _passes(error: UserError) -> bool:
    """Whether Slack may say it a moment later."""
    cause = error.__cause__
    return isinstance(cause, slack.client.SlackError) and cause.is_transient


async def remind_halfway(world: World) -> None:
    """Remind the approvers of requests that still wait when half of their time is over."""
    await sweeps.each(world, "approval", store.nudges.due, partial(_remind, world))


async def _remind(world: World, row_id: int) -> None:
    execution = await get(world, ExecutionId(row_id))
    look = await _look(world, execution)
    async with changing_several(world) as (conn, changed):
        now = world.now()
        nudged = await store.nudges.record(conn, execution.id, now, look)
        if nudged is None:
            return
        reminded = entries.Reminded(what="missing approval")
        await store.timeline.add(conn, nudged.incident_id, reminded, at=now, text=nudged.title)
        await _log_call(world, conn, execution, nudged)
        changed.add(nudged.incident_id)
