"""People and channels, as the configuration names them."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from bot.model import Model


class MemberSelector(Model):
    """A selection of people: by Slack user id, and by the handle or id of a user group."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it selects nobody."""
        return self == MemberSelector()

    @classmethod
    def union(cls, selectors: Iterable[Self]) -> Self:
        """All whom any of them selects."""
        all_of_them = tuple(selectors)
        return cls(
            **{
                name: tuple(
                    dict.fromkeys(who for each in all_of_them for who in getattr(each, name))
                )
                for name in cls.model_fields
            }
        )


class Right(StrEnum):
    """What only the team may do in an incident, unless its policy lets anyone."""

    TAKE_COMMAND = "take-command"  # from somebody: whoever finds nobody in command may
    RESOLVE = "resolve"


class Channels(Model):
    """The channels, by name or id, for announcing incidents and for informing customers."""

    incidents: str = "incidents"
    customers: str = ""


class OnCallSource(Model):
    """The PagerDuty ids that select who is on call; without either, everybody on call counts."""

    schedule: str = ""
    escalation_policy: str = ""
