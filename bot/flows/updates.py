"""Updates: draft them from facts, post them, and schedule the next one."""

import logging
import textwrap

from bot import rules, store, views
from bot.flows import reminders
from bot.flows.transactions import changing, lock_open
from bot.model import (
    Entry,
    EntryKind,
    Incident,
    IncidentId,
    Status,
    Update,
    UpdateDraft,
    UserId,
    entries,
)
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)


async def draft(world: World, incident: Incident, typed: str) -> UpdateDraft:
    """The draft for the form: what a person typed, or the facts since the last update."""
    async with world.pool.connection() as conn:
        timeline = await store.timeline.of_incident(conn, incident.id)
        updates = await store.updates.of_incident(conn, incident.id)
    since = incident.last_update_at or incident.declared_at
    new = [entry for entry in timeline if entry.at >= since and entry.kind in rules.incidents.FACTS]
    facts = rules.incidents.latest_facts(new)
    changed = max((entry.id for entry in facts if entry.kind is EntryKind.SUCCEEDED), default=0)
    await reminders.pause_nagging(world, incident.id)
    every = rules.deadlines.cadence(world.config, incident.severity, incident.status)
    return UpdateDraft(
        impact=updates[-1].impact if updates else "",
        facts=(typed,) if typed else tuple(_bullet(entry, changed) for entry in facts),
        minutes=None if every is None else int(every.total_seconds() // 60),
    )


def _bullet(fact: Entry, changed: int) -> str:
    """One line; for what was read before the last change it says when."""
    words = text.render_unescaped(
        "draft_fact", entry=fact, detail=fact.detail, before_change=fact.id < changed
    )
    return f"- {textwrap.shorten(words, rules.incidents.LONGEST_FACT, placeholder=' …')}"


def _words(incident: Incident, update: Update) -> str | None:
    """The text to post; None where the playbook's template fails, so that no update is lost.

    Publishing reports that, and tries again.
    """
    try:
        return views.timeline.alert(incident, update)
    except text.TEMPLATE_ERRORS as error:
        log.warning("the internal alert of %s was not filled in: %s", incident.name, error)
        return None


async def post(
    world: World,
    incident_id: IncidentId,
    *,
    status: Status,
    impact: str,
    current: str,
    minutes: int | None,
    by: UserId,
    source: str,
) -> None:
    """Post an update, and schedule the next one for the time that its author promises."""
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        now = world.now()
        after = incident.model_copy(update={"status": status})
        due = rules.deadlines.promised_update_at(world.config, after, minutes, now)
        update = await store.updates.insert(
            conn,
            incident_id,
            at=now,
            by=by,
            status=status,
            impact=impact,
            current=current,
            next_update_at=due,
            source=source,
        )
        if update is None:
            return  # the same form, delivered again
        changed = await store.incidents.set_status(
            conn,
            incident_id,
            severity=incident.severity,
            status=status,
            next_update_at=due,
            updated_at=now,
        )
        await store.updates.set_posted_text(conn, update.id, _words(changed, update))
        if status is not incident.status:
            entry = entries.StatusChanged(old=incident.status.value, new=status.value)
            await store.timeline.add(conn, incident_id, entry, at=now, by=by)
        await store.timeline.add(conn, incident_id, entries.Updated(), at=now, by=by, text=current)
        await reminders.settle_updates(conn, incident_id, now)
        await reminders.schedule_update(conn, changed, now)
    await reminders.resume_nagging(world, incident_id)
