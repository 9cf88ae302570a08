"""Executions: a step is looked at, ticked off, or proposed, run once, checked, and undone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from bot import rules, store
from bot.actions import Action, Change, Read, Run
from bot.flows import incidents
from bot.model import (
    EntryKind,
    Execution,
    ExecutionId,
    IncidentId,
    Plan,
    Reading,
    Risk,
    State,
    Step,
    UserError,
    UserId,
    Verdict,
)
from bot.publisher import publish
from bot.store.db import Conn
from bot.world import World

BEAT_SECONDS = 5
SILENT = timedelta(seconds=30)
READ_SECONDS = 60


async def find_step(world: World, id: IncidentId, step_id: str) -> Step:
    """The step of an open incident's playbook; raises UserError."""
    incident = await incidents.get(world, id)
    if not incident.open:
        raise UserError(f"{incident.name} is resolved, so nothing was done.")
    step = incident.scenario.step(step_id) if incident.scenario else None
    if step is None:
        raise UserError("This step is not in the incident's playbook, so nothing was done.")
    return step


def build(world: World, name: str, params: dict[str, Any]) -> Action:
    """The action with its parameters; raises UserError for one that this version lacks."""
    found = world.actions.get(name)
    if found is None:
        raise UserError(f"This version of the bot has no action “{name}”, so nothing was done.")
    return found.model_validate(params)


async def tell(conn: Conn, run: Execution, kind: EntryKind, *, at: datetime, **more: Any) -> None:
    """Write what became of an execution into the timeline, with what it was bound to."""
    words = run.plan.summary if run.plan else run.title
    bound: dict[str, Any] = {"execution": run.id, "plan": run.plan_digest}
    if run.plan is not None:
        bound["fingerprint"] = run.plan.fingerprint
    await store.timeline.add(conn, run.incident_id, kind, at=at, text=words, **bound, **more)


async def look(world: World, id: IncidentId, step: Step, action: Read, *, by: UserId) -> None:
    """Run a read step: at once, by everybody who may act here, one at a time."""
    await world.people.check_may_act(by)
    run = await _begin_reading(world, id, step, action, by)
    await publish(world, id)
    async with _alive(world, run):
        await _end_reading(world, run, await _read(world, action))
    await publish(world, id)


async def _read(world: World, action: Read) -> Reading:
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await action.read(world.systems)
    except UserError as error:
        return Reading(ok=False, text=str(error))
    except TimeoutError:
        return Reading(ok=False, text=f"No answer within {READ_SECONDS} s; nothing was changed.")


async def _begin_reading(
    world: World, id: IncidentId, step: Step, action: Action, by: UserId
) -> Execution:
    try:
        async with world.pool.connection() as conn:
            await incidents.lock_open(conn, id)
            run = await _insert(world, conn, id, step, action, by, state=State.RUNNING)
            await store.pictures.want(conn, id)
            return run
    except store.executions.Taken as error:
        raise UserError(
            f"“{step.title}” is being looked at this moment; its answer appears in the playbook."
        ) from error


async def _insert(
    world: World,
    conn: Conn,
    id: IncidentId,
    step: Step,
    action: Action,
    by: UserId,
    *,
    state: State,
    **more: Any,
) -> Execution:
    return await store.executions.insert(
        conn,
        incident_id=id,
        step_id=step.id,
        title=step.title,
        action=action.name,
        params=action.model_dump(mode="json"),
        risk=action.risk,
        state=state,
        requested_by=by,
        requested_at=world.now(),
        **more,
    )


async def _end_reading(world: World, run: Execution, reading: Reading) -> None:
    to = State.SUCCEEDED if reading.ok else State.FAILED
    mark = ":white_check_mark:" if reading.ok else ":warning:"
    async with world.pool.connection() as conn:
        now = world.now()
        ended = await store.executions.finish(
            conn,
            run.id,
            was=State.RUNNING,
            to=to,
            at=now,
            outcome=f"{mark} {reading.text}",
            reading=reading,
        )
        if ended is None:
            return
        if reading.attachment is not None:
            await store.executions.attach(conn, run.id, reading.attachment)
        kind, by = EntryKind.READ, run.requested_by
        await store.timeline.add(
            conn, run.incident_id, kind, at=now, by=by, text=reading.text, step=run.title
        )
        await store.pictures.want(conn, run.incident_id)


async def tick_off(world: World, id: IncidentId, step: Step, action: Action, *, by: UserId) -> None:
    """A person did a step by hand."""
    await world.people.check_may_act(by)
    async with world.pool.connection() as conn:
        await incidents.lock_open(conn, id)
        now = world.now()
        state, outcome = State.SUCCEEDED, "Done by hand"
        await _insert(world, conn, id, step, action, by, state=state, outcome=outcome)
        kind = EntryKind.DONE_BY_HAND
        await store.timeline.add(conn, id, kind, at=now, by=by, text=step.title)
        await store.pictures.want(conn, id)
    await publish(world, id)


async def propose(
    world: World, id: IncidentId, step: Step, action: Change, reason: str, *, by: UserId
) -> Execution:
    """Plan a change from the live system and ask for approval; raises UserError."""
    await world.people.check_may_act(by)
    plan = await action.plan(world.systems)
    try:
        async with world.pool.connection() as conn:
            run = await _ask(world, conn, id, step, action, by, plan=plan, reason=reason)
    except store.executions.Taken as error:
        raise await _already_asked(world, id, step) from error
    await publish(world, id)
    if run.state is State.APPROVED:
        world.work.start(_run_and_publish(world, run.id), f"execution {run.id}")
    return run


async def _ask(
    world: World,
    conn: Conn,
    id: IncidentId,
    step: Step,
    action: Change,
    by: UserId,
    *,
    plan: Plan,
    reason: str,
    undo_of: ExecutionId | None = None,
    approved: bool = False,
) -> Execution:
    incident = await incidents.lock_open(conn, id)
    now = world.now()
    needed = 0 if approved else rules.approvals_needed(world.config, action.risk)
    run = await _insert(
        world,
        conn,
        id,
        step,
        action,
        by,
        state=State.PROPOSED if needed else State.APPROVED,
        plan=plan,
        reason=reason,
        approvals_needed=needed,
        expires_at=now + world.config.clock(incident.severity).approval,
        undo_of=undo_of,
    )
    await tell(conn, run, EntryKind.PROPOSED, at=now, by=by, reason=reason)
    await store.pictures.want(conn, id)
    return run


async def _already_asked(world: World, id: IncidentId, step: Step) -> UserError:
    async with world.pool.connection() as conn:
        live = await store.executions.live_of_step(conn, id, step.id)
    who = f" by <@{live.requested_by}>" if live else ""
    return UserError(
        f"“{step.title}” was already asked for{who}, so nothing more was. Approve or deny that "
        "request first."
    )


async def undo(world: World, id: ExecutionId, *, by: UserId) -> None:
    """Propose the inverse, prepared before the run; within its window it was approved along."""
    await world.people.check_may_act(by)
    done = await get(world, id)
    if done.plan is None or done.plan.undo is None or done.checked is None:
        raise UserError("There is nothing here that could be undone.")
    inverse = build(world, done.plan.undo.action, done.plan.undo.params)
    assert isinstance(inverse, Change)
    plan = await inverse.plan(world.systems)
    step = Step(id=done.step_id, title=_undo_title(done), phase="recovery", action=inverse.name)
    within = done.undo_until is not None and world.now() < done.undo_until
    why = f"Undo of “{done.title}”"
    try:
        async with world.pool.connection() as conn:
            run = await _ask(
                world, conn, done.incident_id, step, inverse, by, plan=plan, reason=why,
                undo_of=id, approved=within,
            )  # fmt: skip
    except store.executions.Taken as error:
        raise UserError("This is being undone already, or was undone.") from error
    await publish(world, done.incident_id)
    if run.state is State.APPROVED:
        world.work.start(_run_and_publish(world, run.id), f"execution {run.id}")


def _undo_title(done: Execution) -> str:
    return f"Undo: {done.title}"[:75]


async def get(world: World, id: ExecutionId) -> Execution:
    """The execution of that number; raises UserError when there is none."""
    async with world.pool.connection() as conn:
        run = await store.executions.get(conn, id)
    if run is None:
        raise UserError("This request is no longer there, so nothing was done.")
    return run


async def with_failed_check(world: World, id: IncidentId) -> tuple[Execution, ...]:
    """The changes that were made, whose check failed, and that nobody has undone."""
    async with world.pool.connection() as conn:
        runs = await store.executions.of_incident(conn, id)
    undone = {run.undo_of for run in runs if run.state is State.SUCCEEDED}
    return tuple(run for run in runs if run.checked is False and run.id not in undone)


async def run(world: World, id: ExecutionId) -> None:
    """Do what was approved, once: take it, plan again, stop on drift, execute, verify."""
    started = await _start(world, id)
    if started is None:
        return
    action = build(world, started.action, started.params)
    assert isinstance(action, Change)
    assert started.plan is not None
    await publish(world, started.incident_id)
    async with _alive(world, started):
        await _carry_out(world, started, action, started.plan)
    await publish(world, started.incident_id)


async def _run_and_publish(world: World, id: ExecutionId) -> None:
    with suppress(UserError):
        await run(world, id)


async def _start(world: World, id: ExecutionId) -> Execution | None:
    """Take it by compare-and-set; leave it approved while its target is being changed."""
    try:
        async with world.pool.connection() as conn:
            now = world.now()
            started = await store.executions.start(conn, id, now)
            if started is not None:
                await tell(conn, started, EntryKind.STARTED, at=now, by=started.requested_by)
                await store.pictures.want(conn, started.incident_id)
            return started
    except store.executions.Taken as error:
        raise await _target_is_taken(world, id) from error


async def _target_is_taken(world: World, id: ExecutionId) -> UserError:
    waiting = await get(world, id)
    target = waiting.plan.target if waiting.plan else waiting.title
    async with world.pool.connection() as conn:
        other = await store.executions.running_on(conn, target)
    who = f" by <@{other.requested_by}> (“{other.title}”)" if other else ""
    return UserError(
        f"{target} is being changed{who}. Your request is approved and starts as soon as that ends."
    )


async def _carry_out(world: World, run: Execution, action: Change, plan: Plan) -> None:
    try:
        async with asyncio.timeout(world.config.policy.execution_timeout.total_seconds()):
            await _check_no_drift(world, action, plan)
            await action.execute(world.systems, plan, _run(world, run))
    except UserError as error:
        await _end(world, run, State.FAILED, str(error), checked=None)
        return
    except TimeoutError:
        await _end(world, run, State.INTERRUPTED, "It took too long.", checked=None)
        return
    await _verify(world, run, action, plan)


async def _check_no_drift(world: World, action: Change, approved: Plan) -> None:
    now = await action.plan(world.systems)
    if now.digest != approved.digest:
        raise UserError(
            "The system changed since this was approved, so it was not done. Approved: "
            f"{approved.summary}. Now it would be: {now.summary}.{_difference(approved, now)} "
            "Look, and ask again."
        )


def _difference(approved: Plan, now: Plan) -> str:
    keys = sorted({*approved.fingerprint, *now.fingerprint})
    changed = [key for key in keys if approved.fingerprint.get(key) != now.fingerprint.get(key)]
    return f" Changed: {', '.join(changed)}." if changed else ""


def _run(world: World, execution: Execution) -> Run:
    async def say(text: str) -> None:
        async with world.pool.connection() as conn:
            await store.executions.progress(conn, execution.id, text, world.now())
            await store.pictures.want(conn, execution.incident_id)
        await publish(world, execution.incident_id)

    return Run(execution_id=execution.id, say=say)


async def _verify(world: World, run: Execution, action: Change, plan: Plan) -> None:
    """Look whether it worked; what could not be looked at is a failed check."""
    try:
        async with asyncio.timeout(world.config.policy.execution_timeout.total_seconds()):
            verdict = await action.verify(world.systems, plan, _run(world, run))
    except UserError as error:
        verdict = Verdict(ok=False, text=f"It could not be checked: {error}")
    except TimeoutError:
        verdict = Verdict(ok=False, text="It could not be checked in time. Look for yourself.")
    state = State.SUCCEEDED if verdict.ok else State.FAILED
    await _end(world, run, state, verdict.text, checked=verdict.ok)


async def _end(
    world: World, run: Execution, to: State, outcome: str, *, checked: bool | None
) -> None:
    kinds = {State.SUCCEEDED: EntryKind.SUCCEEDED, State.INTERRUPTED: EntryKind.INTERRUPTED}
    async with world.pool.connection() as conn:
        now = world.now()
        window = world.config.policy.undo_window if checked is not None else None
        ended = await store.executions.finish(
            conn,
            run.id,
            was=State.RUNNING,
            to=to,
            at=now,
            outcome=outcome,
            checked=checked,
            undo_until=None if window is None else now + window,
        )
        if ended is not None:
            kind = kinds.get(to, EntryKind.FAILED)
            await tell(conn, ended, kind, at=now, by=run.requested_by, outcome=outcome)
            await store.pictures.want(conn, run.incident_id)


@asynccontextmanager
async def _alive(world: World, run: Execution) -> AsyncIterator[None]:
    """Say meanwhile that this process lives; leaving without an end written is an interruption."""
    beat = asyncio.create_task(_beat(world, run.id))
    try:
        yield
    finally:
        beat.cancel()
        await _interrupt_if_running(world, run)


async def _interrupt_if_running(world: World, run: Execution) -> None:
    async with world.pool.connection() as conn:
        was, to = State.RUNNING, State.INTERRUPTED
        interrupted = await store.executions.move(conn, run.id, was=was, to=to)
        if interrupted is not None:
            await tell(conn, interrupted, EntryKind.INTERRUPTED, at=world.now())
            await store.pictures.want(conn, run.incident_id)


async def _beat(world: World, id: ExecutionId) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        async with world.pool.connection() as conn:
            await store.executions.beat(conn, id, world.now())


async def check(world: World, id: ExecutionId, *, by: UserId) -> None:
    """After an interruption: look what happened, never repeat it."""
    await world.people.check_may_act(by)
    async with world.pool.connection() as conn:
        taken = await store.executions.move(conn, id, was=State.INTERRUPTED, to=State.RUNNING)
        if taken is None:
            raise UserError("This was checked already, or is being checked.")
        await store.executions.beat(conn, id, world.now())
        await store.pictures.want(conn, taken.incident_id)
    action = build(world, taken.action, taken.params)
    assert isinstance(action, Change)
    assert taken.plan is not None
    await publish(world, taken.incident_id)
    async with _alive(world, taken):
        await _verify(world, taken, action, taken.plan)
    await publish(world, taken.incident_id)


async def start_approved(world: World) -> None:
    """Start what was approved and nobody started: after a restart, or once its target is free."""
    async with world.pool.connection() as conn:
        waiting = await store.executions.approved(conn)
    for approved in waiting:
        world.work.start(_run_and_publish(world, approved.id), f"execution {approved.id}")


async def mark_interrupted(world: World) -> None:
    """What a process left running when it died is known to be unknown."""
    now = world.now()
    async with world.pool.connection() as conn:
        for dead in await store.executions.interrupt(conn, now - SILENT):
            await tell(conn, dead, EntryKind.INTERRUPTED, at=now)
            await store.pictures.want(conn, dead.incident_id)
            if dead.risk is Risk.READ:
                words = ":warning: Interrupted by a restart of the bot. Press again."
                was, to = State.INTERRUPTED, State.FAILED
                await store.executions.finish(conn, dead.id, was=was, to=to, at=now, outcome=words)
