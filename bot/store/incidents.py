"""Incidents: their row, their channel, and the open ones."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.model import (
    FurtherPlaybook,
    Incident,
    IncidentId,
    NewIncident,
    Playbook,
    Severity,
    Status,
    UserId,
)
from bot.store import db
from bot.store.db import Conn


async def insert(conn: Conn, new: NewIncident) -> Incident:
    """Insert an incident, with a copy of its playbook."""
    query = """
        INSERT INTO incidents (title, severity, status, playbook, scenario_id, declared_by,
                               declared_at, source_link, next_update_at)
        VALUES (%(title)s, %(severity)s, %(status)s, %(playbook)s, %(scenario_id)s,
                %(declared_by)s, %(declared_at)s, %(source_link)s, %(next_update_at)s)
        RETURNING {columns}
    """
    row = dict(new) | {"playbook": db.exact_json(new.playbook)}
    return await db.fetch_one(conn, Incident, query, **row)


async def lock_declarations(conn: Conn, title: str, severity: Severity) -> None:
    """Serialise declarations of the same words until the transaction ends."""
    query = "SELECT pg_advisory_xact_lock(hashtextextended(%(words)s, 0))"
    await db.execute(conn, query, words=f"declare {severity} {title}")


async def recent_duplicate(
    conn: Conn, title: str, severity: Severity, service: str, since: datetime
) -> Incident | None:
    """The open incident of this title, severity and service declared after `since`, or None."""
    query = """
        SELECT {columns} FROM incidents
        WHERE title = %(title)s AND severity = %(severity)s AND declared_at > %(since)s
          AND status <> 'resolved' AND playbook ->> 'service' = %(service)s
        ORDER BY id DESC LIMIT 1
    """
    values = {"title": title, "severity": severity, "service": db.Key(service), "since": since}
    return await db.fetch_first(conn, Incident, query, **values)


async def open_with_same_title(conn: Conn, incident: Incident) -> Incident | None:
    """The newest other open incident with the same title, whatever its case."""
    query = """
        SELECT {columns} FROM incidents
        WHERE lower(title) = lower(%(title)s) AND id <> %(id)s AND status <> 'resolved'
        ORDER BY id DESC LIMIT 1
    """
    return await db.fetch_first(conn, Incident, query, title=incident.title, id=incident.id)


async def get(conn: Conn, incident_id: IncidentId) -> Incident | None:
    """The incident of that number."""
    return await db.fetch_optional(
        conn, Incident, "SELECT {columns} FROM incidents WHERE id = %(id)s", id=incident_id
    )


async def lock(conn: Conn, incident_id: IncidentId) -> Incident | None:
    """The incident of that number, locked until the transaction ends."""
    query = "SELECT {columns} FROM incidents WHERE id = %(id)s FOR NO KEY UPDATE"
    return await db.fetch_optional(conn, Incident, query, id=incident_id)


async def in_channel(conn: Conn, channel: str) -> Incident | None:
    """The incident that a channel belongs to."""
    query = "SELECT {columns} FROM incidents WHERE channel_id = %(channel)s"
    return await db.fetch_optional(conn, Incident, query, channel=channel)


async def list_open(
    conn: Conn,
    limit: int,
    unreadable: list[str] | None = None,
    services: Sequence[str] | None = None,
) -> tuple[Incident, ...]:
    """The open incidents, worst first, and no more than `limit`: each row has its playbooks.

    Those of all services, or of any of these, as their own or taken in.
    """
    query = """
        SELECT {columns} FROM incidents
        WHERE status <> 'resolved'
          AND (%(services)s::text[] IS NULL OR playbook ->> 'service' = ANY (%(services)s)
            OR jsonb_path_query_array(further_playbooks, '$[*].playbook.service') ?| %(services)s)
        ORDER BY severity, id LIMIT %(limit)s
    """
    return await db.fetch_all(
        conn, Incident, query, unreadable, limit=limit, services=_keys(services)
    )


async def count_open(conn: Conn, services: Sequence[str] | None = None) -> int:
    """How many incidents are open, of all services or of these."""
    query = """
        SELECT count(*) FROM incidents
        WHERE status <> 'resolved'
          AND (%(services)s::text[] IS NULL OR playbook ->> 'service' = ANY (%(services)s)
            OR jsonb_path_query_array(further_playbooks, '$[*].playbook.service') ?| %(services)s)
    """
    cursor = await conn.execute(query, {"services": _keys(services)})
    [count] = await cursor.fetchall()
    return int(count[0])


def _keys(services: Sequence[str] | None) -> list[db.Key] | None:
    return None if services is None else [db.Key(service) for service in services]


async def set_channel(conn: Conn, incident_id: IncidentId, channel: str, name: str) -> None:
    """Record the channel of an incident."""
    query = """
        UPDATE incidents SET channel_id = %(channel)s, channel_name = %(name)s
        WHERE id = %(id)s
    """
    await db.execute(conn, query, id=incident_id, channel=channel, name=name)


async def forget_channel(conn: Conn, incident_id: IncidentId, channel: str) -> None:
    """Forget a channel that is gone, unless the incident has another one by now."""
    query = """
        UPDATE incidents SET channel_id = NULL, channel_name = NULL
        WHERE id = %(id)s AND channel_id = %(channel)s
    """
    await db.execute(conn, query, id=incident_id, channel=channel)


async def awaits_channel(conn: Conn, incident_id: IncidentId, now: datetime) -> bool:
    """Whether it has no channel yet and a replica is publishing it."""
    query = """
        SELECT FROM incidents JOIN publications ON incident_id = id
        WHERE id = %(id)s AND channel_id IS NULL AND leased_until > %(now)s
    """
    return await db.execute(conn, query, id=incident_id, now=now) == 1


async def set_scenario(
    conn: Conn, incident_id: IncidentId, playbook: Playbook, scenario_id: str | None
) -> Incident:
    """Set the playbook and its scenario, or none of its scenarios yet."""
    query = """
        UPDATE incidents SET playbook = %(playbook)s, scenario_id = %(scenario_id)s
        WHERE id = %(id)s RETURNING {columns}
    """
    return await db.fetch_one(
        conn,
        Incident,
        query,
        id=incident_id,
        playbook=db.exact_json(playbook),
        scenario_id=scenario_id,
    )


async def set_further_playbooks(
    conn: Conn, incident_id: IncidentId, playbooks: Sequence[FurtherPlaybook]
) -> Incident:
    """Set the playbooks of the services that it took in, and their scenarios."""
    query = """
        UPDATE incidents SET further_playbooks = %(playbooks)s WHERE id = %(id)s
        RETURNING {columns}
    """
    return await db.fetch_one(
        conn, Incident, query, id=incident_id, playbooks=db.exact_json(list(playbooks))
    )


async def set_commander(
    conn: Conn, incident_id: IncidentId, commander: UserId, at: datetime
) -> Incident:
    """Set the incident commander."""
    query = """
        UPDATE incidents SET commander = %(commander)s, commanded_at = %(at)s
        WHERE id = %(id)s RETURNING {columns}
    """
    return await db.fetch_one(conn, Incident, query, id=incident_id, commander=commander, at=at)


async def set_status(
    conn: Conn,
    incident_id: IncidentId,
    *,
    severity: Severity,
    status: Status,
    next_update_at: datetime | None,
    updated_at: datetime | None = None,
) -> Incident:
    """Set severity, status and the time of the next update."""
    query = """
        UPDATE incidents
        SET severity = %(severity)s, status = %(status)s, next_update_at = %(next_update_at)s,
            last_update_at = coalesce(%(updated_at)s, last_update_at)
        WHERE id = %(id)s RETURNING {columns}
    """
    values: dict[str, Any] = {"severity": severity, "status": status}
    values |= {"next_update_at": next_update_at, "updated_at": updated_at}
    return await db.fetch_one(conn, Incident, query, id=incident_id, **values)


async def resolve(
    conn: Conn, incident_id: IncidentId, *, by: UserId, at: datetime, resolution: str
) -> Incident | None:
    """Resolve it, or return None when it is resolved already."""
    query = """
        UPDATE incidents
        SET status = 'resolved', resolved_by = %(by)s, resolved_at = %(at)s,
            resolution = %(resolution)s, next_update_at = NULL
        WHERE id = %(id)s AND status <> 'resolved'
        RETURNING {columns}
    """
    return await db.fetch_optional(
        conn, Incident, query, id=incident_id, by=by, at=at, resolution=resolution
    )
