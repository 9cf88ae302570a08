"""The status that the card proposes: take it, or keep the present one."""

from bot import rules, store
from bot.flows import incidents
from bot.flows.transactions import changing, lock_open
from bot.model import ExecutionId, Incident, IncidentId, UserId, entries
from bot.rules.next_status import Proposal
from bot.store.db import Conn
from bot.world import World


async def take(
    world: World, incident_id: IncidentId, execution_id: ExecutionId, *, by: UserId
) -> None:
    """Change to the status that was proposed after this execution; raises UserError."""
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        status = (await _find(conn, incident, execution_id)).status
        await incidents.change_locked(world, conn, incident, status, by=by, proposed=True)


async def keep(
    world: World, incident_id: IncidentId, execution_id: ExecutionId, *, by: UserId
) -> None:
    """Decline that status, so that it is not proposed again; raises UserError."""
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        proposed = await _find(conn, incident, execution_id)
        entry = entries.StatusKept(
            status=incident.status.value, proposed=proposed.status.value, execution=execution_id
        )
        plan = proposed.execution.plan
        text = plan.summary if plan else proposed.execution.title
        await store.timeline.add(conn, incident_id, entry, at=world.now(), by=by, text=text)


async def _find(conn: Conn, incident: Incident, execution_id: ExecutionId) -> Proposal:
    """What is proposed after this execution; raises UserError where it is no longer."""
    executions = await store.executions.of_incident(conn, incident.id)
    last = rules.next_status.last_made(executions)
    proposed = rules.next_status.proposal(
        incident,
        executions,
        await store.timeline.of_incident(conn, incident.id),
        await store.executions.applied_elsewhere(conn, last),
    )
    return rules.next_status.check_still_proposed(proposed, execution_id, incident)
