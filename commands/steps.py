"""The buttons of playbook steps and of requests for a change."""

import asyncio
from datetime import datetime
from typing import Any

from pydantic import Field

from bot import flows, rules
from bot.actions.base import Action, Change, Manual, Read
from bot.flows import endings, temporary_changes
from bot.model import (
    Execution,
    ExecutionId,
    FoundStep,
    Incident,
    IncidentId,
    Model,
    ReminderId,
    Step,
    UserError,
)
from bot.views import execution as execution_view
from bot.views import modals
from bot.world import World
from commands import tasks
from commands.form_errors import NonBlankText
from commands.interactions import Interaction


class StepForm(Model):
    """Why the change is needed, and the parameters that people filled in."""

    reason: NonBlankText
    params: dict[str, Any] = Field(default_factory=dict)


class DenyForm(Model):
    """Why the request is denied."""

    reason: NonBlankText


class GlassForm(Model):
    """Why the glass is broken."""

    reason: NonBlankText


def parse_form(world: World, interaction: Interaction, values: dict[str, Any]) -> StepForm:
    """The form of a step; its action checks each parameter. Raises ValidationError.

    A form of an unknown action passes: `submit` refuses it, once the form is closed.
    """
    params = {name: value for name, value in values.items() if name != "reason"}
    action = world.actions.get(str(interaction.private_metadata.get("action")))
    if action is not None:
        _check_params(action, params)
    reason = {name: value for name, value in values.items() if name == "reason"}
    return StepForm.model_validate({**reason, "params": params})


def _check_params(action: type[Action], params: dict[str, Any]) -> None:
    """Validate each parameter by itself: the playbook gives the others. Raises ValidationError."""
    for name, value in params.items():
        blank = action.model_construct()
        action.__pydantic_validator__.validate_assignment(blank, name, value)


async def press(world: World, interaction: Interaction) -> None:
    """A step's button was pressed: read, tick off, or open the form of a change."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    found = await flows.executions.find_open_step(world, incident.id, interaction.value)
    step = found.step
    if issubclass(_action_class(world, step), Change):
        await _open_form(world, interaction, incident, found, step.params)
        return
    action = flows.executions.build_action(world, step.action, step.params)
    if isinstance(action, Manual):
        task = await flows.tasks.of_step(world, incident.id, step)
        has_choice = action.choose_from is not None
        await tasks.finish_step(world, interaction, task, has_choice=has_choice)
    elif isinstance(action, Read):
        await flows.executions.run_read(world, incident.id, found, action, by=interaction.user_id)


def _action_class(world: World, step: Step) -> type[Action]:
    """The class of a step's action; raises UserError for one that this version lacks."""
    # `build_action` raises the error.
    return world.actions.get(step.action) or type(
        flows.executions.build_action(world, step.action, {})
    )


async def _open_form(
    world: World,
    interaction: Interaction,
    incident: Incident,
    found: FoundStep,
    params: dict[str, Any],
    reason: str = "",
) -> None:
    step, place = found
    metadata = interaction.metadata(incident=incident.id, step=step.id, action=step.action)
    action = _action_class(world, step)
    choices, ends = await asyncio.gather(
        flows.choices.of_step(world, place, step, params),
        endings.at_once(world, place, step.action, params, by=interaction.user_id),
    )
    service = world.config.of(place.service)
    form = modals.step(
        step,
        action,
        params,
        options=choices,
        ends=ends,
        approvals=rules.policy.expected_approvals(
            service, incident.severity, action.name, action.risk, world.now()
        ),
        has_budget=service.policy.has_budget,
        freeze=service.freeze_at(world.now()),
        metadata=metadata,
        reason=reason,
    )
    await interaction.open(form)


async def submit(world: World, interaction: Interaction, form: StepForm) -> None:
    """Plan the change and request approval; raises UserError for a step that changes nothing."""
    incident_id = IncidentId(interaction.private_metadata["incident"])
    step_id = interaction.private_metadata["step"]
    found = await flows.executions.find_open_step(world, incident_id, step_id)
    step = found.step
    params = {name: value for name, value in form.params.items() if name in step.ask}
    action = flows.executions.build_action(world, step.action, {**step.params, **params})
    if not isinstance(action, Change):
        raise UserError("This step changes nothing, so no approval was requested.")
    await flows.executions.propose(
        world, incident_id, found, action, form.reason, by=interaction.user_id
    )


async def ask_again(world: World, interaction: Interaction) -> None:
    """*Request again* was pressed: the same form, for a new plan."""
    execution = await flows.executions.get(world, _execution_id(interaction))
    incident = await flows.incidents.get(world, execution.incident_id)
    found = await flows.executions.find_open_step(world, incident.id, execution.step_id)
    await _open_form(world, interaction, incident, found, execution.params, execution.reason)


async def request_new_plan(world: World, interaction: Interaction) -> None:
    """*Request the new plan* was pressed: the same step and reason, planned as things are now."""
    await flows.executions.request_again(world, _execution_id(interaction), by=interaction.user_id)


async def undo(world: World, interaction: Interaction) -> None:
    """*Undo* was pressed."""
    await flows.executions.undo(world, _execution_id(interaction), by=interaction.user_id)


async def extend(world: World, interaction: Interaction) -> None:
    """*Extend 30 min* was pressed: the value has the execution and the end that people saw."""
    execution_id, _, seen_end = interaction.value.partition("@")
    if not seen_end:
        raise UserError("This button is out of date. Nothing was extended; press the newest one.")
    await temporary_changes.extend(
        world,
        ExecutionId(int(execution_id)),
        by=interaction.user_id,
        seen_end=datetime.fromisoformat(seen_end),
    )


async def check(world: World, interaction: Interaction) -> None:
    """*Check what happened* was pressed."""
    await flows.runs.verify_interrupted(world, _execution_id(interaction), by=interaction.user_id)


async def approve(world: World, interaction: Interaction) -> None:
    """*Approve* was pressed: it counts, or who pressed gets a link to confirm it outside Slack."""
    execution_id, by = _execution_id(interaction), interaction.user_id
    link = await flows.second_step.approve(world, execution_id, by=by)
    if link is not None:
        notice = execution_view.confirm_notice(link)
        await interaction.show(notice.text, notice.blocks)


async def deny(world: World, interaction: Interaction) -> None:
    """*Deny* was pressed: open the form for the reason, for an approver or the requester."""
    execution = await flows.executions.get(world, _execution_id(interaction))
    await _open_denial(world, interaction, execution)


async def withdraw(world: World, interaction: Interaction) -> None:
    """*Withdraw* was pressed: the same form, for the requester alone."""
    execution = await flows.executions.get(world, _execution_id(interaction))
    rules.permissions.check_may_withdraw(execution, interaction.user_id)
    await _open_denial(world, interaction, execution)


async def _open_denial(world: World, interaction: Interaction, execution: Execution) -> None:
    await flows.approvals.check_may_deny(world, execution.id, by=interaction.user_id)
    metadata = interaction.metadata(execution=execution.id)
    is_own = interaction.user_id == execution.requested_by
    await interaction.open(modals.deny(execution, is_own=is_own, metadata=metadata))


async def submit_deny(world: World, interaction: Interaction, form: DenyForm) -> None:
    """Deny the request, or withdraw one's own."""
    execution_id = ExecutionId(interaction.private_metadata["execution"])
    await flows.approvals.deny(world, execution_id, form.reason, by=interaction.user_id)


async def break_glass(world: World, interaction: Interaction) -> None:
    """*Break glass* was pressed: open the form for the reason, for the commander."""
    execution = await flows.break_glass.check_may_break(
        world, _execution_id(interaction), by=interaction.user_id
    )
    service = world.config.of(execution.place.service)
    metadata = interaction.metadata(execution=execution.id)
    freeze = service.freeze_at(world.now())
    await interaction.open(modals.break_glass(execution, freeze, metadata=metadata))


async def submit_glass(world: World, interaction: Interaction, form: GlassForm) -> None:
    """Break the glass: the request runs now."""
    execution_id = ExecutionId(interaction.private_metadata["execution"])
    await flows.break_glass.break_glass(world, execution_id, form.reason, by=interaction.user_id)


async def snooze(world: World, interaction: Interaction) -> None:
    """*Snooze 5*, *10* or *15 min* was pressed: the button's id ends with the minutes."""
    minutes = int(interaction.action_id.rsplit(".", 1)[1])
    reminder_id = ReminderId(int(interaction.value))
    await flows.reminders.snooze(world, reminder_id, minutes, by=interaction.user_id)


def _execution_id(interaction: Interaction) -> ExecutionId:
    """The execution of the button that was pressed."""
    return ExecutionId(int(interaction.value))
