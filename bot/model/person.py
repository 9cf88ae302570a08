"""A person of the Slack workspace, and who belongs to a selection of people."""

from collections.abc import Container, Mapping
from typing import Self

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


class Membership(Model):
    """Who the selected people are: `users` are named one by one.

    `groups` has the user groups by the name that the configuration gives them, a handle or an id.
    """

    users: frozenset[UserId] = frozenset()
    groups: Mapping[str, GroupMembers] = {}

    @property
    def everybody(self) -> frozenset[UserId]:
        """All of them."""
        return self.users.union(*(group.members for group in self.groups.values()))

    def only(self, names: Container[str]) -> Self:
        """The same with these groups alone."""
        groups = {name: group for name, group in self.groups.items() if name in names}
        return self.model_copy(update={"groups": groups})

    def __contains__(self, user_id: object) -> bool:
        return user_id in self.everybody

    def group_of(self, user_id: UserId) -> str:
        """The id of the first group that somebody belongs to; empty where none has them."""
        groups = (group.id for group in self.groups.values() if user_id in group.members)
        return next(groups, "")
