"""Updates: draft them from facts, post them, and schedule the next one."""

import logging
import textwrap

from bot import rules, store, views
from bot.flows import incidents, reminders
from bot.flows.transactions import changing, lock_open
from bot.model import (
    Entry,
    Incident,
    IncidentId,
    Model,
    NewUpdate,
    Status,
    Update,
    UpdateDraft,
    UserId,
    entries,
)
from bot.store.db import Conn
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)


class UpdateText(Model):
    """What the commander writes; `minutes` to the next update, the cadence where it is None."""

    status: Status
    impact: str
    current: str
    minutes: int | None


async def draft(world: World, incident: Incident, typed: str) -> UpdateDraft:
    """The draft for the form: what a person typed, or the facts since the last update."""
    async with world.pool.connection() as conn:
        timeline = await store.timeline.of_incident(conn, incident.id)
        updates = await store.updates.of_incident(conn, incident.id)
        executions = await store.executions.of_incident(conn, incident.id)
    since = incident.last_update_at or incident.declared_at
    facts = rules.facts.latest([entry for entry in timeline if entry.at >= since], executions)
    await reminders.pause_nagging(world, incident.id)
    config = world.config.of(incident.service)
    interval = rules.deadlines.update_interval(config, incident.severity, incident.status)
    return UpdateDraft(
        impact=updates[-1].impact if updates else "",
        facts=(typed,) if typed else tuple(_bullet(world, incident, fact) for fact in facts),
        minutes=None if interval is None else int(interval.total_seconds() // 60),
    )


def _bullet(world: World, incident: Incident, fact: Entry) -> str:
    """One line that says when; a long one ends with a whole sentence where that keeps half."""
    words = text.render_unescaped(
        "draft_fact",
        incident=incident,
        entry=fact,
        detail=fact.detail,
        own_clusters=incidents.own_clusters(world, incident),
    )
    line = " ".join(words.split())
    room = rules.facts.MAX_FACT_LENGTH
    sentences = line[:room].rpartition(". ")[0]
    if len(line) > room and len(sentences) > room // 2:
        return f"- {sentences}."
    return f"- {textwrap.shorten(line, room, placeholder=' …')}"


def _posted_text(incident: Incident, update: Update) -> str | None:
    """The text to post; None where the playbook's template fails, so that no update is lost.

    Publishing reports that, and tries again.
    """
    try:
        return views.timeline.alert(incident, update)
    except text.TEMPLATE_ERRORS as error:
        log.warning("the internal alert of %s was not filled in: %s", incident.name, error)
        return None


async def post(
    world: World, incident_id: IncidentId, written: UpdateText, *, by: UserId, source: str
) -> None:
    """Post an update, and schedule the next one for the time that its author promises.

    The same `source`, such as a form that Slack delivered twice, posts one update.
    """
    rules.incidents.check_known(written.status)
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        new = _new_update(world, incident, written, by, source)
        update = await store.updates.insert(conn, new)
        if update is None:
            return
        await _apply(conn, incident, update)
    await reminders.resume_nagging(world, incident_id)


def _new_update(
    world: World, incident: Incident, written: UpdateText, by: UserId, source: str
) -> NewUpdate:
    now = world.now()
    changed = incident.model_copy(update={"status": written.status})
    return NewUpdate(
        incident_id=incident.id,
        at=now,
        by=by,
        status=written.status,
        impact=written.impact,
        current=written.current,
        next_update_at=rules.deadlines.promised_update_at(
            world.config.of(changed.service), changed, written.minutes, now
        ),
        source=source,
    )


async def _apply(conn: Conn, incident: Incident, update: Update) -> None:
    """Set the incident to what the update says, and log both."""
    changed = await store.incidents.set_status(
        conn,
        incident.id,
        severity=incident.severity,
        status=update.status,
        next_update_at=update.next_update_at,
        updated_at=update.at,
    )
    await store.updates.set_posted_text(conn, update.id, _posted_text(changed, update))
    await _log(conn, incident, update)
    await reminders.settle_updates(conn, incident.id, update.at)
    await reminders.schedule_update(conn, changed, update.at)


async def _log(conn: Conn, incident: Incident, update: Update) -> None:
    at, by = update.at, update.by
    if update.status is not incident.status:
        entry = entries.StatusChanged(old=incident.status.value, new=update.status.value)
        await store.timeline.add(conn, incident.id, entry, at=at, by=by)
    posted = entries.Updated()
    await store.timeline.add(conn, incident.id, posted, at=at, by=by, text=update.current)
