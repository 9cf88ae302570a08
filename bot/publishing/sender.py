"""Send what is to be seen to Slack, and record each item as soon as Slack shows it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from bot import slack, store
from bot.model import Incident
from bot.publishing import recovery
from bot.publishing.attempts import attempt
from bot.publishing.database import connection
from bot.publishing.lease import Claim, Lease
from bot.publishing.recovery import MessagesInSlack
from bot.slack import invitations
from bot.store.messages import SentItem
from bot.views import blocks, slack_items, text
from bot.views.slack_items import Bookmark, File, Invitation, Message, Pin, SlackItem, Topic
from bot.world import World

log = logging.getLogger(__name__)

CLASSIC_BLOCKS = {"section", "header", "context", "actions", "divider"}

# How many messages of one incident are sent at the same time, beside those that are in order.
MAX_CALLS = 8

# Slack has it already: the item counts as sent.
ALREADY_DONE = {"already_pinned", "message_not_modified"}

# Somebody deleted it, or another app has posted it: it is posted again.
MESSAGE_GONE = {"message_not_found", "cant_update_message"}

# Somebody deleted the message that the thread is of.
THREAD_GONE = {"thread_not_found", "invalid_thread_ts"}
THREAD_SECONDS = 1.0

# It is sent with fewer blocks.
BLOCKS_REFUSED = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}

# Somebody removed the bot from the channel.
NOT_A_MEMBER = {"not_in_channel", "channel_not_found"}

# Somebody deleted the channel, or made it private without the bot.
CHANNEL_GONE = "channel_not_found"


class Sender:
    """Sends the items of one incident while its lease lasts; `failures` collects what failed."""

    def __init__(self, world: World, lease: Lease, incident: Incident, claim: Claim) -> None:
        self.failures: list[Exception] = []
        self._world = world
        self._lease = lease
        self._incident = incident
        self._channel = str(incident.channel_id)
        self._sent = claim.sent
        # An earlier attempt failed: Slack may have done more than was recorded.
        self.is_retry = claim.publication.failures > 0
        self._orphans: dict[tuple[str, str | None], MessagesInSlack] = {}
        # While nothing is answered at all, the rest is left to the next attempt: each call waits
        # for its whole time limit, and Slack may be back long before the last of them ends.
        self._has_answered = False
        self._silence: Exception | None = None
        self._order_is_broken = False
        self._join_lock = asyncio.Lock()
        self._joined: set[str] = set()

    def was_sent(self, key: str) -> bool:
        """Whether an item of this key was sent, in whatever form."""
        return key in self._sent

    @property
    def sent_keys(self) -> frozenset[str]:
        """The keys of everything that was sent."""
        return frozenset(self._sent)

    def needs_send(self, item: SlackItem) -> bool:
        """Whether the item differs from what was sent."""
        before = self._sent.get(item.key)
        if before is not None and isinstance(item, File | Bookmark):
            return False  # sent once: Slack would keep both
        return before is None or before.digest != slack_items.digest(item)

    async def send_in_order(self, items: Sequence[SlackItem]) -> None:
        """Send one item after another, and stop for good at a failure that passes by itself."""
        for item in items:
            # The next attempt goes on here, so that the channel reads in order.
            if self._order_is_broken:
                return
            failure = await self.send(item)
            if isinstance(failure, slack.client.SlackError) and failure.is_transient:
                self._order_is_broken = True

    async def send_side_by_side(self, items: Sequence[SlackItem]) -> None:
        """Send items a few at a time, in any order."""
        waiting = iter(items)

        async def send_some() -> None:
            for item in waiting:
                await self.send(item)

        await asyncio.gather(*(send_some() for _ in items[:MAX_CALLS]))

    async def send(self, item: SlackItem) -> Exception | None:
        """Send an item and record it; returns what went wrong, or None."""
        if self._silence is not None:
            return self._silence
        subject = f"{item.key} of {self._incident.name}"
        failure = await attempt(subject, self._deliver_and_record(item))
        if failure is not None:
            self._add_failure(failure)
        return failure

    def _add_failure(self, failure: Exception) -> None:
        self.failures.append(failure)
        is_silent = isinstance(failure, slack.client.SlackError) and failure.is_no_answer
        if is_silent and not self._has_answered:
            self._silence = failure

    async def _call(self, api_call: slack.client.ApiCall) -> dict[str, Any]:
        answer = await slack.client.call(api_call)
        self._has_answered = True
        return answer

    async def _deliver_and_record(self, item: SlackItem) -> None:
        if await self._lease.renew() and (sent := await self._deliver(item)) is not None:
            await self._record(item, sent)

    async def mark_final(self, items: Sequence[SlackItem], *, is_open: bool) -> None:
        """Record which items never change again.

        That is while the incident is open, or after it is resolved (`is_open`).
        """
        if shown := await asyncio.to_thread(self._shown, items):
            async with connection(self._world) as conn:
                await store.messages.mark_final(conn, self._incident.id, shown, is_open=is_open)

    def _shown(self, items: Sequence[SlackItem]) -> list[SentItem]:
        return [self._sent[item.key] for item in items if not self.needs_send(item)]

    async def _record(self, item: SlackItem, sent: SentItem) -> None:
        before = self._sent.get(item.key)
        shown = sent.model_copy(update={"key": item.key, "digest": slack_items.digest(item)})
        self._sent[item.key] = shown
        is_posted_again = isinstance(item, Message) and before is not None and before.ts != sent.ts
        async with connection(self._world) as conn:
            if before is not None and is_posted_again:
                await store.messages.forget(conn, self._incident.id, before)
            await store.messages.save(conn, self._incident.id, shown)
            if is_posted_again or (isinstance(item, File) and item.completes):
                await store.publications.mark_stale(conn, self._incident.id)

    async def _deliver(self, item: SlackItem) -> SentItem | None:
        try:
            return await self._deliver_rejoining(item)
        except slack.client.SlackError as refused:
            if refused.code in THREAD_GONE and isinstance(item, Message | File):
                await self._forget(item.thread)
                raise slack.client.SlackError(refused.code, THREAD_SECONDS) from refused
            if refused.code not in ALREADY_DONE and self._is_announcement(item):
                raise refused.at("channels.incidents") from refused
            if refused.code not in ALREADY_DONE:
                raise
            return self._sent.get(item.key) or self._sent_item(item.key)

    async def _forget(self, key: str | None) -> None:
        """A message whose thread is gone is posted again by the next attempt, before its thread."""
        gone = self._sent.get(key or "")
        if gone is not None:
            async with connection(self._world) as conn:
                await store.messages.forget(conn, self._incident.id, gone)

    async def _deliver_rejoining(self, item: SlackItem) -> SentItem | None:
        try:
            return await self._call_slack(item)
        except slack.client.SlackError as refused:
            if refused.code not in NOT_A_MEMBER:
                raise
            await self._join(self._channel_of(item))
            return await self._call_slack(item)

    def _channel_of(self, item: SlackItem) -> str:
        if not self._is_announcement(item):
            return self._channel
        name = self._world.config.of(self._incident.service).channels.incidents
        return self._world.workspace.channel(name) or self._channel

    def _is_announcement(self, item: SlackItem) -> bool:
        return isinstance(item, Message) and item.place == slack_items.ANNOUNCEMENTS_CHANNEL

    async def _join(self, channel: str) -> None:
        """Join the channel again, once for all that is sent at the same time."""
        async with self._join_lock:
            if channel in self._joined:
                return
            try:
                await self._call(self._world.slack.conversations_join(channel=channel))
            except slack.client.SlackError as refused:
                if (
                    refused.code == CHANNEL_GONE
                    and channel == self._channel
                    and self._incident.open
                ):
                    await self._forget_channel()
                raise
            self._joined.add(channel)

    async def _forget_channel(self) -> None:
        """The channel was deleted: the next attempt creates another one and sends everything."""
        log.warning("the channel of %s is gone", self._incident.name)
        async with connection(self._world) as conn:
            await store.incidents.forget_channel(conn, self._incident.id, self._channel)
            await store.messages.delete_of_channel(conn, self._incident.id, self._channel)

    async def _call_slack(self, item: SlackItem) -> SentItem | None:
        match item:
            case Message():
                return await self._send_message(item)
            case Topic():
                return await self._set_topic(item)
            case Bookmark():
                return await self._add_bookmark(item)
            case Invitation():
                return await self._invite(item)
            case Pin():
                return await self._add_pin(item)
            case File():
                return await self._upload(item)

    def _sent_item(self, key: str, of: SentItem | None = None) -> SentItem:
        """The record of what is no message, but may belong to one."""
        return SentItem(key=key, channel=self._channel, ts=of.ts if of else "", digest="")

    async def _send_message(self, item: Message) -> SentItem | None:
        """Send a message; where Slack refuses its blocks, with older kinds of blocks."""
        *newer, oldest = _fallbacks(item)
        for version in newer:
            try:
                return await self._post_or_update(version)
            except slack.client.SlackError as refused:
                if refused.code not in BLOCKS_REFUSED:
                    raise
        return await self._post_or_update(oldest)

    async def _post_or_update(self, item: Message) -> SentItem | None:
        before = self._sent.get(item.key)
        if before is not None:
            try:
                return await self._update(item, before)
            except slack.client.SlackError as refused:
                if refused.code not in MESSAGE_GONE:
                    raise
        return await self._post(item)

    async def _update(self, item: Message, before: SentItem) -> SentItem:
        call = self._world.slack.chat_update(
            channel=before.channel, ts=before.ts, text=_text(item), blocks=item.blocks
        )
        await self._call(call)
        return before

    async def _post(self, item: Message) -> SentItem | None:
        thread = self._sent.get(item.thread) if item.thread else None
        if item.thread and thread is None:
            return None  # its thread was not posted, and that failure is recorded
        orphans = await self._known_orphans(self._channel_of(item), thread)
        orphan, before = orphans.messages.get(item.key), self._sent.get(item.key)
        if orphan is not None and (before is None or before.ts != orphan.ts):
            return await self._update(item, orphan)
        call = self._world.slack.chat_postMessage(
            channel=self._channel_of(item),
            text=_text(item),
            blocks=item.blocks,
            thread_ts=thread.ts if thread else None,
            unfurl_links=False,
            unfurl_media=False,
            metadata=recovery.message_metadata(self._incident, item.key),
        )
        answer = await self._call(call)
        return SentItem(key=item.key, channel=answer["channel"], ts=answer["ts"], digest="")

    async def _known_orphans(self, channel: str, thread: SentItem | None) -> MessagesInSlack:
        """What an earlier attempt sent here and did not record."""
        destination = (channel, thread.ts if thread else None)
        if self.is_retry and destination not in self._orphans:
            self._orphans[destination] = await self._find_orphans(*destination)
        return self._orphans.get(destination, MessagesInSlack())

    async def _find_orphans(self, channel: str, thread: str | None) -> MessagesInSlack:
        try:
            return await recovery.find_orphans(self._world, self._incident, channel, thread)
        except slack.client.SlackError as refused:
            if refused.is_transient or refused.code in NOT_A_MEMBER:
                raise
            # Not every channel may be read; sent twice is better than not at all.
            log.info("%s of %s is not read: %s", channel, self._incident.name, refused.code)
            return MessagesInSlack()

    async def _set_topic(self, item: Topic) -> SentItem:
        call = self._world.slack.conversations_setTopic(channel=self._channel, topic=item.text)
        await self._call(call)
        return self._sent_item(item.key)

    async def _add_bookmark(self, item: Bookmark) -> SentItem:
        call = self._world.slack.bookmarks_add(
            channel_id=self._channel, title=item.title, type="link", link=item.link
        )
        await self._call(call)
        return self._sent_item(item.key)

    async def _invite(self, item: Invitation) -> SentItem:
        users = [user for user in item.users if user != self._world.workspace.bot_user_id]
        await invitations.invite(self._world.slack, self._call, self._channel, users)
        return self._sent_item(item.key)

    async def _add_pin(self, item: Pin) -> SentItem | None:
        message = self._sent.get(item.of)
        if message is None:
            return None
        call = self._world.slack.pins_add(channel=self._channel, timestamp=message.ts)
        await self._call(call)
        return self._sent_item(item.key, message)

    async def _upload(self, item: File) -> SentItem | None:
        thread = self._sent.get(item.thread) if item.thread else None
        if item.thread and thread is None:
            return None  # as with a message: never outside its thread
        if item.name in (await self._known_orphans(self._channel, thread)).files:
            return self._sent_item(item.key, thread)
        content = await self._content(item)
        call = self._world.slack.files_upload_v2(
            channel=self._channel,
            filename=item.name,
            title=item.name,
            content=content or "(empty)",
            thread_ts=thread.ts if thread else None,
        )
        await self._call(call)
        return self._sent_item(item.key, thread)

    async def _content(self, item: File) -> str:
        if item.execution is None:
            names = await self._world.directory.display_names(text.mentioned_users(item.text))
            return text.for_text_file(item.text, names)
        async with connection(self._world) as conn:
            attachment = await store.executions.attachment(conn, item.execution)
        return attachment.text if attachment else ""


def _text(item: Message) -> str:
    """The text for notifications and screen readers, as short as Slack demands."""
    return blocks.truncate_mrkdwn(item.text, blocks.SECTION_LENGTH)


def _fallbacks(item: Message) -> list[Message]:
    """The message itself, then with ever fewer of the newer kinds of blocks."""
    text_only = [block for block in item.blocks if block["type"] != "data_visualization"]
    tables = [
        blocks.plain_table(block) if block["type"] == "data_table" else block for block in text_only
    ]
    versions = [item, replace(item, blocks=text_only), replace(item, blocks=tables), _classic(item)]
    return [item, *(after for before, after in pairwise(versions) if after.blocks != before.blocks)]


def _classic(item: Message) -> Message:
    """The message with classic blocks only."""
    classic = [block for block in item.blocks if block["type"] in CLASSIC_BLOCKS]
    return replace(item, blocks=classic or blocks.sections(item.text))
