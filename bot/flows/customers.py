"""Customer messages: drafted from the playbook, approved word for word, posted once."""

from bot import rules, store
from bot.actions.base import Change
from bot.flows import approvals, executions, incidents
from bot.flows.lookups import Decider, load_decider
from bot.flows.transactions import lock_open
from bot.model import (
    ChannelId,
    Execution,
    ExecutionId,
    ExecutionState,
    Incident,
    IncidentId,
    Phase,
    Step,
    UserError,
    UserId,
)
from bot.store.db import Conn
from bot.views import timeline
from bot.world import World

STEP = Step(
    id="tell-customers",
    title="Customer message",
    phase=Phase.IMMEDIATE,
    action=rules.permissions.CUSTOMER_MESSAGE,
)


async def draft(world: World, incident: Incident, typed: str = "") -> str:
    """What a person typed, or the playbook's text; raises UserError when none may be sent."""
    rules.permissions.check_informs_customers(incident)
    if typed:
        return typed
    async with world.pool.connection() as conn:
        updates = await store.updates.of_incident(conn, incident.id)
    return timeline.customer_message(incident, updates[-1] if updates else None)


def target_channel(world: World, incident: Incident) -> ChannelId | None:
    """The channel for customers; else the incident's own, from where it is copied."""
    return world.workspace.customer_channel or incident.channel_id


async def propose(world: World, incident_id: IncidentId, text: str, *, by: UserId) -> None:
    """Request approval of exactly this text; raises UserError."""
    action = await _build_message_action(world, incident_id, text)
    await executions.propose(world, incident_id, STEP, action, "", by=by)


async def replace(
    world: World, incident_id: IncidentId, old: ExecutionId, text: str, *, by: UserId
) -> None:
    """Request approval of another text and withdraw the old request; raises UserError for both."""
    action = await _build_message_action(world, incident_id, text)
    decider = await load_decider(world, by)

    async def withdraw(conn: Conn) -> None:
        # Before the request is locked, as resolving the incident does.
        await lock_open(conn, incident_id)
        await _withdraw(world, conn, old, decider)

    async with approvals.record_refusals(world, old, by):
        await executions.propose(
            world, incident_id, STEP, action, "", by=by, before_insert=withdraw
        )


async def _build_message_action(world: World, incident_id: IncidentId, text: str) -> Change:
    incident = await incidents.get(world, incident_id)
    rules.permissions.check_informs_customers(incident)
    params = {"text": text, "channel": target_channel(world, incident) or ""}
    action = executions.build_action(world, STEP.action, params)
    assert isinstance(action, Change)
    return action


async def _withdraw(world: World, conn: Conn, execution_id: ExecutionId, decider: Decider) -> None:
    old = await store.executions.lock(conn, execution_id)
    if (
        old is None
        or old.state in (ExecutionState.RUNNING, ExecutionState.INTERRUPTED)
        or old.check_passed is not None
    ):
        raise UserError(
            "The old message was approved meanwhile, so the new one was not requested. To write "
            "another, use `/incident customer`."
        )
    if old.state in (ExecutionState.PROPOSED, ExecutionState.APPROVED):
        await approvals.deny_in_transaction(
            world, conn, execution_id, "Replaced by other words", decider
        )


def message_text(execution: Execution) -> str:
    """What a request says."""
    return str(execution.params.get("text", ""))
