"""Sends drawings to Slack, and remembers each as soon as Slack shows it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from bot import slack, store, strays
from bot.lease import Claim, Lease
from bot.model import Incident
from bot.store.messages import Shown
from bot.strays import Strays
from bot.views import blocks, drawing, text
from bot.views.drawing import Bookmark, Drawing, File, Invitation, Message, Pin, Topic
from bot.world import World

log = logging.getLogger(__name__)

CLASSIC = {"section", "header", "context", "actions", "divider"}

# What is as good as done: somebody already did it.
SETTLED = {"already_pinned", "message_not_modified"}

# Why nobody is left to invite: they are in, have left the company, or Slack never lets them in.
UNINVITED = {
    "already_in_channel",
    "user_not_found",
    "cant_invite",
    "cant_invite_self",
    "user_team_not_in_channel",
    "user_is_restricted",
    "user_is_ultra_restricted",
    "ura_max_channels",
}

# Somebody took the bot out of the channel.
OUTSIDE = {"not_in_channel", "channel_not_found"}

# Somebody deleted the channel, or made it private without the bot.
GONE = "channel_not_found"


class Brush:
    """Paints one incident while the lease lasts; what goes wrong is kept in `failures`."""

    def __init__(self, world: World, lease: Lease, incident: Incident, claim: Claim) -> None:
        self.failures: list[Exception] = []
        self._world = world
        self._lease = lease
        self._incident = incident
        self._channel = str(incident.channel_id)
        self._shown = claim.shown
        # Something was tried before, and may have been done without being written down.
        self._retried = claim.picture.failures > 0
        self._strays: dict[tuple[str, str | None], Strays] = {}
        self._joining = asyncio.Lock()
        self._joined: set[str] = set()

    def shows(self, key: str) -> bool:
        """Whether Slack shows it, however it looks."""
        return key in self._shown

    def differs(self, one: Drawing) -> bool:
        """Whether there is something to send."""
        before = self._shown.get(one.key)
        if before is not None and isinstance(one, File | Bookmark):
            return False  # said once: Slack would keep both
        return before is None or before.digest != drawing.digest(one)

    async def paint_in_order(self, drawings: Sequence[Drawing]) -> None:
        """One after another, until something fails that passes by itself."""
        for one in drawings:
            failure = await self.paint(one)
            # What passes by itself is waited for, so that the channel keeps its order.
            if isinstance(failure, slack.Refused) and failure.passing:
                return

    async def paint(self, one: Drawing) -> Exception | None:
        """Send it, and remember it; what went wrong, if anything."""
        try:
            if await self._lease.keep() and (place := await self._send(one)) is not None:
                await self._remember(one, place)
            return None
        except slack.Refused as refused:
            log.warning("%s of %s: Slack refused: %s", one.key, self._incident.name, refused.code)
            failure: Exception = refused
        except Exception as error:  # the others are painted all the same
            log.exception("%s of %s went wrong", one.key, self._incident.name)
            failure = error
        self.failures.append(failure)
        return failure

    async def keep(self, drawings: Sequence[Drawing], *, open: bool) -> None:
        """Remember which of these need not be drawn again while the incident is open, or is not."""
        shown = [self._shown[one.key] for one in drawings if not self.differs(one)]
        if shown:
            async with self._world.pool.connection() as conn:
                await store.messages.keep(conn, self._incident.id, shown, open=open)

    async def _remember(self, one: Drawing, place: Shown) -> None:
        shown = place.model_copy(update={"key": one.key, "digest": drawing.digest(one)})
        self._shown[one.key] = shown
        async with self._world.pool.connection() as conn:
            await store.messages.put(conn, self._incident.id, shown)

    async def _send(self, one: Drawing) -> Shown | None:
        try:
            return await self._send_from_inside(one)
        except slack.Refused as refused:
            if refused.code not in SETTLED:
                raise
            return self._shown.get(one.key) or self._place(one.key)

    async def _send_from_inside(self, one: Drawing) -> Shown | None:
        try:
            return await self._hand_over(one)
        except slack.Refused as refused:
            if refused.code not in OUTSIDE:
                raise
            await self._join(self._where(one))
            return await self._hand_over(one)

    def _where(self, one: Drawing) -> str:
        elsewhere = isinstance(one, Message) and one.place == drawing.ANNOUNCEMENTS
        return self._world.home.announcements if elsewhere else self._channel

    async def _join(self, channel: str) -> None:
        """Come back, once for all that is painted at the same time."""
        async with self._joining:
            if channel in self._joined:
                return
            try:
                await slack.answer(self._world.slack.conversations_join(channel=channel))
            except slack.Refused as refused:
                if refused.code == GONE and channel == self._channel and self._incident.open:
                    await self._forget_channel()
                raise
            self._joined.add(channel)

    async def _forget_channel(self) -> None:
        """Nobody can reach it any more: the next drawing makes another one, with all of it."""
        log.warning("the channel of %s is gone", self._incident.name)
        async with self._world.pool.connection() as conn:
            await store.incidents.forget_channel(conn, self._incident.id, self._channel)
            await store.messages.forget(conn, self._incident.id, self._channel)

    async def _hand_over(self, one: Drawing) -> Shown | None:
        match one:
            case Message():
                return await self._message(one)
            case Topic():
                return await self._topic(one)
            case Bookmark():
                return await self._bookmark(one)
            case Invitation():
                return await self._invite(one)
            case Pin():
                return await self._pin(one)
            case File():
                return await self._file(one)

    def _place(self, key: str) -> Shown:
        return Shown(key=key, channel=self._channel, ts="", digest="")

    async def _message(self, one: Message) -> Shown | None:
        """Say it; where Slack does not take its blocks, with ever older ones."""
        *newer, oldest = _versions(one)
        for version in newer:
            try:
                return await self._say(version)
            except slack.Refused as refused:
                if refused.code != "invalid_blocks":
                    raise
        return await self._say(oldest)

    async def _say(self, one: Message) -> Shown | None:
        before = self._shown.get(one.key)
        if before is not None:
            try:
                return await self._update(one, before)
            except slack.Refused as refused:
                if refused.code != "message_not_found":
                    raise  # somebody deleted it otherwise: say it again below
        return await self._post(one)

    async def _update(self, one: Message, before: Shown) -> Shown:
        call = self._world.slack.chat_update(
            channel=before.channel, ts=before.ts, text=_text(one), blocks=one.blocks
        )
        await slack.answer(call)
        return before

    async def _post(self, one: Message) -> Shown | None:
        thread = self._shown.get(one.thread) if one.thread else None
        if one.thread and thread is None:
            return None  # its thread is still to be posted; the refusal of that is counted
        strayed = await self._look_for_strays(self._where(one), thread)
        if one.key in strayed.messages and one.key not in self._shown:
            return await self._update(one, strayed.messages[one.key])
        call = self._world.slack.chat_postMessage(
            channel=self._where(one),
            text=_text(one),
            blocks=one.blocks,
            thread_ts=thread.ts if thread else None,
            unfurl_links=False,
            unfurl_media=False,
            metadata=strays.mark(self._incident, one.key),
        )
        answer = await slack.answer(call)
        return Shown(key=one.key, channel=answer["channel"], ts=answer["ts"], digest="")

    async def _look_for_strays(self, channel: str, thread: Shown | None) -> Strays:
        """What was said here before and not written down, if that can be."""
        place = (channel, thread.ts if thread else None)
        if self._retried and place not in self._strays:
            self._strays[place] = await self._strays_in(*place)
        return self._strays.get(place, Strays())

    async def _strays_in(self, channel: str, thread: str | None) -> Strays:
        try:
            return await strays.find(self._world, self._incident, channel, thread)
        except slack.Refused as refused:
            if refused.passing or refused.code in OUTSIDE:
                raise
            # Said twice is better than never: not every channel lets us read it.
            log.info("%s of %s is not read: %s", channel, self._incident.name, refused.code)
            return Strays()

    async def _topic(self, one: Topic) -> Shown:
        call = self._world.slack.conversations_setTopic(channel=self._channel, topic=one.text)
        await slack.answer(call)
        return self._place(one.key)

    async def _bookmark(self, one: Bookmark) -> Shown:
        call = self._world.slack.bookmarks_add(
            channel_id=self._channel, title=one.title, type="link", link=one.link
        )
        await slack.answer(call)
        return self._place(one.key)

    async def _invite(self, one: Invitation) -> Shown:
        users = [user for user in one.users if user != self._world.home.bot_user]
        for start in range(0, len(users), 100):  # Slack takes a hundred ids a call
            await self._invite_some(users[start : start + 100])
        return self._place(one.key)

    async def _invite_some(self, users: Sequence[str]) -> None:
        call = self._world.slack.conversations_invite(
            channel=self._channel, users=users, force=True
        )
        try:
            await slack.answer(call)
        except slack.Refused as refused:
            if refused.code not in UNINVITED:
                raise
            log.info("nobody was invited to %s: %s", self._incident.name, refused.code)

    async def _pin(self, one: Pin) -> Shown | None:
        message = self._shown.get(one.of)
        if message is None:
            return None
        call = self._world.slack.pins_add(channel=self._channel, timestamp=message.ts)
        await slack.answer(call)
        return self._place(one.key)

    async def _file(self, one: File) -> Shown | None:
        thread = self._shown.get(one.thread) if one.thread else None
        if one.thread and thread is None:
            return None  # as with a message: never beside its thread
        if one.name in (await self._look_for_strays(self._channel, thread)).files:
            return self._place(one.key)
        words = await self._words(one)
        call = self._world.slack.files_upload_v2(
            channel=self._channel,
            filename=one.name,
            title=one.name,
            content=words or "(empty)",
            thread_ts=thread.ts if thread else None,
        )
        await slack.answer(call)
        return self._place(one.key)

    async def _words(self, one: File) -> str:
        if one.execution is None:
            names = await self._world.people.names(text.mentioned(one.text))
            return text.for_file(one.text, names)
        async with self._world.pool.connection() as conn:
            kept = await store.executions.attachment(conn, one.execution)
        return kept.text if kept else ""


def _text(one: Message) -> str:
    """What notifications and screen readers use; Slack wants it short."""
    return blocks.cut_marked(one.text, blocks.SECTION)


def _versions(one: Message) -> list[Message]:
    """The message as it should be, and with fewer of the newer blocks each time."""
    words = [block for block in one.blocks if block["type"] != "data_visualization"]
    tables = [
        blocks.plain_table(block) if block["type"] == "data_table" else block for block in words
    ]
    versions = [one, replace(one, blocks=words), replace(one, blocks=tables), _classic(one)]
    return [one, *(now for was, now in pairwise(versions) if now.blocks != was.blocks)]


def _classic(one: Message) -> Message:
    """The message with none of the newer blocks, for a Slack that does not take them."""
    kept = [block for block in one.blocks if block["type"] in CLASSIC]
    return replace(one, blocks=kept or blocks.sections(one.text))
