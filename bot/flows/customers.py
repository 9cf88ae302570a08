"""What customers are told: drafted from the playbook, approved word for word, posted once."""

from bot import rules, store
from bot.actions import Change
from bot.flows import approvals, executions, incidents
from bot.model import (
    ChannelId,
    Execution,
    ExecutionId,
    Incident,
    IncidentId,
    Phase,
    State,
    Step,
    UserError,
    UserId,
)
from bot.views import timeline
from bot.world import World

STEP = Step(
    id="tell-customers",
    title="Customer message",
    phase=Phase.IMMEDIATE,
    action="customer-message",
)


async def draft(world: World, incident: Incident) -> str:
    """The playbook's words, filled in; raises UserError where customers are not told."""
    _check_are_told(incident)
    async with world.pool.connection() as conn:
        updates = await store.updates.of_incident(conn, incident.id)
    return timeline.customer_message(incident, updates[-1] if updates else None)


def where(world: World, incident: Incident) -> ChannelId | None:
    """The channel for customers; else the incident's own, from where it is copied."""
    return world.home.customers or incident.channel_id


async def propose(world: World, id: IncidentId, words: str, *, by: UserId) -> None:
    """Ask for approval of exactly these words; raises UserError."""
    incident = await incidents.get(world, id)
    _check_are_told(incident)
    params = {"text": words, "channel": where(world, incident) or ""}
    action = executions.build(world, STEP.action, params)
    assert isinstance(action, Change)
    await executions.propose(world, id, STEP, action, "", by=by)


async def withdraw(world: World, id: ExecutionId, *, by: UserId) -> None:
    """Take back a request whose words are being replaced; raises UserError once it is too late."""
    old = await executions.get(world, id)
    if old.state in (State.PROPOSED, State.APPROVED):
        await approvals.deny(world, id, "Replaced by other words", by=by)
    elif old.state is State.RUNNING or old.checked is not None:
        raise UserError(
            "These words were approved meanwhile, so the other ones were not asked for. For "
            "another message say /incident customer."
        )


def words_of(run: Execution) -> str:
    """What a request says."""
    return str(run.params.get("text", ""))


def _check_are_told(incident: Incident) -> None:
    if not incident.open:
        raise UserError(f"{incident.name} is resolved already, so nothing was done.")
    if not rules.are_told(incident):
        told = [severity.label for severity in rules.told_at(incident.playbook)]
        raise UserError(
            f"Customers are told of {' and '.join(told) or 'nothing in this playbook'}, and "
            f"{incident.name} is {incident.severity.label}, so nothing was done. If it is worse, "
            "say so first with /incident severity."
        )
