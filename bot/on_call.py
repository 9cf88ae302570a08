"""Approvers and responders as the night has them: who is on call, read when it is asked.

Nothing of it is kept: a right that ends with a shift ends at that moment. What does not answer
costs a sentence, and only the written list counts.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bot import slack
from bot.config import MemberSelector, ServiceConfig
from bot.model import Duty, Membership, OnCallMember, OnDuty, UserId
from bot.systems.pagerduty import PagerDutyError
from bot.world import World

log = logging.getLogger(__name__)

# Somebody waits for the answer to a press.
CLICK_SECONDS = 2.0
LOOKUPS_AT_ONCE = 4
ONLY_WRITTEN = "so only the written list counts now"


class Found(NamedTuple):
    """Who is on call, of what it is not known, and who on call is nobody in Slack."""

    members: tuple[OnCallMember, ...] = ()
    unanswered: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()


async def membership(
    world: World, config: ServiceConfig, selector: MemberSelector, called: Sequence[Duty] = ()
) -> Membership:
    """The selected people, from Slack and PagerDuty now, and those who were called besides.

    Raises SlackError and UserError as `Directory.fetch_membership`; whoever is on call costs no
    more than CLICK_SECONDS.
    """
    written, found = await asyncio.gather(
        world.directory.fetch_membership(selector),
        find(world, config.people, [*selector.on_call, *called]),
    )
    return _joined(written, found)


async def cached_membership(
    world: World, config: ServiceConfig, selector: MemberSelector
) -> Membership:
    """The same for what decides nothing: the written list as of the last minute."""
    written, found = await asyncio.gather(
        world.directory.cached_membership(selector), find(world, config.people, selector.on_call)
    )
    return _joined(written, found)


def _joined(written: Membership, found: Found) -> Membership:
    return written.model_copy(
        update={
            "on_call": found.members,
            "unanswered": found.unanswered,
            "unmatched": found.unmatched,
        }
    )


async def find(world: World, people: Mapping[str, str], duties: Sequence[Duty]) -> Found:
    """Who is on call for any of these now; `people` are users of Slack by e-mail address."""
    different = tuple(dict.fromkeys(duties))
    found = await asyncio.gather(*(_find_one(world, people, duty) for duty in different))
    return Found(
        tuple(member for each in found for member in each.members),
        tuple(dict.fromkeys(sentence for each in found for sentence in each.unanswered)),
        tuple(dict.fromkeys(name for each in found for name in each.unmatched)),
    )


async def _find_one(world: World, people: Mapping[str, str], duty: Duty) -> Found:
    begun = asyncio.get_running_loop().time()
    try:
        on_duty = await ask(world, duty)
    except PagerDutyError as error:
        log.warning("who is on call for %s is not known: %s", duty.name, error)
        return Found(unanswered=(f"PagerDuty {error.problem}, {ONLY_WRITTEN}. {error.fix}",))
    left = begun + CLICK_SECONDS - asyncio.get_running_loop().time()
    return await match(world, people, on_duty, max(left, 0.1))


async def ask(world: World, duty: Duty, *, every_level: bool = False) -> tuple[OnDuty, ...]:
    """Who is on call for this, as PagerDuty says; raises PagerDutyError."""
    if world.pagerduty is None:
        raise PagerDutyError("is not configured", "Set PAGERDUTY_TOKEN.")
    return await world.pagerduty.on_duty(duty, CLICK_SECONDS, every_level=every_level)


async def match(
    world: World, people: Mapping[str, str], on_duty: Sequence[OnDuty], seconds: float
) -> Found:
    """Find people on call in Slack: as the configuration says, or else by their e-mail address."""
    try:
        async with asyncio.timeout(seconds):
            users = await asyncio.gather(*(_user(world, people, each) for each in on_duty))
    except TimeoutError:
        return Found(unanswered=(f"Slack did not say who is on call, {ONLY_WRITTEN}.",))
    except slack.client.SlackError as refused:
        log.warning("Slack refused: %s. %s", refused.reason, refused.fix)
        told = f"Slack did not say who is on call ({refused.code}), {ONLY_WRITTEN}. {refused.fix}"
        return Found(unanswered=(told,))
    pairs = list(zip(on_duty, users, strict=True))
    return Found(
        members=tuple(_member(each, user) for each, user in pairs if user is not None),
        unmatched=tuple(each.name for each, user in pairs if user is None),
    )


async def _user(world: World, people: Mapping[str, str], on_duty: OnDuty) -> UserId | None:
    if on_duty.email in people:
        return UserId(people[on_duty.email])
    return await world.directory.find_by_email(on_duty.email) if on_duty.email else None


def _member(on_duty: OnDuty, user: UserId) -> OnCallMember:
    return OnCallMember(user=user, duty=on_duty.duty, level=on_duty.level, until=on_duty.until)


async def warn_of_unknown(world: World) -> None:
    """Say in the log which schedules and policies PagerDuty does not know, or cannot be read.

    It may be away at the start, so this is no reason not to start.
    """
    selectors = [each for config in world.config.all for each in config.selectors]
    duties = dict.fromkeys(duty for selector in selectors for duty in selector.on_call)
    slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def look(duty: Duty) -> None:
        async with slots:
            await _warn(world, duty)

    await asyncio.gather(*map(look, duties))


async def _warn(world: World, duty: Duty) -> None:
    try:
        on_duty = await ask(world, duty)
    except PagerDutyError as error:
        log.warning(
            "on_call names %s: PagerDuty %s, so nobody is an approver by it. %s",
            duty.name,
            error.problem,
            error.fix,
        )
        return
    if not on_duty:
        log.warning(
            "on_call names %s: nobody is on call for it now. PagerDuty tells who is on call for a "
            "schedule only where an escalation policy uses it.",
            duty.name,
        )
