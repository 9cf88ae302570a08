"""Holds: what is temporary is looked at, nudged about, extended by approvers, undone in time."""

import logging
from datetime import datetime, timedelta

from bot import durations, rules, store
from bot.actions import Already, Change
from bot.flows import executions, runs
from bot.flows.approvals import refusals_written_down
from bot.flows.records import build, get
from bot.flows.rows import log_execution
from bot.model import (
    Execution,
    ExecutionId,
    Hold,
    IncidentId,
    Plan,
    State,
    UserError,
    UserId,
    entries,
)
from bot.publisher import publish
from bot.store.db import Conn
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)

# After a cluster that did not answer, or after whoever was at it died.
LOOK_AGAIN = timedelta(minutes=1)
# After people were asked: a request has expired by then.
ASK_AGAIN = timedelta(minutes=30)


async def keep(world: World) -> None:
    """Do what is due about every hold: see whether it is still so, nudge, undo."""
    now = world.now()
    async with world.pool.connection() as conn:
        due = await store.holds.claim_due(conn, now, now + LOOK_AGAIN)
    for hold in due:
        world.work.start(_keep(world, hold), f"hold of execution {hold.execution_id}")


async def _keep(world: World, hold: Hold) -> None:
    run, now = await get(world, hold.execution_id), world.now()
    async with world.pool.connection() as conn:
        undos = await store.executions.undos(conn, run.id)
    if any(undo.state in rules.UNDER_WAY for undo in undos):
        return  # looked at again when it has ended
    if run.undo_digest is None and not undos:
        run = await _learn_undo(world, run)
    if await _is_over(world, hold, run):
        await _end(world, hold, run)
    elif hold.until <= now:
        await _revert(world, hold, run, undos)
    elif hold.nudged_at is None and hold.until - rules.NUDGE <= now:
        await _nudge(world, hold, run)
    else:
        later = rules.next_look(hold, now)
        if run.undo_digest is None:
            later = min(later, now + LOOK_AGAIN)
        async with world.pool.connection() as conn:
            await store.holds.wait(conn, run.id, later)
    await publish(world, hold.incident_id)


async def _learn_undo(world: World, run: Execution) -> Execution:
    """The cluster did not say in the end what the undo would be: ask it again, for what it left."""
    try:
        if not await _is_as_left(world, run):
            return run
    except UserError:
        return run
    digest = await runs.undo_digest(world, run)
    if digest is None:
        return run
    async with world.pool.connection() as conn:
        await store.executions.learn_undo(conn, run.id, digest)
    return run.model_copy(update={"undo_digest": digest})


async def _is_as_left(world: World, run: Execution) -> bool:
    """Whether a Deployment bears its mark, and its rollout is the first one since its plan."""
    assert run.plan is not None
    kind, _, name = run.plan.target.partition("/")
    if kind != "deployment" or "revision" not in run.plan.fingerprint:
        return False
    now = await world.systems.cluster.deployment(name)
    first = run.plan.fingerprint["revision"] + 1
    return now.execution == str(run.id) and now.revision == first


async def _is_over(world: World, hold: Hold, run: Execution) -> bool:
    """Whether something has ended it; a step that touched its target and has not is not named."""
    so = await _is_so(world, run)
    if so and hold.touched_by is not None:
        async with world.pool.connection() as conn:
            await store.holds.forget_touch(conn, run.id, hold.touched_by)
    return so is False


async def _is_so(world: World, run: Execution) -> bool | None:
    """Whether what it did is there: planned again, it is so already. None where nobody can tell."""
    try:
        action = build(world, run.action, run.params)
        assert isinstance(action, Change)
        await action.plan(world.systems.for_planning())
    except Already:
        return True
    except UserError:
        return None
    return False


async def _end(world: World, hold: Hold, run: Execution) -> None:
    """Something else has ended it: another step, a rollback, or somebody by hand."""
    assert run.plan is not None
    now = world.now()
    async with world.pool.connection() as conn:
        ended_by = (
            await store.executions.running_on(conn, run.plan.target)
            if hold.touched_by is None
            else await store.executions.get(conn, hold.touched_by)
        )
        id = ended_by.id if ended_by else None
        if await store.holds.end(conn, hold.execution_id, now, by=id):
            await _log(conn, hold, _ending(hold, ended_by), at=now)


def _ending(hold: Hold, ended_by: Execution | None) -> entries.Ended:
    """Who ended it, as the timeline keeps it; whoever does so by hand is not known."""
    if ended_by is None:
        return entries.Ended(execution=hold.execution_id, by_hand=True)
    elsewhere = ended_by.incident_id != hold.incident_id
    return entries.Ended(
        execution=hold.execution_id,
        change=ended_by.title,
        who=ended_by.requested_by,
        incident=f"INC-{ended_by.incident_id}" if elsewhere else "",
    )


async def _nudge(world: World, hold: Hold, run: Execution) -> None:
    now = world.now()
    async with world.pool.connection() as conn:
        held = await store.holds.lock(conn, run.id)
        if held is None or not held.in_force:
            return
        if held.until != hold.until or held.nudged_at is not None:
            return  # extended meanwhile, or said
        await store.holds.wait(conn, run.id, hold.until, nudged_at=now)
        who = await _whom(conn, run)
        nudged = entries.Nudged(execution=run.id, until=hold.until, who=who)
        await _log(conn, hold, nudged, at=now)


async def _revert(world: World, hold: Hold, run: Execution, undos: tuple[Execution, ...]) -> None:
    """Undo it as it was approved along; what cannot be undone so is told, or asked for."""
    asked = [undo for undo in undos if undo.state is State.PROPOSED]
    if asked:
        await _approve(world, hold, run, asked[0])
        return
    if any(undo.checked is not None for undo in undos):
        await _be_late(world, hold, run, text.plain("undo_check_failed"))
        return
    try:
        inverse = executions.inverse_of(world, run)
        plan = await inverse.plan(world.systems.for_planning())
    except UserError as error:
        await _be_late(world, hold, run, str(error))
        return
    try:
        # One that expired before it began, as its target was busy or the bot away, tried nothing.
        first = not any(undo.started_at or _was_denied(undo) for undo in undos)
        revert = await _ask(world, hold, run, inverse, plan, first=first)
    except store.executions.Taken:
        return  # somebody was faster
    if revert is not None:
        runs.start_if_approved(world, revert)


def _was_denied(undo: Execution) -> bool:
    """Whether people denied what the clock asked for; of one another they may deny all."""
    return undo.requested_by is None and undo.state is State.DENIED


async def _approve(world: World, hold: Hold, run: Execution, asked: Execution) -> None:
    """Somebody asked for it before: its time approves what was approved along, and nothing else."""
    if asked.requested_by is None or asked.plan_digest != run.undo_digest:
        await _be_late(world, hold, run, text.plain("revert_needs_approval", first=True))
        return
    was, to = State.PROPOSED, State.APPROVED
    async with world.pool.connection() as conn:
        held = await store.holds.lock(conn, run.id)
        if held is None or held.until > world.now() or not held.in_force:
            return
        approved = await store.executions.move(conn, asked.id, was=was, to=to)
        if approved is None:
            return
        await log_execution(conn, approved, entries.Approved(), at=world.now())
        await store.pictures.want(conn, hold.incident_id)
    runs.start_if_approved(world, approved)


async def _ask(
    world: World, hold: Hold, run: Execution, inverse: Change, plan: Plan, *, first: bool
) -> Execution | None:
    """Approved along once and only while nobody touched the target; else people are asked."""
    now = world.now()
    approved = first and rules.undo_is_approved(run, plan, now, held=True)
    reason = text.plain("revert_reason", change=hold, execution=run, approved=approved)
    asked = executions.undoing(run, reason, approved=approved, held=True)
    async with world.pool.connection() as conn:
        held = await store.holds.lock(conn, run.id)
        if held is None or held.until > now or not held.in_force:
            return None
        revert = await executions.ask(world, conn, run.incident_id, asked, inverse, plan, None)
        await store.pictures.want(conn, run.incident_id)
        if not approved:
            trouble = text.plain("revert_needs_approval", first=first)
            await _log_not_reverted(conn, hold, run, trouble, now)
            await store.holds.be_late(conn, run.id, trouble, now + ASK_AGAIN)
        return revert


async def _be_late(world: World, hold: Hold, run: Execution, trouble: str) -> None:
    """It cannot be undone now: told once, tried again."""
    now = world.now()
    async with world.pool.connection() as conn:
        held = await store.holds.lock(conn, run.id)
        if held is None or held.until > now or not held.in_force:
            return
        if held.trouble is None:
            await _log_not_reverted(conn, hold, run, trouble, now)
        await store.holds.be_late(conn, run.id, trouble, now + LOOK_AGAIN)


async def _log_not_reverted(
    conn: Conn, hold: Hold, run: Execution, reason: str, now: datetime
) -> None:
    who = await _whom(conn, run)
    entry = entries.NotReverted(execution=run.id, who=who, reason=reason)
    await _log(conn, hold, entry, at=now)


async def _whom(conn: Conn, run: Execution) -> tuple[UserId, ...]:
    """Who has to do with it: who commands, who asked for it, who approved it."""
    incident = await store.incidents.get(conn, run.incident_id)
    commander = incident.commander if incident else None
    people = (commander, run.requested_by, *(approval.by for approval in run.approvals))
    return tuple(dict.fromkeys(user_id for user_id in people if user_id is not None))


async def _log(
    conn: Conn,
    hold: Hold,
    detail: entries.TemporaryDetail,
    *,
    at: datetime,
    by: UserId | None = None,
) -> None:
    await store.timeline.add(conn, hold.incident_id, detail, at=at, by=by, text=hold.state)
    await store.pictures.want(conn, hold.incident_id)


async def extend(world: World, id: ExecutionId, *, by: UserId) -> None:
    """Have it last longer; raises UserError, written down, when it is refused."""
    person = await world.people.person(by)
    approvers = await world.people.members(world.config.approvers)
    async with refusals_written_down(world, id, by):
        hold = await _extend(world, id, person, approvers)
    await publish(world, hold.incident_id)


async def _extend(
    world: World, id: ExecutionId, person: rules.Person, approvers: frozenset[UserId]
) -> Hold:
    run, now = await get(world, id), world.now()
    async with world.pool.connection() as conn:
        hold = await store.holds.lock(conn, id)
        rules.check_may_extend(hold, run, person, approvers, now)
        assert hold is not None
        until = hold.until + rules.EXTENSION
        await store.holds.extend(conn, id, until=until, due_at=until - rules.NUDGE)
        span = durations.words(rules.EXTENSION)
        extended = entries.Extended(execution=id, span=span)
        await _log(conn, hold, extended, at=now, by=person.id)
        return hold


async def check_interrupted(world: World) -> None:
    """Look what became of the temporary changes and their undos whose process died.

    Others wait for somebody to press a button; these must not last because nobody did. What a
    process cut off from the database sent last may arrive until the cluster's time limit.
    """
    silent = runs.SILENT + timedelta(seconds=world.systems.cluster.timeout)
    async with world.pool.connection() as conn:
        unknown = await store.holds.interrupted(conn, world.now() - silent)
    for run in unknown:
        world.work.start(_check(world, run), f"check of execution {run.id}")


async def _check(world: World, run: Execution) -> None:
    try:
        await runs.check(world, run.id, by=None)
    except UserError as error:
        log.info("execution %s was not looked at: %s", run.id, error)


async def in_force(world: World, id: IncidentId) -> tuple[Hold, ...]:
    """What is temporary and in force in an incident."""
    async with world.pool.connection() as conn:
        holds = await store.holds.of_incident(conn, id)
    return tuple(hold for hold in holds if hold.in_force)
