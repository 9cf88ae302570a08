"""Faults and changes in the workspace that a test or a person makes on purpose."""

from sandbox.slack.core import Core
from sandbox.slack.faults import Fault
from sandbox.slack.methods.conversations import close_channel
from sandbox.slack.model import Channel, Group, User
from sandbox.slack.workspace import Workspace


class Conditions:
    """Changes the conditions under which the app runs."""

    core: Core
    workspace: Workspace

    def fail(
        self,
        method: str,
        *,
        error: str | None = None,
        status: int | None = None,
        body: str | None = None,
        ratelimited: int | None = None,
        hang: bool = False,
        after: bool = False,
        times: int | None = 1,
    ) -> Fault:
        """Make the next calls of a method (`*`: all) fail; with `after`, once they took effect.

        `upload` and `response_url` name the two addresses that are no methods.
        """
        fault = Fault(method, error, status, body, ratelimited, hang, after, times)
        return self.core.faults.add(fault)

    def heal(self) -> None:
        """Remove every fault, and answer the calls that hang."""
        self.core.faults.heal()

    def expire_triggers(self) -> None:
        """Expire every trigger id."""
        for trigger in self.workspace.triggers.values():
            trigger.expired = True

    def expire_response_urls(self) -> None:
        """Expire every response_url."""
        for url in self.workspace.response_urls.values():
            url.made = float("-inf")

    def grant(self, *scopes: str) -> None:
        """Grant scopes to the app."""
        self.core.manifest.scopes.update(scopes)

    def revoke(self, *scopes: str) -> None:
        """Revoke scopes of the app."""
        self.core.manifest.scopes.difference_update(scopes)

    def use_free_plan(self, free: bool = True) -> None:
        """Switch to the free plan, or back with `free=False`."""
        self.core.free_plan = free

    def refuse_invitations_whole(self, *, naming: bool = True) -> None:
        """Invite nobody where one cannot come, whatever `force` says, and name who, or do not."""
        self.core.ignores_force, self.core.names_refused = True, naming

    def delete_message(self, channel: str, ts: str) -> None:
        """Delete a message, as an admin of the workspace may."""
        found = self.workspace.channel(channel)
        found.messages.remove(self.workspace.message(found, ts))
        if ts in found.pins:
            found.pins.remove(ts)
        self.workspace.changed("messages", found.id)

    def add_user(self, user: User) -> User:
        """Add a user: a colleague, a guest, a bot, or somebody from another workspace."""
        return self.workspace.add_user(user)

    def add_channel(self, name: str, *members: str, private: bool = False) -> Channel:
        """Add a channel with these members (the lead when nobody is named)."""
        ids = [self.workspace.user(member).id for member in members or ("lead",)]
        return self.workspace.add_channel(name, ids, private=private)

    def add_to(self, channel: str, user: str) -> None:
        """Add a user to a channel."""
        self.core.join(self.workspace.channel(channel), self.workspace.user(user).id)

    def remove_from(self, channel: str, user: str) -> None:
        """Remove a user from a channel."""
        self.core.leave(self.workspace.channel(channel), self.workspace.user(user).id)

    def archive(self, channel: str) -> None:
        """Archive a channel."""
        lead = self.workspace.user("lead")
        close_channel(self.core, self.workspace.channel(channel), lead.id)

    def add_group(self, handle: str, *members: str) -> Group:
        """Add a user group."""
        ids = [self.workspace.user(member).id for member in members]
        group = Group(self.workspace.ids.new("S"), handle, handle.capitalize(), ids)
        self.workspace.groups[group.id] = group
        return group

    def set_group(self, handle: str, *members: str) -> None:
        """Replace the members of a user group."""
        group = next(
            candidate for candidate in self.workspace.groups.values() if candidate.handle == handle
        )
        group.members = [self.workspace.user(member).id for member in members]
