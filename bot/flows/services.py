"""The services of an incident: which it may take in beside its own, and taking one in."""

from bot import rules, store
from bot.flows import tasks
from bot.flows.transactions import changing, lock_open
from bot.model import Incident, IncidentId, UserError, UserId, entries
from bot.rules.services import ServiceName
from bot.world import World


def all_names(world: World) -> tuple[ServiceName, ...]:
    """The services that have a playbook, by their ids."""
    titles = {playbook.service: playbook.title for playbook in reversed(world.playbooks)}
    return tuple(
        ServiceName(service, world.config.of(service).title or title)
        for service, title in sorted(titles.items())
        if world.config.lists(service)
    )


def addable(world: World, incident: Incident) -> tuple[ServiceName, ...]:
    """The services that an incident can still take in."""
    return tuple(name for name in all_names(world) if name.id not in incident.services)


async def add(world: World, incident_id: IncidentId, typed: str, *, by: UserId) -> Incident:
    """Take in the service of this id or title, with its playbook; raises UserError.

    Its people are invited by publishing.
    """
    name = rules.services.find(typed, all_names(world))
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        if name.id in incident.services:
            raise UserError(f"{incident.name} already has {name.id}. Nothing was added.")
        added = rules.services.further_playbook(world.playbooks, name.id, incident.severity)
        playbooks = (*incident.further_playbooks, added)
        changed = await store.incidents.set_further_playbooks(conn, incident_id, playbooks)
        now = world.now()
        await tasks.create_step_tasks(conn, changed, now)
        entry = entries.ServiceAdded(service=name.id)
        await store.timeline.add(conn, incident_id, entry, at=now, by=by, text=name.title)
    return changed
