"""Who people are and which groups they are in, as Slack says; read again wherever it decides."""

import asyncio
import json
import time
from collections.abc import Iterable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot import config, rules, slack
from bot.cache import Cache
from bot.model import UserError, UserId
from bot.rules import Person

REMEMBER_SECONDS = 60


class Directory:
    """The one place that asks Slack who somebody is."""

    def __init__(self, client: AsyncWebClient, cache: Cache, team_id: str) -> None:
        self._slack = client
        self._cache = cache
        self._team_id = team_id
        self._group_ids: dict[str, str] = {}
        self._memory: dict[str, tuple[float, str]] = {}
        self._reading = asyncio.Lock()

    async def person(self, id: UserId) -> Person:
        """Who this is, as Slack says now; raises UserError when Slack does not say."""
        try:
            found = await slack.answer(self._slack.users_info(user=id))
        except slack.Refused as error:
            if error.code in ("user_not_found", "user_not_visible"):
                raise UserError(
                    f"Slack does not know <@{id}> (any more), so nothing was done. Name another."
                ) from error
            raise _silent("who you are", error) from error
        return _person(found["user"], self._team_id)

    async def check_may_act(self, id: UserId) -> None:
        """Refuse guests, bots, deactivated people and strangers; raises UserError."""
        rules.check_may_act(await self._lately(id))

    async def names(self, ids: Iterable[str]) -> dict[str, str]:
        """How people are called; whom Slack does not know is left out."""
        found = {}
        for id in ids:
            try:
                found[id] = (await self._lately(UserId(id))).name
            except UserError:
                continue
        return found

    async def _lately(self, id: UserId) -> Person:
        kept = await self._cache.recall(f"person:{id}")
        if kept is not None:
            return Person.model_validate_json(kept)
        person = await self.person(id)
        await self._cache.remember(f"person:{id}", person.model_dump_json(), REMEMBER_SECONDS)
        return person

    async def members(self, people: config.People) -> frozenset[UserId]:
        """Everybody meant, read from Slack now; raises UserError when a group cannot be read."""
        try:
            ids = await asyncio.gather(*map(self._members_of, people.groups))
        except slack.Refused as error:
            raise _silent("who is in the group", error) from error
        return frozenset(map(UserId, people.users)).union(*ids)

    async def members_lately(self, people: config.People) -> frozenset[UserId]:
        """Everybody meant, at most a minute old; for what decides nothing."""
        key = f"members:{people.model_dump_json()}"
        async with self._reading:  # whoever comes meanwhile is told what the first one read
            kept = await self._recall(key)
            if kept is not None:
                return frozenset(map(UserId, json.loads(kept)))
            members = await self.members(people)
            await self._remember(key, json.dumps(sorted(members)))
            return members

    async def _recall(self, key: str) -> str | None:
        until, kept = self._memory.get(key, (0.0, ""))
        return kept if time.monotonic() < until else await self._cache.recall(key)

    async def _remember(self, key: str, value: str) -> None:
        """For a minute: here, for when Redis is away, and in Redis, for the other replicas."""
        now = time.monotonic()
        self._memory = {old: kept for old, kept in self._memory.items() if kept[0] > now}
        self._memory[key] = (now + REMEMBER_SECONDS, value)
        await self._cache.remember(key, value, REMEMBER_SECONDS)

    async def group_id(self, group: str) -> str:
        """The id of a user group given by id or handle, asked once; raises UserError."""
        handle = group.removeprefix("@")
        if handle not in self._group_ids:
            groups = (await slack.answer(self._slack.usergroups_list()))["usergroups"]
            for found in groups:
                self._group_ids |= {found["id"]: found["id"], found["handle"]: found["id"]}
        if handle in self._group_ids:
            return self._group_ids[handle]
        raise UserError(
            f"RUNBOLT_CONFIG names the user group {group}, which this workspace does not have. "
            "Correct the file, or list people under users."
        )

    async def marks(self, handles: Iterable[str]) -> dict[str, str]:
        """Slack's marks for the groups and people with these handles; raises slack.Refused.

        At most a minute old, and whom Slack does not know is left out: for what decides nothing.
        """
        wanted = {handle.removeprefix("@").lower() for handle in handles}
        key = f"marks:{','.join(sorted(wanted))}"
        kept = await self._recall(key)
        if kept is not None:
            return dict(json.loads(kept))
        found = await self._groups(wanted)
        if wanted - found.keys():
            found = await self._people(wanted) | found
        await self._remember(key, json.dumps(found))
        return found

    async def _groups(self, wanted: set[str]) -> dict[str, str]:
        try:
            groups = (await slack.answer(self._slack.usergroups_list()))["usergroups"]
        except slack.Refused as refused:
            if refused.code != "plan_upgrade_required":
                raise
            return {}  # a workspace without user groups
        marks = {one["handle"].lower(): f"<!subteam^{one['id']}>" for one in groups}
        return {handle: mark for handle, mark in marks.items() if handle in wanted}

    async def _people(self, wanted: set[str]) -> dict[str, str]:
        found = {}
        async for user in slack.everybody(self._slack):
            names = {user.get("name"), user.get("profile", {}).get("display_name")}
            for handle in {str(name).lower() for name in names} & wanted:
                if not user.get("deleted") and not user.get("is_bot"):
                    found[handle] = f"<@{user['id']}>"
        return found

    async def _members_of(self, group: str) -> frozenset[UserId]:
        id = await self.group_id(group)
        found = await slack.answer(self._slack.usergroups_users_list(usergroup=id))
        return frozenset(map(UserId, found["users"]))


def _person(user: dict[str, Any], team_id: str) -> Person:
    profile = user.get("profile", {})
    return Person(
        id=user["id"],
        name=profile.get("real_name") or user.get("real_name") or user.get("name", user["id"]),
        bot=bool(user.get("is_bot")),
        guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
        deactivated=bool(user.get("deleted")),
        stranger=bool(user.get("is_stranger")) or user.get("team_id", team_id) != team_id,
    )


def _silent(what: str, error: slack.Refused) -> UserError:
    return UserError(
        f"Slack did not say {what} ({error.code}), so nothing was done. Try again in a minute."
    )
