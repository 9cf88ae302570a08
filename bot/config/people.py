"""People and channels, as the configuration names them."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from bot.model import Duty, Model

UserName = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,20}$")]
Address = Annotated[str, Field(pattern=r"^[^@\s]{1,64}@[^@\s]{1,189}$"), AfterValidator(str.lower)]


class DutySelector(Duty):
    """Who is on call at the moment: one schedule, or the first levels of an escalation policy."""

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if bool(self.schedule) == bool(self.escalation_policy):
            raise ValueError("expects a schedule or an escalation_policy, and not both")
        if self.schedule and "levels" in self.model_fields_set:
            raise ValueError("levels are those of an escalation_policy; a schedule has none")
        return self


class MemberSelector(Model):
    """A selection of people.

    By Slack user id, by the handle or id of a user group, and by what they are on call for.
    """

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    on_call: tuple[DutySelector, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it selects nobody."""
        return self == MemberSelector()

    @property
    def is_open_ended(self) -> bool:
        """Whether it may select any number of people: a group grows, a shift changes."""
        return bool(self.groups or self.on_call)

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
