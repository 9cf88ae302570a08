"""Declaring an incident: its channel is there within two calls, whatever its words mean."""

import asyncio
from datetime import timedelta

from bot import rules, store
from bot.flows import guests, incidents, reminders, tasks
from bot.model import (
    Incident,
    IncidentId,
    Model,
    NewIncident,
    Playbook,
    Scenario,
    Severity,
    Status,
    UserId,
    entries,
)
from bot.publishing.lease import Lease
from bot.publishing.publisher import request_publishing, request_publishing_new
from bot.store.db import Conn
from bot.world import World

SAME_DECLARATION = timedelta(minutes=1)
# Seconds between the looks for the channel: more than three in all.
CHANNEL_CHECKS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
# How long who declared may be told what Slack refuses of it.
FIRST_PUBLISHING_SECONDS = 60


class Declaration(Model):
    """What a person declares; `scenario` is `service/id` where it is known already.

    `service` is the id of the one that it is of; empty where nobody knows yet, and then
    `candidates` are those that the words could mean. `said` is what the text says besides the
    service, if it names that. `team_channel` is the channel that proposed the service.
    """

    text: str
    severity: Severity
    service: str = ""
    candidates: tuple[str, ...] = ()
    said: str | None = None
    team_channel: str = ""
    scenario: str | None = None
    source_link: str | None = None
    symptoms: tuple[str, ...] = ()


class DeclareResult(Model):
    """The incident, whether it is new, and another open incident with the same title."""

    incident: Incident
    new: bool
    same_title: Incident | None


async def declare(world: World, declaration: Declaration, *, by: UserId) -> DeclareResult:
    """Open an incident, or return the one declared in the same words within the last minute.

    Raises UserError for guests and people of other companies, unless the policy lets them.
    """
    await guests.check_may_declare(world, by)
    book, scenario = _choose(world, declaration)
    is_name = declaration.said == ""
    title = rules.incidents.incident_title(
        declaration.text, declaration.severity, scenario, is_name=is_name
    )
    async with world.pool.connection() as conn:
        await store.incidents.lock_declarations(conn, title, declaration.severity)
        since = world.now() - SAME_DECLARATION
        same = await store.incidents.recent_duplicate(
            conn, title, declaration.severity, book.service, since
        )
        incident = same or await _open(world, conn, declaration, title, book, scenario, by)
        same_title = None if same else await store.incidents.open_with_same_title(conn, incident)
        lease = Lease(world, incident.id)
        claim = None if same else await lease.acquire_new(conn, incident)
    if claim is None:
        request_publishing(world, incident.id)
    else:
        request_publishing_new(world, lease, claim)
    shown = await _with_its_channel(world, incident.id)
    return DeclareResult(incident=shown, new=claim is not None, same_title=same_title)


async def _with_its_channel(world: World, incident_id: IncidentId) -> Incident:
    """The incident, once its channel exists; another replica may create it."""
    for delay in CHANNEL_CHECKS:
        async with world.pool.connection() as conn:
            if not await store.incidents.awaits_channel(conn, incident_id, world.now()):
                break
        await asyncio.sleep(delay)
    return await incidents.get(world, incident_id)


async def refusal_of_new(world: World, incident_id: IncidentId) -> str | None:
    """What Slack refused of a new incident and goes on refusing, once all was tried; else None."""
    try:
        async with asyncio.timeout(FIRST_PUBLISHING_SECONDS):
            await world.publishers.wait_until_idle(incident_id)
    except TimeoutError:
        return None  # its card will say so
    async with world.pool.connection() as conn:
        return await store.publications.publish_error(conn, incident_id)


async def _open(
    world: World,
    conn: Conn,
    declaration: Declaration,
    title: str,
    book: Playbook,
    scenario: Scenario | None,
    by: UserId,
) -> Incident:
    now = world.now()
    due = rules.deadlines.next_update_at(
        world.config.of(book.service), declaration.severity, Status.INVESTIGATING, now, now
    )
    new = NewIncident(
        title=title,
        severity=declaration.severity,
        playbook=book,
        scenario_id=scenario.id if scenario else None,
        declared_by=by,
        declared_at=now,
        source_link=declaration.source_link,
        next_update_at=due,
    )
    incident = await store.incidents.insert(conn, new)
    declared = entries.Declared(
        severity=declaration.severity.label,
        symptoms=declaration.symptoms,
        team_channel=declaration.team_channel,
        candidates=declaration.candidates,
    )
    await store.timeline.add(conn, incident.id, declared, at=now, by=by, text=title)
    if declaration.text.strip() not in ("", title):
        # The title has only the first line.
        text = declaration.text.strip()
        await store.timeline.add(conn, incident.id, entries.Noted(), at=now, by=by, text=text)
    await reminders.schedule_first_response(world, conn, incident)
    await reminders.schedule_update(conn, incident, now)
    await tasks.create_step_tasks(conn, incident, now)
    return incident


def _choose(world: World, declaration: Declaration) -> tuple[Playbook, Scenario | None]:
    """The playbook and the scenario that people named, or that their words decide on."""
    if declaration.scenario is not None:
        return incidents.find_scenario(world, declaration.scenario)
    said = declaration.text if declaration.said is None else declaration.said
    service = incidents.find_service(world, declaration.service) or rules.fitting.NO_SERVICE
    return rules.fitting.choose(world.playbooks, service, declaration.severity, said)
