"""Customer messages: drafted from the playbook, approved word for word, posted once.

Before the incident is resolved they say what is wrong, and after that, that it is over.
"""

from typing import NamedTuple

from bot import rules, store
from bot.actions.customers import PostCustomerMessage
from bot.flows import approvals, executions, incidents
from bot.flows.lookups import Decider, load_decider
from bot.flows.transactions import lock, lock_open
from bot.model import (
    ChannelId,
    Execution,
    ExecutionId,
    ExecutionState,
    FoundStep,
    Incident,
    IncidentId,
    Phase,
    Step,
    TemporaryChange,
    Update,
    UserError,
    UserId,
)
from bot.store.db import Conn
from bot.views import text, timeline
from bot.world import World

STEP = Step(
    id="tell-customers",
    title="Customer message",
    phase=Phase.IMMEDIATE,
    action=rules.permissions.CUSTOMER_MESSAGE,
)
ALL_CLEAR = STEP.model_copy(
    update={"id": rules.customers.ALL_CLEAR, "title": "All-clear for customers"}
)

MOST_NAMED = 4  # incidents that a warning names


class Trouble(NamedTuple):
    """What customers still notice: changes in force, and the services' other open incidents."""

    changes: tuple[TemporaryChange, ...] = ()
    incidents: tuple[Incident, ...] = ()


async def draft(world: World, incident: Incident, typed: str = "") -> str:
    """What a person typed, or the playbook's text; raises UserError when none may be sent."""
    await check_may_be_told(world, incident)
    if typed:
        return typed
    if not incident.open:
        return await draft_all_clear(world, incident)
    return timeline.customer_message(incident, await _latest_update(world, incident))


async def draft_all_clear(world: World, incident: Incident) -> str:
    """The playbook's text that it is over, also while the incident is about to be resolved."""
    return timeline.all_clear(incident, await _latest_update(world, incident))


async def _latest_update(world: World, incident: Incident) -> Update | None:
    async with world.pool.connection() as conn:
        updates = await store.updates.of_incident(conn, incident.id)
    return updates[-1] if updates else None


async def what_happens(world: World, incident: Incident, *, all_clear: bool) -> text.Mrkdwn:
    """What becomes of a message: who approves it (it is a `change`), and where it is posted.

    Of an all-clear also why it may be too early.
    """
    config = world.config.of(incident.service)
    channel = world.workspace.channel(config.channels.customers)
    trouble = await _look_for_trouble(world, incident) if all_clear else Trouble()
    return text.render(
        "customer_form",
        channel=channel,
        approvals=rules.policy.expected_approvals(
            config,
            incident.severity,
            rules.permissions.CUSTOMER_MESSAGE,
            PostCustomerMessage.risk,
            world.now(),
        ),
        local=True,
        **trouble._asdict(),
    )


async def _look_for_trouble(world: World, incident: Incident) -> Trouble:
    """What speaks against an all-clear of this incident."""
    async with world.pool.connection() as conn:
        in_force = await store.temporary_changes.not_ended(conn)
        services = incident.services
        others = await store.incidents.list_open(conn, MOST_NAMED, services=services)
    return Trouble(in_force, tuple(other for other in others if other.id != incident.id))


async def check_may_be_told(world: World, incident: Incident) -> None:
    """Raise UserError where customers are told nothing of this incident, or nothing more."""
    executions = await _executions(world, incident)
    rules.customers.check_may_be_told(incident, executions)


async def last_told(world: World, incident: Incident) -> Execution | None:
    """What customers were told last, where they were not told yet that it is over."""
    executions = await _executions(world, incident)
    awaits = rules.customers.await_all_clear(executions)
    return rules.customers.last_told(executions) if awaits else None


async def _executions(world: World, incident: Incident) -> tuple[Execution, ...]:
    return await executions.of_incident(world, incident.id)


def target_channel(world: World, incident: Incident) -> ChannelId | None:
    """The channel for customers; else the incident's own, from where it is copied."""
    config = world.config.of(incident.service)
    return world.workspace.channel(config.channels.customers) or incident.channel_id


async def propose(
    world: World, incident_id: IncidentId, words: str, *, all_clear: bool, by: UserId
) -> None:
    """Request approval of exactly this text; raises UserError."""
    step = ALL_CLEAR if all_clear else STEP
    found, action = await _build_message_action(world, incident_id, step, words)
    warnings = await _warnings(world, incident_id, step)
    await executions.propose(world, incident_id, found, action, "", by=by, warnings=warnings)


async def _warnings(world: World, incident_id: IncidentId, step: Step) -> tuple[str, ...]:
    """What whoever approves a text should know first."""
    if step is not ALL_CLEAR:
        return ()
    trouble = await _look_for_trouble(world, await incidents.get(world, incident_id))
    lines = text.render_unescaped("_too_early", **trouble._asdict(), local=False).splitlines()
    return tuple(line for line in lines if line)


async def replace(
    world: World, incident_id: IncidentId, old: Execution, words: str, *, by: UserId
) -> None:
    """Request approval of another text instead of the old one; raises UserError for both."""
    step = ALL_CLEAR if rules.customers.is_all_clear(old) else STEP
    found, action = await _build_message_action(world, incident_id, step, words)
    decider = await load_decider(world, by, old)
    warnings = await _warnings(world, incident_id, step)

    async def withdraw(conn: Conn) -> None:
        # Before the request is locked, as resolving the incident does.
        await (lock if step is ALL_CLEAR else lock_open)(conn, incident_id)
        await _withdraw(world, conn, old.id, decider)

    async with approvals.record_refusals(world, old.id, by):
        await executions.propose(
            world,
            incident_id,
            found,
            action,
            "",
            by=by,
            warnings=warnings,
            before_insert=withdraw,
        )


async def _build_message_action(
    world: World, incident_id: IncidentId, step: Step, words: str
) -> tuple[FoundStep, PostCustomerMessage]:
    """The message and its step; raises UserError where customers are told nothing of it."""
    incident = await incidents.get(world, incident_id)
    await check_may_be_told(world, incident)
    params = {"text": words, "channel": target_channel(world, incident) or ""}
    action = executions.build_action(world, step.action, params)
    assert isinstance(action, PostCustomerMessage)
    return FoundStep(step, step.place(incident.service)), action


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
        reason = "Other words were requested instead"
        await approvals.deny_in_transaction(world, conn, execution_id, reason, decider, edited=True)


def message_text(execution: Execution) -> str:
    """What a request says."""
    return str(execution.params.get("text", ""))
