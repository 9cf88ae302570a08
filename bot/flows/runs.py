"""Run what was approved: start it once, plan again, execute, verify, and record the outcome."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from bot import rules, store, sweeps
from bot.actions.base import Change, OutcomeLost, Progress
from bot.flows import drift, effects, freezes
from bot.flows.lookups import build_action, get
from bot.flows.transactions import (
    changing,
    changing_several,
    check_customer_message_allowed,
    log_execution,
)
from bot.model import (
    Evidence,
    Execution,
    ExecutionId,
    ExecutionState,
    IncidentId,
    Plan,
    Risk,
    UserError,
    UserId,
    Verdict,
    entries,
)
from bot.model.target import describe
from bot.publishing.publisher import request_publishing
from bot.store import db
from bot.store.db import Conn
from bot.store.set_aside import DueRow
from bot.systems import ChangingSystems
from bot.systems.kubernetes import Forbidden
from bot.systems.kubernetes.client import TIMEOUT_SECONDS
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)

T = TypeVar("T")

NOTHING_LEFT = effects.Aftermath(undo=None, seen=None)

HEARTBEAT_SECONDS = 5
HEARTBEAT_TIMEOUT = timedelta(seconds=30)
# Between two looks at a change whose outcome is not known.
LOOK_AGAIN_AFTER = timedelta(seconds=10)
# How long what is most likely lost is looked for.
LOOK_FOR_LOST = timedelta(hours=1)
# What was changed in production must be recorded, so a write waits for a database that is away.
RETRY_DELAYS = (0.2, 1.0, 5.0, 10.0, 15.0, 30.0)


async def run(world: World, execution_id: ExecutionId) -> None:
    """Run an approved execution once: start it, plan again, stop on drift, execute and verify."""
    started = await _start(world, execution_id)
    if started is None:
        return
    action = build_action(world, started.action, started.params)
    assert isinstance(action, Change)
    async with sending_heartbeats(world, started):
        request_publishing(world, started.incident_id)
        await _execute(world, started, action)
    request_publishing(world, started.incident_id)


def start_if_approved(world: World, execution: Execution) -> None:
    """Run an execution in the background if it is approved, and this version knows all of it."""
    if execution.state is ExecutionState.APPROVED and rules.changes.is_understood(execution):
        world.background.start(run(world, execution.id), f"execution {execution.id}")


async def _start(world: World, execution_id: ExecutionId) -> Execution | None:
    """Start it by compare-and-set; None where it is not approved, or its target is busy."""
    try:
        async with world.pool.connection() as conn:
            now = world.now()
            if await _waits_in_freeze(world, conn, execution_id, now):
                return None
            started = await store.executions.start(conn, execution_id, now)
            if started is not None:
                by = started.requested_by
                await log_execution(conn, started, entries.Started(), at=now, by=by)
                await store.publications.mark_stale(conn, started.incident_id)
            return started
    except store.executions.AlreadyActive:
        await _record_wait(world, execution_id)
        return None


async def _waits_in_freeze(
    world: World, conn: Conn, execution_id: ExecutionId, now: datetime
) -> bool:
    """Whether a freeze has begun since it was approved, so that it waits for one more approval."""
    execution = await store.executions.lock(conn, execution_id)
    if execution is None or execution.state is not ExecutionState.APPROVED:
        return False
    after = await freezes.apply(world, conn, execution, now)
    if after.state is ExecutionState.APPROVED:
        return False
    await store.publications.mark_stale(conn, execution.incident_id)
    return True


async def _record_wait(world: World, execution_id: ExecutionId) -> None:
    """Say in the request what it waits for; the scheduler starts it once the target is free."""
    waiting = await get(world, execution_id)
    target = waiting.plan.target if waiting.plan else ""
    async with changing_several(world) as (conn, changed):
        other = await store.executions.running_on(conn, target)
        message = text.render_unescaped(
            "waits_for_target",
            target=describe(target, waiting.place.cluster) or waiting.title,
            other=other,
            incident=waiting.incident_id,
        )
        if await store.executions.set_waiting_for(conn, execution_id, message):
            changed.add(waiting.incident_id)


async def _execute(world: World, execution: Execution, action: Change) -> None:
    assert execution.plan is not None
    progress = progress_reporter(world, execution)
    doubt = ""
    try:
        systems = world.services.systems(execution.place).patient(progress.report)
        async with asyncio.timeout(_time_limit(world, execution)):
            await _check_no_drift(systems, action, execution.plan)
            if not await _is_still_running(world, execution):
                return
            await action.execute(systems, execution.plan, progress)
    except UserError as error:
        if not error.unsure:
            refusal = await drift.explain(world, execution, action, error)
            evidence = progress.evidence.model_copy(update={"replanned": refusal.replanned})
            await _finish(world, execution, _not_done(refusal.sentence), evidence)
            return
        doubt = str(error)
    except TimeoutError:
        doubt = text.render_unescaped("took_too_long")
    if doubt:
        log.warning("execution %s: %s", execution.id, doubt)
    await _conclude(world, execution, action, progress, doubt)


def _time_limit(world: World, execution: Execution) -> float:
    """How long its changes, and its check, may take each, in seconds."""
    policy = world.config.of(execution.place.service).policy
    return policy.execution_timeout.total_seconds()


def _not_done(reason: str) -> Verdict:
    return Verdict(ok=False, was_applied=False, text=reason)


async def _is_still_running(world: World, execution: Execution) -> bool:
    """Whether no replica marked it as interrupted before it changed anything; raises UserError.

    A temporary change is recorded from here on: once it is written, it has an end.
    """
    now = world.now()
    async with world.pool.connection() as conn:
        await check_customer_message_allowed(conn, execution)
        is_running = await store.executions.record_heartbeat(conn, execution, now)
        if is_running:
            await effects.record_temporary(conn, execution, now, applied=False)
        return is_running


async def _check_no_drift(systems: ChangingSystems, action: Change, approved: Plan) -> None:
    """Raise UserError where the plan differs now from the one that was approved."""
    current = await action.plan(systems.for_planning())
    if current.digest != approved.digest:
        raise drift.Drifted(current)


def progress_reporter(world: World, execution: Execution) -> Progress:
    """How an action reports progress; a database that is away only costs the report."""

    async def report(progress: str) -> None:
        try:
            async with changing(world, execution.incident_id) as conn:
                await store.executions.set_progress(conn, execution.id, progress, world.now())
        except db.ERRORS as error:
            log.warning("progress of execution %s was not recorded: %s", execution.id, error)

    async def record(evidence: Evidence, before_sending: bool) -> None:
        try:
            if await _record_evidence(world, execution, evidence) or not before_sending:
                return
        except db.ERRORS as error:
            log.warning("evidence of execution %s was not recorded: %s", execution.id, error)
            if before_sending:
                raise UserError(text.render_unescaped("not_sent", taken_over=False)) from error
            return  # it is written with the outcome
        raise UserError(text.render_unescaped("not_sent", taken_over=True))

    return Progress(execution.id, report, record, execution.evidence)


async def _record_evidence(world: World, execution: Execution, evidence: Evidence) -> bool:
    async with world.pool.connection() as conn:
        return await store.executions.record_evidence(conn, execution, evidence, world.now())


async def _conclude(
    world: World, execution: Execution, action: Change, progress: Progress, doubt: str
) -> None:
    """Settle what this execution did; then check the change, or say that it was not made.

    While that is not known, it says so, and a sweep looks again. `doubt` says why it was in doubt.
    """
    assert execution.plan is not None
    try:
        systems = world.services.systems(execution.place)
        verdict = await action.settle(systems, execution.plan, progress)
    except UserError as error:
        is_lost, reason = isinstance(error, OutcomeLost), _reason(doubt, error)
        await _record_unknown(world, execution, reason, progress.evidence, holds_target=not is_lost)
        return
    if verdict is None:
        await verify(world, execution, action, progress)
    else:
        await _finish(world, execution, verdict, progress.evidence)


def _reason(doubt: str, error: UserError) -> str:
    """Why an outcome is not known; a missing permission is told, as people have to grant it."""
    if not doubt or isinstance(error, OutcomeLost):
        return str(error)
    is_new = isinstance(error, Forbidden) and str(error) not in doubt
    return f"{doubt} {error}" if is_new else doubt


async def _record_unknown(
    world: World, execution: Execution, reason: str, evidence: Evidence, *, holds_target: bool
) -> None:
    """Write that the outcome is not known, and whether the target stays locked until it is."""
    now = world.now()

    async def write(conn: Conn) -> None:
        unknown = await store.executions.set_unknown(
            conn, execution, reason, evidence, now, holds_target=holds_target
        )
        if unknown is not None and execution.outcome is None:
            await log_execution(conn, unknown, entries.Interrupted(), at=now)
        await store.publications.mark_stale(conn, execution.incident_id)

    await write_with_retry(world, write)


async def verify(world: World, execution: Execution, action: Change, progress: Progress) -> None:
    """Verify the change, and record the outcome with the digest of its undo."""
    assert execution.plan is not None
    try:
        async with asyncio.timeout(_time_limit(world, execution)):
            systems = world.services.systems(execution.place).patient(progress.report)
            verdict = await action.verify(systems.for_reading(), execution.plan, progress)
    except UserError as error:
        verdict = Verdict(ok=False, text=text.render_unescaped("not_checked", reason=str(error)))
    except TimeoutError:
        verdict = Verdict(ok=False, text=text.render_unescaped("not_checked", reason=""))
    aftermath = await effects.inspect(world, execution)
    if verdict.undone_outside:  # an undo would undo somebody else's change, which nobody approved
        aftermath = aftermath._replace(undo=None)
    await _finish(world, execution, verdict, progress.evidence, aftermath)


async def _finish(
    world: World,
    execution: Execution,
    verdict: Verdict,
    evidence: Evidence,
    aftermath: effects.Aftermath = NOTHING_LEFT,
) -> None:
    now = world.now()
    window = _undo_window(world, execution) if verdict.was_applied else None

    async def write(conn: Conn) -> None:
        ended = await store.executions.finish(
            conn,
            execution.id,
            to_state=ExecutionState.SUCCEEDED if verdict.ok else ExecutionState.FAILED,
            at=now,
            outcome=verdict.text,
            check_passed=verdict.ok if verdict.was_applied else None,
            undo_until=None if window is None else now + window,
            undo_digest=aftermath.undo.digest if aftermath.undo else None,
            evidence=evidence.model_copy(
                update=verdict.model_dump(include={"undone_outside", "gone"})
            ),
        )
        if ended is not None:
            by = execution.requested_by
            await log_execution(conn, ended, _ending(verdict), at=now, by=by)
            await effects.record(conn, ended, verdict, aftermath, now)
            for incident_id in sorted({ended.incident_id, *await _sharing_target(conn, ended)}):
                await store.publications.mark_stale(conn, incident_id)

    try:
        await write_with_retry(world, write)
    except store.executions.AlreadyActive:
        log.warning("execution %s counted as not done, and was requested again", execution.id)


def _undo_window(world: World, execution: Execution) -> timedelta:
    """How long its undo is approved with it: as its approvers read, or as the policy says now."""
    asked = execution.requirement
    if asked is not None and asked.undo_window is not None:
        return asked.undo_window
    return world.config.of(execution.place.service).policy.undo_window


async def _sharing_target(conn: Conn, ended: Execution) -> tuple[IncidentId, ...]:
    """The incidents whose card says what became of the target of a change that was made."""
    if ended.plan is None or ended.check_passed is None:
        return ()
    return await store.executions.incidents_that_changed(conn, ended.plan.target)


def _ending(verdict: Verdict) -> entries.Succeeded | entries.Failed:
    if verdict.ok:
        return entries.Succeeded(outcome=verdict.text)
    failure = entries.Failure.CHECK_FAILED
    if not verdict.was_applied:
        failure = entries.Failure.NOT_DONE
    elif verdict.undone_outside:
        failure = entries.Failure.OVERTAKEN
    return entries.Failed(outcome=verdict.text, failure=failure)


async def write_with_retry(world: World, write: Callable[[Conn], Awaitable[T]]) -> T:
    """Write in a transaction, and retry for a minute while the database is away."""
    for delay in RETRY_DELAYS:
        try:
            async with world.pool.connection() as conn:
                return await write(conn)
        except db.ERRORS as error:
            log.warning("the database is away, tried again in %s s: %s", delay, error)
        await asyncio.sleep(delay)
    async with world.pool.connection() as conn:
        return await write(conn)


@asynccontextmanager
async def sending_heartbeats(world: World, execution: Execution) -> AsyncIterator[None]:
    """Keep the heartbeat while it runs; leaving without a recorded outcome is an interruption."""
    heartbeats = asyncio.create_task(_send_heartbeats(world, execution))
    try:
        yield
    finally:
        heartbeats.cancel()
        await write_with_retry(world, lambda conn: _interrupt(world, conn, execution))


async def _interrupt(world: World, conn: Conn, execution: Execution) -> None:
    if not await store.executions.record_heartbeat(conn, execution, world.now()):
        return
    before, after = ExecutionState.RUNNING, ExecutionState.INTERRUPTED
    interrupted = await store.executions.move(conn, execution.id, from_state=before, to_state=after)
    if interrupted is not None:
        await log_execution(conn, interrupted, entries.Interrupted(), at=world.now())
        await store.publications.mark_stale(conn, execution.incident_id)


async def _send_heartbeats(world: World, execution: Execution) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        try:
            async with world.pool.connection() as conn:
                await store.executions.record_heartbeat(conn, execution, world.now())
        except db.ERRORS as error:
            log.warning("a heartbeat of execution %s was lost: %s", execution.id, error)


async def verify_interrupted(world: World, execution_id: ExecutionId, *, by: UserId | None) -> None:
    """After an interruption, verify what happened without repeating it.

    `by` is None for the scheduler. Raises UserError when there is nothing to check.
    """
    try:
        async with world.pool.connection() as conn:
            before, after = ExecutionState.INTERRUPTED, ExecutionState.RUNNING
            await store.executions.set_unchecked(conn, execution_id, None)
            claimed = await store.executions.move(
                conn, execution_id, from_state=before, to_state=after
            )
            if claimed is None:
                raise UserError(
                    "This was already checked, or its check is running. Nothing was done."
                )
            # Before it counts as running: what this version cannot build is left to one that can.
            action = build_action(world, claimed.action, claimed.params)
            await store.executions.record_heartbeat(conn, claimed, world.now())
            if by is not None:
                await log_execution(conn, claimed, entries.Checked(), at=world.now(), by=by)
                await store.publications.mark_stale(conn, claimed.incident_id)
    except store.executions.AlreadyActive as error:
        raise UserError(
            "Its target is being changed, or the step was requested again. Nothing was checked; "
            "check again when that has ended."
        ) from error
    assert isinstance(action, Change)
    async with sending_heartbeats(world, claimed):
        request_publishing(world, claimed.incident_id)
        progress = progress_reporter(world, claimed)
        await _conclude(world, claimed, action, progress, claimed.outcome or "")
    request_publishing(world, claimed.incident_id)


async def check_unsettled(world: World) -> None:
    """Look again at every change whose outcome is not known.

    Its target is locked until then; where that would be for ever, for an hour.
    """
    now, kind = world.now(), "execution"
    # Whoever presses the button may be first; what was sent last has mostly arrived by then.
    silent = HEARTBEAT_TIMEOUT + timedelta(seconds=TIMEOUT_SECONDS)
    async with world.pool.connection() as conn:
        unsettled = await store.executions.unsettled(
            conn,
            silent_since=now - silent,
            unknown_since=now - LOOK_AGAIN_AFTER,
            lost_since=now - LOOK_FOR_LOST,
            but=world.backoff.waiting(kind, now),
        )
    for row in unsettled:
        work = sweeps.attempt(world, kind, row, _look_again(world, ExecutionId(row.id)))
        world.background.start(work, f"check of {row.id}")


async def _look_again(world: World, execution_id: ExecutionId) -> None:
    execution = await get(world, execution_id)
    build_action(world, execution.action, execution.params)
    try:
        await verify_interrupted(world, execution_id, by=None)
    except UserError as error:
        log.info("execution %s was not checked: %s", execution_id, error)
        async with changing_several(world) as (conn, changed):
            if await store.executions.set_unchecked(conn, execution_id, str(error)):
                changed.add(execution.incident_id)


async def start_approved(world: World) -> None:
    """Start approved executions that wait: after a restart, or once their target is free."""

    async def start(row_id: int) -> None:
        execution = await get(world, ExecutionId(row_id))
        build_action(world, execution.action, execution.params)  # before it counts as running
        start_if_approved(world, execution)

    async def find(conn: Conn, _: datetime, but: Sequence[int]) -> Sequence[DueRow]:
        return await store.executions.approved(conn, but)

    await sweeps.each(world, "approved request", find, start)


async def mark_interrupted(world: World) -> None:
    """Mark what a process left running when it died: its outcome is not known."""

    async def find(conn: Conn, now: datetime, but: Sequence[int]) -> Sequence[DueRow]:
        return await store.executions.silent(conn, now - HEARTBEAT_TIMEOUT, but)

    await sweeps.each(world, "execution", find, partial(_mark_interrupted, world))


async def _mark_interrupted(world: World, row_id: int) -> None:
    now, execution_id = world.now(), ExecutionId(row_id)
    async with world.pool.connection() as conn:
        interrupted = await store.executions.interrupt(
            conn, execution_id, now - HEARTBEAT_TIMEOUT, now
        )
        if interrupted is None:
            return
        await log_execution(conn, interrupted, entries.Interrupted(), at=now)
        await store.publications.mark_stale(conn, interrupted.incident_id)
        if interrupted.risk is Risk.READ:
            outcome = text.render_unescaped("read_interrupted")
            await store.executions.finish(
                conn, interrupted.id, to_state=ExecutionState.FAILED, at=now, outcome=outcome
            )
