"""Tasks: what people do by hand is taken, done, skipped or escalated, once each."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from bot import rules, store
from bot.actions.base import RowChoice
from bot.flows import reminders
from bot.flows.transactions import changing, changing_several, lock_open
from bot.model import (
    Execution,
    Incident,
    IncidentId,
    ReadResult,
    Step,
    Task,
    TaskId,
    TaskKind,
    TaskList,
    TaskState,
    TickVerb,
    UserError,
    UserId,
    entries,
    findings,
)
from bot.model.findings import Finding, RowTemplate
from bot.store.db import Conn
from bot.store.tasks import NewTask
from bot.views import text
from bot.world import World

TICKED_STATES = {
    TickVerb.DONE: TaskState.DONE,
    TickVerb.ESCALATE: TaskState.ESCALATED,
    TickVerb.SKIP: TaskState.SKIPPED,
}
FROM_STATES = {
    TaskState.DONE: (TaskState.OPEN, TaskState.ESCALATED),
    TaskState.SKIPPED: (TaskState.OPEN, TaskState.ESCALATED),
    TaskState.ESCALATED: (TaskState.OPEN,),
    TaskState.OPEN: (TaskState.DONE, TaskState.SKIPPED),
}


async def create_step_tasks(conn: Conn, incident: Incident, now: datetime) -> None:
    """Create a task for each manual step of the chosen scenarios, where there is none yet."""
    for step, _ in incident.steps:
        if step.action == "manual":
            kind, new = TaskKind.STEP, [NewTask(title=step.title)]
            await store.tasks.add(conn, incident.id, kind, new, at=now, step_id=step.id)


async def create_follow_ups(conn: Conn, incident: Incident, now: datetime) -> None:
    """Create the follow-up tasks of a resolved incident, and schedule their reminders.

    What two of its services ask for in the same words is done once.
    """
    follow_ups = [
        each for attached in incident.playbooks for each in attached.playbook.post_incident
    ]
    new = [
        NewTask(title=follow_up.title, due_at=now + follow_up.due if follow_up.due else None)
        for follow_up in follow_ups
    ]
    await store.tasks.add(conn, incident.id, TaskKind.FOLLOW_UP, new, at=now)
    await reminders.schedule_tasks(conn, incident.id, now)


async def get(world: World, task_id: TaskId) -> Task:
    """The task of that number; raises UserError when there is none."""
    async with world.pool.connection() as conn:
        return await _get(conn, task_id)


async def _get(conn: Conn, task_id: TaskId) -> Task:
    task = await store.tasks.get(conn, task_id)
    if task is None:
        raise UserError("This task no longer exists. Nothing was done.")
    return task


async def of_incident(world: World, incident_id: IncidentId) -> tuple[Task, ...]:
    """All tasks of an incident."""
    async with world.pool.connection() as conn:
        return await store.tasks.of_incident(conn, incident_id)


async def of_list(world: World, task_list: TaskList) -> tuple[Task, ...]:
    """The tasks of one list, in its order."""
    tasks = await of_incident(world, task_list.incident_id)
    return tuple(task for task in tasks if task_list.has(task))


async def of_step(world: World, incident_id: IncidentId, step: Step) -> Task:
    """The task of a manual step; raises UserError when there is none."""
    async with world.pool.connection() as conn:
        task = await store.tasks.of_step(conn, incident_id, step.id, step.title)
    if task is None:
        raise UserError("This step is not in the incident's playbook. Nothing was done.")
    return task


def findings_of(execution: Execution) -> tuple[Finding, ...]:
    """The findings of an execution, for people to work through."""
    each, read_result = execution.params.get("tasks"), execution.read_result
    return (
        findings.from_table(RowTemplate.model_validate(each), read_result.table)
        if each and read_result
        else ()
    )


async def mark_missing(conn: Conn, execution: Execution, now: datetime) -> None:
    """Mark the tasks whose rows a query no longer finds; a partial answer marks nothing."""
    read_result = execution.read_result
    if read_result is None or not execution.params.get("tasks") or not _is_whole(read_result):
        return
    titles = [row.title for row in findings_of(execution)]
    await store.tasks.mark_missing(conn, execution.incident_id, execution.step_id, titles, now)


def _is_whole(read_result: ReadResult) -> bool:
    """Whether the result has every row; a query that failed has no table."""
    if read_result.table is None:
        return read_result.ok is True
    return (read_result.table.total or 0) <= len(read_result.table.rows)


async def unlisted_findings(world: World, execution: Execution) -> dict[int, Finding]:
    """The findings that are on no list yet, by row number; raises UserError when all are."""
    async with world.pool.connection() as conn:
        tasks = await store.tasks.of_incident(conn, execution.incident_id)
    listed = {(task.title, task.link) for task in tasks if task.step_id == execution.step_id}
    rows = enumerate(findings_of(execution))
    left = {number: row for number, row in rows if (row.title, row.link) not in listed}
    if not left:
        raise _all_listed(execution)
    return left


def _all_listed(execution: Execution) -> UserError:
    return UserError(
        f"Everything that “{execution.title}” found is already on the list. Nothing was added. See "
        "the list in the channel, or run the step again."
    )


async def add_findings(
    world: World, execution: Execution, chosen: Sequence[int], *, by: UserId
) -> int:
    """Add the chosen findings, or all; returns how many are new. Raises UserError."""
    rows = findings_of(execution)
    picked = [rows[number] for number in chosen if number < len(rows)] or rows
    new = [NewTask(**dict(row)) for row in picked]
    async with changing(world, execution.incident_id) as conn:
        await lock_open(conn, execution.incident_id)
        now, kind = world.now(), TaskKind.FINDING
        added = await store.tasks.add(
            conn, execution.incident_id, kind, new, by=by, at=now, step_id=execution.step_id
        )
        if not added:
            raise _all_listed(execution)
        entry = entries.HandedOut(count=added, execution=execution.id, place=execution.place)
        await store.timeline.add(
            conn, execution.incident_id, entry, at=now, by=by, text=execution.title
        )
    return added


async def findings_to_choose(
    world: World, task: Task
) -> tuple[Execution | None, tuple[Finding, ...]]:
    """The findings that people choose from when a manual step is done, and their execution."""
    source = await _source(world, task)
    if source is None:
        return None, ()
    async with world.pool.connection() as conn:
        executions = await store.executions.of_incident(conn, task.incident_id)
    execution = _newest_answer(executions, source.step)
    return execution, _chosen_from(source, execution) if execution else ()


async def findings_chosen_from(
    world: World, task: Task, execution: Execution
) -> tuple[Finding, ...]:
    """The findings of this execution that people chose from."""
    source = await _source(world, task)
    return _chosen_from(source, execution) if source else ()


async def _source(world: World, task: Task) -> RowChoice | None:
    async with world.pool.connection() as conn:
        incident = await store.incidents.get(conn, task.incident_id)
    found = incident.step(task.step_id) if incident else None
    row_choice = found.step.params.get("choose_from") if found else None
    if not row_choice or incident is None:
        return None
    choice = RowChoice.model_validate(row_choice)
    # It names a step of its own playbook, as that calls it.
    prefix = incident.playbook_of_step(task.step_id).prefix
    return choice.model_copy(update={"step": f"{prefix}{choice.step}"})


def _chosen_from(source: RowChoice, execution: Execution) -> tuple[Finding, ...]:
    return (
        findings.from_table(RowTemplate(title=source.title), execution.read_result.table)
        if execution.read_result
        else ()
    )


def _newest_answer(executions: Sequence[Execution], step_id: str) -> Execution | None:
    """The last execution of a step that the database answered."""
    answered = [
        execution
        for execution in executions
        if execution.step_id == step_id
        and execution.read_result
        and (execution.read_result.table or execution.read_result.ok)
    ]
    return answered[-1] if answered else None


async def take(world: World, task_id: TaskId, *, previous_owner: UserId | None, by: UserId) -> None:
    """Make a person the owner; `previous_owner` is the one whom they saw. Raises UserError."""
    async with changing_several(world) as (conn, changed):
        task = await _lock(conn, task_id)
        now = world.now()
        if task.open and task.owner == by:
            word = "Handled" if task.kind is TaskKind.FINDING else "Done"
            raise UserError(
                f"“{task.title}” is already yours. Nothing was changed; press {word} once it is."
            )
        taken = await store.tasks.take(conn, task_id, previous_owner=previous_owner, by=by, at=now)
        if taken is None:
            raise rules.changes.task_conflict(task)
        entry = entries.Taken(previous_owner=previous_owner, place=task.place)
        await store.timeline.add(conn, task.incident_id, entry, at=now, by=by, text=task.title)
        changed.add(task.incident_id)


async def finish(
    world: World, task_id: TaskId, *, by: UserId, note: str = "", chosen: Sequence[str] = ()
) -> None:
    """Mark a task as done, with a note and the chosen findings. Raises UserError."""
    count = f"{len(chosen)} chosen: {'; '.join(chosen)}" if chosen else ""
    whole_note = " · ".join(filter(None, [note, count]))
    await _move(world, task_id, TaskState.DONE, by=by, note=whole_note)


async def skip(world: World, task_id: TaskId, note: str, *, by: UserId) -> None:
    """Skip a task; the note says why. Raises UserError."""
    await _move(world, task_id, TaskState.SKIPPED, by=by, note=note)


async def reopen(world: World, task_id: TaskId, *, by: UserId) -> None:
    """Reopen a task. Raises UserError."""
    await _move(world, task_id, TaskState.OPEN, by=by)


async def escalate(world: World, task_id: TaskId, *, by: UserId) -> None:
    """Ask the commander or the responders to decide, once. Raises UserError."""
    await _move(world, task_id, TaskState.ESCALATED, by=by)


async def _move(
    world: World, task_id: TaskId, new_state: TaskState, *, by: UserId, note: str = ""
) -> None:
    async with changing_several(world) as (conn, changed):
        task = await _lock(conn, task_id)
        now = world.now()
        moved = await store.tasks.move(
            conn,
            task_id,
            from_states=FROM_STATES[new_state],
            to_state=new_state,
            by=by,
            at=now,
            note=note,
        )
        if moved is None:
            raise rules.changes.task_conflict(task)
        entry = await _entry(world, conn, task, new_state, by=by, note=note)
        await store.timeline.add(conn, task.incident_id, entry, at=now, by=by, text=task.title)
        if task.due_at is not None:
            await reminders.schedule_tasks(conn, task.incident_id, now)
        changed.add(task.incident_id)


class TickResult(NamedTuple):
    """How many tasks were changed at once, and the titles of those that somebody had before."""

    changed: int
    refused: tuple[str, ...]


async def tick(
    world: World,
    task_list: TaskList,
    verb: TickVerb,
    chosen: Collection[TaskId],
    *,
    by: UserId,
    note: str = "",
) -> TickResult:
    """Do the same with several tasks of a list; raises UserError where none can be changed."""
    async with changing(world, task_list.incident_id) as conn:
        await store.incidents.lock(conn, task_list.incident_id)
        tasks = await store.tasks.of_incident(conn, task_list.incident_id)
        ticked = [task for task in tasks if task_list.has(task) and task.id in chosen]
        now = world.now()
        moved = [task for task in ticked if await _tick_one(conn, task, verb, by, now, note)]
        if not moved:
            raise _none_ticked(ticked)
        for entry, title in await _tick_entries(world, conn, moved, verb, by=by, note=note):
            await store.timeline.add(conn, task_list.incident_id, entry, at=now, by=by, text=title)
        if any(task.due_at for task in moved):
            await reminders.schedule_tasks(conn, task_list.incident_id, now)
    refused = tuple(task.title for task in ticked if task not in moved)
    return TickResult(len(moved), refused)


def _none_ticked(ticked: Sequence[Task]) -> UserError:
    if len(ticked) == 1:
        return rules.changes.task_conflict(ticked[0])
    return UserError(
        "Somebody else was faster with all of them. Nothing was changed; look at the list."
    )


async def _tick_one(
    conn: Conn, task: Task, verb: TickVerb, by: UserId, now: datetime, note: str
) -> bool:
    """Change one task, unless it is decided; what somebody else has taken is not taken from them.

    The incident is locked.
    """
    if verb is TickVerb.TAKE:
        return await store.tasks.take(conn, task.id, previous_owner=None, by=by, at=now) is not None
    state = TICKED_STATES[verb]
    states = FROM_STATES[state]
    moved = await store.tasks.move(
        conn, task.id, from_states=states, to_state=state, by=by, at=now, note=note
    )
    return moved is not None


async def _tick_entries(
    world: World, conn: Conn, moved: Sequence[Task], verb: TickVerb, *, by: UserId, note: str
) -> list[tuple[entries.Detail, str]]:
    """An entry for each task, with its title; people who decide are called once for all."""
    match verb:
        case TickVerb.TAKE:
            return [(entries.Taken(place=task.place), task.title) for task in moved]
        case TickVerb.ESCALATE if len(moved) > 1:
            called = await _escalation(world, conn, moved[0], by)
            all_of_them = called.model_copy(update={"link": "", "count": len(moved)})
            return [(all_of_them, text.render_unescaped("several", tasks=moved))]
        case _:
            state = TICKED_STATES[verb]
            return [
                (await _entry(world, conn, task, state, by=by, note=note), task.title)
                for task in moved
            ]


async def _entry(
    world: World, conn: Conn, task: Task, new_state: TaskState, *, by: UserId, note: str
) -> entries.Detail:
    match new_state:
        case TaskState.DONE:
            return entries.DoneByHand(note=note, place=task.place)
        case TaskState.SKIPPED:
            return entries.Skipped(note=note, place=task.place)
        case TaskState.OPEN:
            return entries.Reopened(note=note, place=task.place)
        case TaskState.ESCALATED:
            return await _escalation(world, conn, task, by)


async def _escalation(world: World, conn: Conn, task: Task, by: UserId) -> entries.Escalated:
    """Whom an escalation calls: the commander, else the responders, else who declared it.

    A commander who escalates calls the responders: nobody is helped by calling oneself.
    """
    incident = await store.incidents.get(conn, task.incident_id)
    assert incident is not None
    if incident.commander is not None and incident.commander != by:
        people = (incident.commander,)
        return entries.Escalated(link=task.link, people=people, place=task.place)
    service = incident.playbook_of_step(task.step_id).service
    groups = world.directory.group_ids(world.config.of(service).responders.groups)
    if groups:
        return entries.Escalated(link=task.link, groups=groups, place=task.place)
    others = () if incident.declared_by == by else (incident.declared_by,)
    return entries.Escalated(link=task.link, people=others, place=task.place)


async def _lock(conn: Conn, task_id: TaskId) -> Task:
    """The task, locked with its incident; raises UserError for a step of a resolved incident."""
    task = await _get(conn, task_id)
    if task.kind is TaskKind.STEP:
        await lock_open(conn, task.incident_id)
    else:
        await store.incidents.lock(conn, task.incident_id)
    return await _get(conn, task_id)
