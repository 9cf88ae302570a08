"""People and user groups of the workspace, as Slack knows them."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Set
from functools import partial
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot import config, rules, slack
from bot.cache import Cache
from bot.model import GroupMembers, Membership, Person, UserError, UserId

CACHE_SECONDS = 60
LOOKUPS_AT_ONCE = 4


class UnknownPerson(UserError):
    """Slack does not know somebody of that id."""


Groups = list[dict[str, Any]]


class Directory:
    """Looks up people and user groups.

    Who decides about a change is read from Slack at the click (`fetch_user`, `fetch_membership`).
    For all else what Slack said within the last minute is good enough: that a press comes from a
    full member (`check_may_act`), whom to invite and whom to mention.
    """

    def __init__(self, client: AsyncWebClient, cache: Cache, team_id: str) -> None:
        self._slack = client
        self._cache = cache
        self._team_id = team_id
        self._group_ids: dict[str, str] = {}  # as read last; they decide nothing
        self._memory: dict[str, tuple[float, str]] = {}
        self._members_lock = asyncio.Lock()

    async def fetch_user(self, user_id: UserId) -> Person:
        """A person as Slack knows them now; raises UserError when Slack does not say."""
        try:
            answer = await slack.client.call(self._slack.users_info(user=user_id))
            return _parse_person(answer["user"], self._team_id)
        except slack.client.SlackError as error:
            if error.code in ("user_not_found", "user_not_visible"):
                raise UnknownPerson(
                    f"Slack does not know <@{user_id}>, so nothing was done. Choose somebody else."
                ) from error
            raise _no_answer("who you are", error) from error

    async def find_by_email(self, address: str) -> UserId | None:
        """The user with this e-mail address now, None where Slack has none; raises SlackError."""
        try:
            answer = await slack.client.call(self._slack.users_lookupByEmail(email=address))
            return UserId(answer["user"]["id"])
        except slack.client.SlackError as error:
            if error.code == "users_not_found":
                return None
            raise _no_answer("who is on call", error) from error

    async def full_members(self, user_ids: Iterable[UserId], enough: int) -> frozenset[UserId]:
        """Those who are active full members, as Slack knows them now: at least `enough`, or all.

        A group may be large, so people are looked up a few at a time. Raises UserError.
        """
        waiting, found = list(user_ids), set[UserId]()
        while waiting and len(found) < enough:
            some, waiting = waiting[:LOOKUPS_AT_ONCE], waiting[LOOKUPS_AT_ONCE:]
            people = await asyncio.gather(*map(self._find_user, some))
            found |= {who.id for who in people if who and rules.permissions.may_act(who)}
        return frozenset(found)

    async def _find_user(self, user_id: UserId) -> Person | None:
        """A person as Slack knows them now, or None for one whom it does not know."""
        try:
            return await self.fetch_user(user_id)
        except UnknownPerson:
            return None

    async def check_may_act(self, user_id: UserId) -> None:
        """Raise UserError for guests, bots, deactivated people and other workspaces' people."""
        rules.permissions.check_may_act(await self.cached_person(user_id))

    async def display_names(self, user_ids: Iterable[str]) -> dict[str, str]:
        """Names by user id, without those of people that Slack does not know."""
        names = {}
        for user_id in user_ids:
            try:
                names[user_id] = (await self.cached_person(UserId(user_id))).name
            except UserError:
                continue
        return names

    async def cached_person(self, user_id: UserId) -> Person:
        """A person as of the last minute; raises UserError."""
        key = f"person:{user_id}"
        cached = await self._cache.get(key)
        if cached is not None:
            return Person.model_validate_json(cached)
        person = await self.fetch_user(user_id)
        await self._cache.set(key, person.model_dump_json(), CACHE_SECONDS)
        return person

    async def fetch_membership(
        self, selector: config.MemberSelector, ask: slack.client.Ask[Groups] = slack.client.ask_once
    ) -> Membership:
        """The selected people, and by which group, from Slack now.

        Groups and their members come in one answer, so that a handle that moves to another group
        meanwhile cannot mix the two. Raises SlackError when they cannot be read, and UserError
        for a group that is not there.
        """
        users = frozenset(map(UserId, selector.users))
        if not selector.groups:
            return Membership(users=users)
        try:
            listed = await ask(partial(self._groups, include_users=True))
        except slack.client.SlackError as error:
            raise _no_answer("who is in the group", error) from error
        membership = Membership(
            users=users, groups={name: _group_members(listed, name) for name in selector.groups}
        )
        self._remember(membership)
        return membership

    async def cached_membership(self, selector: config.MemberSelector) -> Membership:
        """The selected people as of the last minute, for what decides nothing.

        Raises SlackError when they cannot be read, and UserError for a group that is not there.
        """
        key = f"membership:{selector.model_dump_json()}"
        async with self._members_lock:  # whoever waits gets what the first one has read
            cached = await self._cache_get(key)
            if cached is None:
                membership = await self.fetch_membership(selector)
                await self._cache_set(key, membership.model_dump_json())
                return membership
            membership = Membership.model_validate_json(cached)
            self._remember(membership)
            return membership

    def _remember(self, membership: Membership) -> None:
        ids = {name: group.id for name, group in membership.groups.items()}
        self._group_ids = {**self._group_ids, **ids}

    @property
    def known_groups(self) -> Mapping[str, str]:
        """The ids of configured user groups by their names there, as read last, for mentions."""
        return self._group_ids

    def group_ids(self, names: Iterable[str]) -> tuple[str, ...]:
        """The ids of these user groups, as read last, for mentions."""
        return tuple(self._group_ids[name] for name in names if name in self._group_ids)

    async def _cache_get(self, key: str) -> str | None:
        expires_at, cached = self._memory.get(key, (0.0, ""))
        return cached if time.monotonic() < expires_at else await self._cache.get(key)

    async def _cache_set(self, key: str, value: str) -> None:
        """Cache a value in memory, for when Redis is down, and in Redis, for other replicas."""
        now = time.monotonic()
        self._memory = {old: entry for old, entry in self._memory.items() if entry[0] > now}
        self._memory[key] = (now + CACHE_SECONDS, value)
        await self._cache.set(key, value, CACHE_SECONDS)

    async def mentions(self, handles: Iterable[str]) -> dict[str, str]:
        """Mentions by handle of a group or a person, as of the last minute; raises SlackError.

        Handles that Slack does not know are left out.
        """
        handle_names = {handle.removeprefix("@").lower() for handle in handles}
        key = f"marks:{','.join(sorted(handle_names))}"
        cached = await self._cache_get(key)
        if cached is not None:
            return dict(json.loads(cached))
        mentions = await self._group_mentions(handle_names)
        if handle_names - mentions.keys():
            mentions = await self._user_mentions(handle_names) | mentions
        await self._cache_set(key, json.dumps(mentions))
        return mentions

    async def _group_mentions(self, handles: Set[str]) -> dict[str, str]:
        try:
            groups = await self._groups()
        except slack.client.SlackError as error:
            if error.code != "plan_upgrade_required":
                raise
            return {}  # a workspace without user groups
        mentions = {group["handle"].lower(): f"<!subteam^{group['id']}>" for group in groups}
        return {handle: mention for handle, mention in mentions.items() if handle in handles}

    async def _user_mentions(self, handles: Set[str]) -> dict[str, str]:
        mentions = {}
        async for user in slack.client.iter_users(self._slack):
            if user.get("deleted") or user.get("is_bot"):
                continue
            names = {user.get("name"), user.get("profile", {}).get("display_name")}
            for handle in {str(name).lower() for name in names} & handles:
                mentions[handle] = f"<@{user['id']}>"
        return mentions

    async def _groups(self, *, include_users: bool = False) -> Groups:
        """Every user group of the workspace; raises SlackError."""
        call = self._slack.usergroups_list(include_users=include_users)
        groups: Groups = (await slack.client.call(call))["usergroups"]
        return groups


def _group_members(listed: Iterable[dict[str, Any]], name: str) -> GroupMembers:
    """The group that is given by its id or handle; raises UserError for one that is not there."""
    handle = name.removeprefix("@")
    for group in listed:
        if handle in (group["id"], group["handle"]):
            return GroupMembers(id=group["id"], members=frozenset(group["users"]))
    raise UserError(
        f"RUNBOLT_CONFIG names the user group {name}, which this workspace does not have. "
        "Correct the file, or list people under users."
    )


def _parse_person(user: dict[str, Any], team_id: str) -> Person:
    profile = user.get("profile", {})
    return Person(
        id=user["id"],
        name=profile.get("real_name") or user.get("real_name") or user.get("name", user["id"]),
        bot=bool(user.get("is_bot")),
        guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
        deactivated=bool(user.get("deleted")),
        external=bool(user.get("is_stranger")) or user.get("team_id", team_id) != team_id,
    )


def _no_answer(question: str, error: slack.client.SlackError) -> slack.client.SlackError:
    return error.about(f"Slack did not say {question} ({error.code}), so nothing was done.")
