"""Tasks: every change of state is a compare-and-set, so of two presses one wins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.model import IncidentId, Model, Task, TaskId, TaskKind, TaskState, UserId
from bot.store import db
from bot.store.db import Conn


class NewTask(Model):
    """A new task: what to do, where, by when, and since when it lasts."""

    title: str
    link: str = ""
    due_at: datetime | None = None
    since: datetime | None = None


async def add(
    conn: Conn,
    incident_id: IncidentId,
    kind: TaskKind,
    new: Sequence[NewTask],
    *,
    at: datetime,
    by: UserId | None = None,
    step_id: str = "",
) -> int:
    """Add tasks to a list, in their order; returns how many of them are new."""
    query = """
        INSERT INTO tasks (incident_id, kind, step_id, title, link, due_at, since, added_by,
            added_at)
        VALUES (%(incident_id)s, %(kind)s, %(step_id)s, %(title)s, %(link)s, %(due_at)s,
            %(since)s, %(by)s, %(at)s)
        ON CONFLICT (incident_id, kind, step_id, md5(title || ' ' || link)) DO NOTHING
    """
    where: dict[str, Any] = {"incident_id": incident_id, "kind": kind, "step_id": step_id}
    added: dict[str, Any] = {"by": by, "at": at}
    return sum([await db.execute(conn, query, **where, **added, **dict(task)) for task in new])


async def get(conn: Conn, task_id: TaskId) -> Task | None:
    """The task of that number."""
    return await db.fetch_optional(
        conn, Task, "SELECT {columns} FROM tasks WHERE id = %(id)s", id=task_id
    )


async def of_step(conn: Conn, incident_id: IncidentId, step_id: str, title: str) -> Task | None:
    """The task that a manual step is."""
    query = """
        SELECT {columns} FROM tasks
        WHERE incident_id = %(incident_id)s AND step_id = %(step_id)s AND title = %(title)s
          AND kind = 'step'
    """
    where: dict[str, Any] = {"incident_id": incident_id, "step_id": step_id, "title": title}
    return await db.fetch_optional(conn, Task, query, **where)


async def of_incident(
    conn: Conn, incident_id: IncidentId, unreadable: list[str] | None = None
) -> tuple[Task, ...]:
    """All tasks of an incident, in the order in which they were added."""
    query = "SELECT {columns} FROM tasks WHERE incident_id = %(incident_id)s ORDER BY id"
    return await db.fetch_all(conn, Task, query, unreadable, incident_id=incident_id)


async def mark_missing(
    conn: Conn, incident_id: IncidentId, step_id: str, titles: Sequence[str], at: datetime
) -> None:
    """Mark the tasks of a step whose titles its query no longer finds."""
    query = """
        UPDATE tasks
        SET missing_since =
            CASE WHEN title <> ALL (%(titles)s) THEN coalesce(missing_since, %(at)s) END
        WHERE incident_id = %(incident_id)s AND kind = 'finding' AND step_id = %(step_id)s
    """
    where: dict[str, Any] = {"incident_id": incident_id, "step_id": step_id}
    await db.execute(conn, query, titles=list(titles), at=at, **where)


async def take(
    conn: Conn, task_id: TaskId, *, previous_owner: UserId | None, by: UserId, at: datetime
) -> Task | None:
    """Set the owner; None when the owner is not `previous_owner` now, or the task is closed."""
    query = """
        UPDATE tasks SET owner = %(by)s, owned_at = %(at)s
        WHERE id = %(id)s AND owner IS NOT DISTINCT FROM %(previous_owner)s
          AND state IN ('open', 'escalated')
        RETURNING {columns}
    """
    values: dict[str, Any] = {"previous_owner": previous_owner, "by": by, "at": at}
    return await db.fetch_optional(conn, Task, query, id=task_id, **values)


async def move(
    conn: Conn,
    task_id: TaskId,
    *,
    from_states: Sequence[TaskState],
    to_state: TaskState,
    by: UserId,
    at: datetime,
    note: str = "",
) -> Task | None:
    """Change the state, or return None when it is not one of `from_states` by now."""
    query = """
        UPDATE tasks
        SET state = %(to_state)s, decided_by = %(by)s, decided_at = %(at)s, note = %(note)s
        WHERE id = %(id)s AND state = ANY(%(from_states)s)
        RETURNING {columns}
    """
    values: dict[str, Any] = {"from_states": list(from_states), "to_state": to_state}
    values |= {"by": by, "at": at, "note": note}
    return await db.fetch_optional(conn, Task, query, id=task_id, **values)
