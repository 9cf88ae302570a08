"""Who can approve a request at the moment, and what follows where nobody else is on call."""

from datetime import datetime

from pydantic import ConfigDict

from bot.model.base import Model, OpenEnum, UserId
from bot.model.person import OnCallMember


class AloneChoice(OpenEnum):
    """What happens when nobody on call but who asks can approve."""

    WAIT = "wait"
    NEXT_LEVEL = "next_level"
    BREAK_GLASS = "break_glass"


class Availability(Model):
    """Who could approve a request when somebody looked, without those who requested it.

    `groups` are the ids of the user groups of which anybody can. `unanswered` says what is not
    known of who is on call, `unmatched` names people on call whom nobody found in Slack. `alone` is
    what the policy says where nobody else is on call; `called` are the people of the next level.
    """

    # What a newer version keeps besides is carried along.
    model_config = ConfigDict(extra="allow")

    at: datetime
    on_call: tuple[OnCallMember, ...] = ()
    people: tuple[UserId, ...] = ()
    groups: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    alone: AloneChoice | None = None
    called: tuple[OnCallMember, ...] = ()
