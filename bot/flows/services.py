"""The services of an incident: which it may take in beside its own, and taking one in."""

from bot import rules, store
from bot.flows import incidents, tasks
from bot.flows.transactions import changing, lock_open
from bot.model import FurtherPlaybook, Incident, IncidentId, ServiceName, UserId, entries
from bot.store.db import Conn
from bot.world import World


def addable(world: World, incident: Incident) -> tuple[ServiceName, ...]:
    """The services that an incident can still take in."""
    services = rules.service_names.served(world.config, world.playbooks)
    return tuple(service for service in services if service.id not in incident.services)


async def add(world: World, incident_id: IncidentId, typed: str, *, by: UserId) -> None:
    """Take in the service of this name, with its playbook; raises UserError.

    It is the incident's own where that has none yet. Publishing invites its people.
    """
    services = rules.service_names.served(world.config, world.playbooks)
    service = rules.service_names.one(typed, services)
    if not (await incidents.get(world, incident_id)).service:
        await incidents.choose_service(world, incident_id, service.id, previous="", by=by)
        return
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        rules.incidents.check_has_not(incident, service.id)
        now = world.now()
        changed = await _add(world, conn, incident, service)
        await tasks.create_step_tasks(conn, changed, now)
        entry = entries.ServiceAdded(service=service.id)
        await store.timeline.add(conn, incident_id, entry, at=now, by=by, text=service.title)


async def _add(world: World, conn: Conn, incident: Incident, service: ServiceName) -> Incident:
    """Add a copy of its playbook: one that fits alone is chosen, and of several people choose."""
    book, scenario = rules.fitting.choose(world.playbooks, service, incident.severity, "")
    added = FurtherPlaybook(playbook=book, scenario_id=scenario.id if scenario else None)
    playbooks = (*incident.further_playbooks, added)
    return await store.incidents.set_further_playbooks(conn, incident.id, playbooks)
