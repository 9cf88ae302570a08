"""The second step of an approval, outside Slack, whose administrators can join any group.

Whoever approved in Slack gets a link, which stands behind the firm's own sign-in. The approval
counts once the same person confirms it there: once, for this plan, within five minutes.
"""

import hashlib
import secrets
from typing import NamedTuple

from bot import rules, store
from bot.flows import approvals, runs
from bot.flows.lookups import Decider, get
from bot.flows.transactions import changing_several, log_execution
from bot.model import Confirmation, Execution, ExecutionId, UserError, UserId, entries
from bot.world import World


class Opened(NamedTuple):
    """A link that somebody opened: what they confirm, and as whom."""

    confirmation: Confirmation
    execution: Execution


async def approve(world: World, execution_id: ExecutionId, *, by: UserId) -> str | None:
    """Approve a request; the link where the approval is to be confirmed outside Slack, else None.

    Raises UserError when it is refused, which the timeline records.
    """
    execution = await get(world, execution_id)
    if execution.second_step is None:
        await approvals.approve(world, execution_id, by=by)
        return None
    decider = await approvals.decider(world, execution, by)
    async with approvals.record_refusals(world, execution_id, by):
        token = await _ask(world, execution_id, decider)
    return _link(world, token)


def _link(world: World, token: str) -> str:
    if world.config.sign_in is None:
        raise UserError(
            "RUNBOLT_CONFIG names no sign_in any more, so this cannot be confirmed. Nothing was "
            "approved; put sign_in back, and restart the bot."
        )
    return f"{world.config.sign_in.url.rstrip('/')}/approve/{token}"


async def _ask(world: World, execution_id: ExecutionId, decider: Decider) -> str:
    """Ask for the second step of an approval that would count now; raises UserError."""
    token = secrets.token_urlsafe(32)
    async with changing_several(world) as (conn, changed):
        execution = await approvals.lock_for_approval(world, conn, execution_id, decider)
        now = world.now()
        asked = Confirmation(
            execution_id=execution_id,
            user_id=decider.person.id,
            token_hash=_hashed(token),
            plan_digest=execution.plan_digest or "",
            asked_at=now,
            expires_at=now + rules.second_step.LASTS,
            confirmed_at=None,
        )
        await store.confirmations.ask(conn, asked)
        entry = entries.AskedToConfirm()
        await log_execution(conn, execution, entry, at=now, by=decider.person.id)
        changed.add(execution.incident_id)
    return token


async def opened(world: World, token: str, email: str) -> Opened:
    """What a link is about, for its owner alone; changes nothing. Raises UserError."""
    link = await _find(world, token)
    rules.second_step.check_person(link.confirmation, await _person(world, link.execution, email))
    rules.second_step.check_usable(link.confirmation, link.execution, world.now())
    return link


async def confirm(world: World, token: str, email: str) -> Execution:
    """Count an approval, once its owner confirms it; raises UserError, which is recorded."""
    confirmation, execution = await _find(world, token)
    person = await _person(world, execution, email)
    async with approvals.record_refusals(world, execution.id, person or confirmation.user_id):
        rules.second_step.check_person(confirmation, person)
        decider = await approvals.decider(world, execution, confirmation.user_id)
        approved = await _count(world, confirmation.token_hash, decider)
    runs.start_if_approved(world, approved)
    return approved


async def _count(world: World, token_hash: str, decider: Decider) -> Execution:
    async with changing_several(world) as (conn, changed):
        confirmation = await store.confirmations.find(conn, token_hash)
        if confirmation is None:
            raise UserError(rules.second_step.UNKNOWN)
        # Who confirms at the same time waits here for the row, and then reads what became of it.
        execution = await approvals.lock_for_approval(
            world, conn, confirmation.execution_id, decider
        )
        now = world.now()
        rules.second_step.check_usable(confirmation, execution, now)
        if not await store.confirmations.confirm(conn, token_hash, now):
            raise UserError(rules.second_step.UNKNOWN)
        approved = await approvals.add(world, conn, execution, decider)
        changed.add(approved.incident_id)
        return approved


async def _find(world: World, token: str) -> Opened:
    async with world.pool.connection() as conn:
        confirmation = await store.confirmations.find(conn, _hashed(token))
    if confirmation is None:
        raise UserError(rules.second_step.UNKNOWN)
    return Opened(confirmation, await get(world, confirmation.execution_id))


async def _person(world: World, execution: Execution, email: str) -> UserId | None:
    """Who signed in: as the configuration says, or else by their e-mail address in Slack."""
    people = world.config.of(execution.place.service).people
    if email in people:
        return UserId(people[email])
    return await world.directory.find_by_email(email)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
