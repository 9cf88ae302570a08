"""Decisions about the second step outside Slack, which some approvals need to count."""

from datetime import datetime, timedelta

from bot.config import Policy
from bot.model import Confirmation, Execution, Requirement, Risk, SecondStep, UserError, UserId

LASTS = timedelta(minutes=5)
UNKNOWN = "This link is not valid, or a newer one took its place. Nothing was approved."
PRESS_AGAIN = "Nothing was approved; press *Approve* in Slack again."


def second_step(policy: Policy, risk: Risk, asked: Requirement) -> SecondStep | None:
    """What each approval of a request needs besides; nothing where it needs no approval."""
    return policy.second_step.of(risk) if asked.approvals else None


def check_known(execution: Execution) -> None:
    """Raise UserError for a step that only a newer version of the bot knows."""
    if execution.second_step is not None and not execution.second_step.known:
        raise UserError(
            "A newer version of the bot asks for a second step that this one does not know. "
            "Nothing was approved; try again once every replica has the newer version."
        )


def check_person(confirmation: Confirmation, person: UserId | None) -> None:
    """Raise UserError unless who is signed in pressed *Approve* in Slack."""
    if person != confirmation.user_id:
        raise UserError(
            f"This link is <@{confirmation.user_id}>'s, and you are signed in as somebody else. "
            "Nothing was approved."
        )


def check_usable(confirmation: Confirmation, execution: Execution, now: datetime) -> None:
    """Raise UserError for a link that was used, is too old, or is about another plan."""
    if confirmation.confirmed_at is not None:
        raise UserError(
            f"You have confirmed this already, at {confirmation.confirmed_at:%Y-%m-%d %H:%M:%S} "
            "UTC. Nothing more was approved."
        )
    if confirmation.expires_at <= now:
        raise UserError(f"This link has expired. {PRESS_AGAIN}")
    if confirmation.plan_digest != execution.plan_digest:
        raise UserError(f"This link is about another plan. {PRESS_AGAIN}")
