"""Breaking the glass: the commander has a change run that nobody has approved, and is heard."""

from typing import NamedTuple

from bot import on_call, rules, store
from bot.flows import runs
from bot.flows.approvals import record_refusals
from bot.flows.lookups import approvers_of, get
from bot.flows.transactions import changing, lock_open, log_execution
from bot.model import (
    BrokenGlass,
    Execution,
    ExecutionId,
    Incident,
    Person,
    TaskKind,
    UserError,
    UserId,
    entries,
)
from bot.store.db import Conn
from bot.store.tasks import NewTask
from bot.world import World


class Called(NamedTuple):
    """The people and the ids of user groups that a broken glass mentions."""

    people: tuple[UserId, ...]
    groups: tuple[str, ...]


async def check_may_break(world: World, execution_id: ExecutionId, *, by: UserId) -> Execution:
    """Raise UserError before the form asks for a reason; the timeline records it."""
    execution, person = await get(world, execution_id), await world.directory.fetch_user(by)
    async with record_refusals(world, execution_id, by), world.pool.connection() as conn:
        incident = await lock_open(conn, execution.incident_id)
        await _check(world, conn, incident, execution, person)
    return execution


async def break_glass(world: World, execution_id: ExecutionId, reason: str, *, by: UserId) -> None:
    """Have a request run without the approvals that it lacks, once.

    Raises UserError when it is refused, which the timeline records.
    """
    execution, person = await get(world, execution_id), await world.directory.fetch_user(by)
    called = await _called(world, execution)
    async with record_refusals(world, execution_id, by):
        broken = await _break(world, execution, person, reason, called)
    runs.start_if_approved(world, broken)


async def _break(
    world: World, execution: Execution, person: Person, reason: str, called: Called
) -> Execution:
    async with changing(world, execution.incident_id) as conn:
        incident = await lock_open(conn, execution.incident_id)
        locked = await store.executions.lock(conn, execution.id)
        if locked is None:
            raise UserError("This request no longer exists. Nothing was done.")
        rules.changes.check_understood(locked)
        await _check(world, conn, incident, locked, person)
        now, service = world.now(), world.config.of(locked.place.service)
        glass = BrokenGlass(
            by=person.id,
            at=now,
            reason=reason,
            waited_since=rules.break_glass.waits_since(locked, incident),
            freeze=service.freeze_at(now),
        )
        broken = await store.executions.break_glass(conn, locked.id, glass)
        await log_execution(conn, broken, _entry(broken, glass, called), at=now, by=person.id)
        review = NewTask(
            title=rules.break_glass.review_title(broken),
            due_at=now + rules.break_glass.REVIEW_WITHIN,
        )
        await store.tasks.add(conn, incident.id, TaskKind.FOLLOW_UP, [review], at=now, by=person.id)
        return broken


async def _check(
    world: World, conn: Conn, incident: Incident, execution: Execution, person: Person
) -> None:
    was_denied = await store.executions.was_denied(conn, execution)
    service = world.config.of(execution.place.service)
    rules.break_glass.check_may_break(
        service, incident, execution, person, was_denied=was_denied, now=world.now()
    )


async def _called(world: World, execution: Execution) -> Called:
    """The approvers, and whom the policy's `announce` names; who is on call, as far as is known."""
    config = world.config.of(execution.place.service)
    glass = config.policy.break_glass
    selectors = [approvers_of(world, execution), *([glass.announce] if glass else [])]
    duties = [duty for selector in selectors for duty in selector.on_call]
    found = await on_call.find(world, config.people, duties)
    named = [user for selector in selectors for user in selector.users]
    groups = dict.fromkeys(group for selector in selectors for group in selector.groups)
    return Called(
        people=tuple(dict.fromkeys(map(UserId, (*named, *(each.user for each in found.members))))),
        groups=world.directory.group_ids(groups),
    )


def _entry(execution: Execution, broken: BrokenGlass, called: Called) -> entries.GlassBroken:
    """What everybody reads, with those who are called."""
    requested_by = execution.requested_by
    return entries.GlassBroken(broken=broken, requested_by=requested_by, **called._asdict())
