"""A person of the Slack workspace, and who belongs to a selection of people."""

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from bot.model.base import Model, UserId


class Person(Model):
    """Who somebody is, as Slack says now."""

    id: UserId
    name: str
    bot: bool = False
    guest: bool = False
    deactivated: bool = False
    external: bool = False


class GroupMembers(Model):
    """A user group: its id, and who is in it."""

    id: str
    members: frozenset[UserId]


class Duty(Model):
    """What somebody is on call for, by its id in PagerDuty.

    A schedule, or the first `levels` of an escalation policy.
    """

    schedule: Annotated[str, Field(pattern=r"^[A-Z0-9]{0,40}$")] = ""
    escalation_policy: Annotated[str, Field(pattern=r"^[A-Z0-9]{0,40}$")] = ""
    levels: Annotated[int, Field(strict=True, ge=1, le=20)] = 1

    @property
    def name(self) -> str:
        """As people find it in the configuration: its kind and id."""
        if self.schedule:
            return f"the schedule {self.schedule}"
        return f"the escalation policy {self.escalation_policy}"


class OnDuty(Model):
    """Somebody on call, as the paging service says.

    `duty` is the name of the schedule or of the policy, `until` is None where it does not end.
    """

    name: str
    email: str
    duty: str
    level: int
    until: datetime | None


class OnCallMember(Model):
    """A user of Slack who is on call: for what, on which level, and until when, if it ends."""

    user: UserId
    duty: str
    level: int = 1
    until: datetime | None = None


class Membership(Model):
    """Who the selected people are: `users` are named one by one.

    `groups` has the user groups by the name that the configuration gives them, a handle or an id.
    `unanswered` says of what is not known who is on call, and why; `unmatched` are the names of
    people on call whom nobody found in Slack.
    """

    users: frozenset[UserId] = frozenset()
    groups: Mapping[str, GroupMembers] = {}
    on_call: tuple[OnCallMember, ...] = ()
    unanswered: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def written(self) -> frozenset[UserId]:
        """Those whom the configuration names, by themselves or by their group."""
        return self.users.union(*(group.members for group in self.groups.values()))

    @property
    def everybody(self) -> frozenset[UserId]:
        """All of them."""
        return self.written.union(member.user for member in self.on_call)

    def only(self, names: Container[str]) -> Self:
        """The same with these groups alone."""
        groups = {name: group for name, group in self.groups.items() if name in names}
        return self.model_copy(update={"groups": groups})

    def __contains__(self, user_id: object) -> bool:
        return user_id in self.everybody

    def group_of(self, user_id: UserId) -> str:
        """The id of the first group that somebody belongs to, or else what they are on call for.

        Empty for somebody who is named.
        """
        groups = [group.id for group in self.groups.values() if user_id in group.members]
        if user_id not in self.users:
            groups += [member.duty for member in self.on_call if member.user == user_id]
        return next(iter(groups), "")
