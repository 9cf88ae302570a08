"""The second step of an approval: the same person confirms it outside Slack."""

from datetime import datetime

from bot.model.base import ExecutionId, Model, OpenEnum, UserId


class SecondStep(OpenEnum):
    """How an approval is confirmed outside Slack."""

    LINK = "link"


class Confirmation(Model):
    """Somebody who approved in Slack, and who confirms it until a time, or has at another.

    It is bound to one plan. Of the link, only the hash of its token is kept.
    """

    execution_id: ExecutionId
    user_id: UserId
    token_hash: str
    plan_digest: str
    asked_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
