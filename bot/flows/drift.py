"""Why an approved plan does not fit any more: what changed, and which execution changed it."""

import logging
from typing import NamedTuple

from bot import rules, store
from bot.actions.base import Change
from bot.flows.lookups import build_action
from bot.model import Difference, Execution, Plan, UserError
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)


class Drifted(UserError):
    """The plan differs now from the one that was approved; `current` is the new one."""

    def __init__(self, current: Plan) -> None:
        super().__init__("The plan differs from the one that was approved. Nothing was done.")
        self.current = current


class Refusal(NamedTuple):
    """Why it was not done; `replanned` says that another plan fits what is there now."""

    sentence: str
    replanned: bool = False


async def explain(world: World, execution: Execution, action: Change, error: UserError) -> Refusal:
    """Say why an approved change was not done; an error of what has not changed stands as it is."""
    assert execution.plan is not None
    differences = await _differences(world, execution, action, execution.plan)
    current = error.current if isinstance(error, Drifted) else None
    if current is None and not differences:
        return Refusal(str(error))
    if current is None:
        current = await _plan(world, execution, action)
    sentence = text.render_unescaped(
        "drifted",
        differences=differences or _facts(execution.plan, current),
        approved=execution.plan,
        current=current,
        error=str(error),
    )
    return Refusal(sentence, replanned=current is not None)


def _facts(approved: Plan, current: Plan | None) -> tuple[Difference, ...]:
    """What differs between the plans themselves, where the action cannot tell more."""
    if current is None:
        return ()
    return tuple(Difference(what=fact) for fact in rules.changes.changed_facts(approved, current))


async def describe_undo(world: World, original: Execution, undo_action: Change, plan: Plan) -> Plan:
    """The plan of an undo, with what it leads back to, and what changed since."""
    alarms = plan.alarms or rules.changes.undo_alarms(original) or await _failed_check(world, plan)
    changed = ""
    if original.undo_digest != plan.digest:
        changed = await _since_change(world, original, undo_action)
    warnings = (*plan.warnings, changed) if changed else plan.warnings
    return plan.model_copy(update={"alarms": alarms, "warnings": warnings})


async def _failed_check(world: World, plan: Plan) -> tuple[str, ...]:
    """That a rollback leads back to a pod template whose check failed when it was left last."""
    template = plan.fingerprint.get("to_template")
    if template is None:
        return ()
    async with world.pool.connection() as conn:
        left = await store.executions.latest_with_template(conn, plan.target, template)
    if left is None or left.check_passed is not False or left.evidence.undone_outside:
        return ()
    origin = f"“{left.title}” of INC-{left.incident_id}"
    return (f"This leads back to what {origin} left, and its check failed.",)


async def _since_change(world: World, original: Execution, undo_action: Change) -> str:
    """What changed since a change ended, which its undo may change too; empty if not known."""
    action = build_action(world, original.action, original.params)
    assert isinstance(action, Change)
    assert original.plan is not None
    as_left = action.as_left(original.plan, original.evidence)
    if as_left is None or original.finished_at is None:
        return ""
    ended = original.model_copy(update={"requested_at": original.finished_at})
    differences = await _differences(world, ended, undo_action, as_left)
    return text.render_unescaped("changed_since", differences=differences, original=original)


async def _differences(
    world: World, execution: Execution, action: Change, approved: Plan
) -> tuple[Difference, ...]:
    async with world.pool.connection() as conn:
        others = await store.executions.applied_since(
            conn, approved.target, execution.requested_at, but=execution.id
        )
    try:
        systems = world.services.systems(execution.place)
        return await action.differences(systems.for_reading(), approved, others)
    except UserError as error:
        log.info("what changed since execution %s was planned: %s", execution.id, error)
        return ()


async def _plan(world: World, execution: Execution, action: Change) -> Plan | None:
    """The plan as it would be now; None where there is none."""
    try:
        return await action.plan(world.services.systems(execution.place).for_planning())
    except UserError:
        return None
