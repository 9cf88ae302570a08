"""What every flow about executions looks up: the step, its action, and the execution itself."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from bot import on_call, rules, store
from bot.actions.base import Action, Change
from bot.config import MemberSelector
from bot.flows import incidents
from bot.model import (
    Duty,
    Execution,
    ExecutionId,
    FoundStep,
    IncidentId,
    Membership,
    Person,
    UserError,
    UserId,
)
from bot.playbooks import validation
from bot.world import World


async def find_open_step(world: World, incident_id: IncidentId, step_id: str) -> FoundStep:
    """The step of an open incident's scenarios.

    Raises UserError when the incident is resolved, or no scenario has such a step.
    """
    incident = await incidents.get(world, incident_id)
    rules.incidents.check_open(incident)
    found = incident.step(step_id)
    if found is None:
        raise UserError(
            "This step is not in the incident's playbook. Nothing was done. If another playbook "
            "has it, choose that one with `/incident playbook`."
        )
    return FoundStep(found.step, world.services.named(found.place))


def build_action(world: World, name: str, params: dict[str, Any]) -> Action:
    """The action with its parameters; raises UserError for an unknown one or a wrong parameter."""
    action_class = world.actions.get(name)
    if action_class is None:
        raise UserError(f"This version of the bot has no action “{name}”. Nothing was done.")
    try:
        return action_class.model_validate(params)
    except ValidationError as error:
        problem = validation.explain_with_field(error.errors()[0], name)
        raise UserError(
            f"The parameters of “{name}” are not valid ({problem}). Nothing was done."
        ) from error


def build_undo(world: World, original: Execution) -> Change:
    """The action that undoes an execution; raises UserError where there is nothing to undo."""
    if original.plan is None or original.plan.undo is None or original.check_passed is None:
        raise UserError("There is nothing to undo here.")
    undo_action = build_action(world, original.plan.undo.action, original.plan.undo.params)
    assert isinstance(undo_action, Change)
    return undo_action


class Decider(NamedTuple):
    """Somebody who decides about production, and the approvers at that moment."""

    person: Person
    approvers: Membership


async def load_decider(
    world: World, by: UserId, execution: Execution, called: Sequence[Duty] = ()
) -> Decider:
    """Read now who this person is, and who approves such a change; raises UserError.

    `called` are on call for more than the list names, and were called for the one request that
    this is about. Nothing here comes from a cache, and no locked row waits for it.
    """
    config = world.config.of(execution.place.service)
    person, approvers = await asyncio.gather(
        world.directory.fetch_user(by),
        on_call.membership(world, config, approvers_of(world, execution), called),
    )
    return Decider(person, approvers)


def approvers_of(world: World, execution: Execution) -> MemberSelector:
    """Who approves a request, as the configuration says now."""
    service = world.config.of(execution.place.service)
    return rules.policy.approvers_of(service, execution)


async def get(world: World, execution_id: ExecutionId) -> Execution:
    """The execution with this id; raises UserError when there is none."""
    async with world.pool.connection() as conn:
        execution = await store.executions.get(conn, execution_id)
    if execution is None:
        raise UserError("This request no longer exists. Nothing was done.")
    return execution
