"""Approvals: approve or deny exactly this plan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from bot import rules, store, sweeps
from bot.flows import freezes, runs
from bot.flows.lookups import Decider, approvers_of, get, load_decider
from bot.flows.transactions import changing_several, check_customer_message_allowed, log_execution
from bot.model import (
    Approval,
    Execution,
    ExecutionId,
    ExecutionState,
    UserError,
    UserId,
    entries,
)
from bot.store.db import Conn
from bot.world import World


async def approve(world: World, execution_id: ExecutionId, *, by: UserId) -> None:
    """Approve a request that needs no second step, and run it once enough people did.

    Raises UserError when it is refused, which the timeline records.
    """
    by_now = await decider(world, await get(world, execution_id), by)
    async with record_refusals(world, execution_id, by), changing_several(world) as (conn, changed):
        waiting = await lock_for_approval(world, conn, execution_id, by_now)
        execution = await add(world, conn, waiting, by_now)
        changed.add(execution.incident_id)
    runs.start_if_approved(world, execution)


async def decider(world: World, execution: Execution, by: UserId) -> Decider:
    """Who this person is now, and who approves this request; raises UserError."""
    return await load_decider(world, by, execution, execution.called)


async def lock_for_approval(
    world: World, conn: Conn, execution_id: ExecutionId, decider: Decider
) -> Execution:
    """Lock a request that this person may approve now; raises UserError."""
    person, approvers = decider
    execution = await store.executions.lock(conn, execution_id)
    if execution is None:
        raise UserError("This request no longer exists. Nothing was approved.")
    rules.changes.check_understood(execution)
    rules.second_step.check_known(execution)
    now = world.now()
    execution = await freezes.apply(world, conn, execution, now)
    rules.permissions.check_may_approve(execution, person, approvers, now)
    await check_customer_message_allowed(conn, execution)
    return execution


async def add(world: World, conn: Conn, execution: Execution, decider: Decider) -> Execution:
    """Count an approval of a request that is locked for it."""
    (person, approvers), now = decider, world.now()
    approval = Approval(
        by=person.id,
        at=now,
        plan_digest=execution.plan_digest or "",
        group=approvers.group_of(person.id),
    )
    approvals = (*execution.approvals, approval)
    state = rules.policy.state_after(execution, approvals)
    approved = await store.executions.set_approvals(conn, execution.id, approvals, state)
    entry = entries.Approved(group=approval.group, second_step=execution.second_step or "")
    await log_execution(conn, approved, entry, at=now, by=person.id)
    return approved


async def check_may_deny(world: World, execution_id: ExecutionId, *, by: UserId) -> None:
    """Raise UserError before the form asks for a reason; the timeline records it.

    Approvers of the last minute and the requester do not wait for Slack: sending the form decides.
    """
    execution = await get(world, execution_id)
    approvers = await world.directory.cached_membership(approvers_of(world, execution))
    may_deny = by == execution.requested_by or by in approvers
    if may_deny and execution.state in (ExecutionState.PROPOSED, ExecutionState.APPROVED):
        return
    async with record_refusals(world, execution_id, by):
        rules.permissions.check_may_deny(execution, *await decider(world, execution, by))


async def deny(world: World, execution_id: ExecutionId, reason: str, *, by: UserId) -> None:
    """Deny a request with a reason; raises UserError when it is refused, which is recorded."""
    by_now = await decider(world, await get(world, execution_id), by)
    async with record_refusals(world, execution_id, by), changing_several(world) as (conn, changed):
        denied = await deny_in_transaction(world, conn, execution_id, reason, by_now)
        changed.add(denied.incident_id)


async def deny_in_transaction(
    world: World,
    conn: Conn,
    execution_id: ExecutionId,
    reason: str,
    decider: Decider,
    *,
    edited: bool = False,
) -> Execution:
    """Deny inside a larger transaction; raises UserError, which rolls all of it back.

    With `edited`, because another request replaces it.
    """
    execution = await store.executions.lock(conn, execution_id)
    if execution is None:
        raise UserError("This request no longer exists. Nothing was denied.")
    done = "edited" if edited else "denied"
    rules.permissions.check_may_deny(execution, *decider, done=done)
    by = decider.person.id
    denied = await store.executions.move(
        conn,
        execution_id,
        from_state=execution.state,
        to_state=ExecutionState.DENIED,
        outcome=reason,
        by=by,
        edited=edited,
    )
    assert denied is not None
    entry = entries.Denied(reason=reason, withdrawn=denied.denial == "withdrawn", edited=edited)
    await log_execution(conn, denied, entry, at=world.now(), by=by)
    return denied


async def expire_due(world: World) -> None:
    """Expire the requests whose time is over."""
    await sweeps.each(world, "request", store.executions.overdue, partial(_expire, world))


async def _expire(world: World, row_id: int) -> None:
    now = world.now()
    async with changing_several(world) as (conn, changed):
        execution = await store.executions.expire(conn, ExecutionId(row_id), now)
        if execution is not None:
            await log_execution(conn, execution, entries.Expired(), at=now)
            changed.add(execution.incident_id)


@asynccontextmanager
async def record_refusals(
    world: World, execution_id: ExecutionId, by: UserId
) -> AsyncIterator[None]:
    """Record every UserError raised inside as a timeline entry, and raise it again."""
    try:
        yield
    except UserError as refusal:
        async with world.pool.connection() as conn:
            execution = await store.executions.get(conn, execution_id)
            if execution is not None:
                entry = entries.Refused(refusal=str(refusal))
                await log_execution(conn, execution, entry, at=world.now(), by=by)
        raise
