"""Make Slack look like Postgres: draw, compare with what Slack shows, send only what differs.

It may run at any time and any number of times, and never raises for Slack's sake: what Slack
refused is written down and drawn again by the clock. No database connection is held meanwhile.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from bot import rules, slack, store
from bot.model import ChannelId, Incident, IncidentId, UserError
from bot.store.messages import Shown
from bot.store.pictures import Picture
from bot.views import blocks, channel, drawing, text
from bot.views.drawing import Bookmark, Drawing, File, Invitation, Message, Pin, Topic
from bot.views.scene import Scene
from bot.world import World

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)
FIRST_RETRY = timedelta(seconds=2)
LAST_RETRY = timedelta(minutes=5)
CHANNEL_NAMES = 20
CLASSIC = {"section", "header", "context", "actions", "divider"}

# What is as good as done: somebody already did it, or it cannot apply.
SETTLED = {"already_pinned", "already_in_channel", "message_not_modified"}


async def publish(world: World, incident_id: IncidentId) -> None:
    """Draw an incident until nothing is left to draw or Slack refuses."""
    lease = uuid4()
    while True:
        async with world.pool.connection() as conn:
            picture = await store.pictures.claim(conn, incident_id, lease, world.now(), LEASE)
        if picture is None:
            return
        refusals = await _draw(world, picture)
        async with world.pool.connection() as conn:
            if refusals:
                retry_at = world.now() + _pause(picture, refusals)
                trouble = _trouble(refusals)
                await store.pictures.failed(conn, incident_id, lease, retry_at, trouble)
                return
            await store.pictures.drawn(conn, incident_id, lease, picture.wanted)
            if await store.pictures.release(conn, incident_id, lease):
                return


async def publish_what_is_behind(world: World) -> None:
    """Draw every incident that waits for it: after a refusal, a crash or a restart."""
    async with world.pool.connection() as conn:
        waiting = await store.pictures.behind(conn, world.now())
    await asyncio.gather(*(publish(world, incident_id) for incident_id in waiting))


async def whisper_heads_up(world: World, incident_id: IncidentId) -> None:
    """Tell the commander alone that the next update is due soon; lost is not worse than late."""
    async with world.pool.connection() as conn:
        incident = await store.incidents.get(conn, incident_id)
    if incident is None or incident.commander is None or incident.channel_id is None:
        return
    said = channel.heads_up(incident)
    call = world.slack.chat_postEphemeral(
        channel=incident.channel_id,
        user=incident.commander,
        text=said.text,
        blocks=said.blocks,
    )
    try:
        await slack.answer(call)
    except slack.Refused as refused:
        log.info("a heads-up of %s did not reach the commander: %s", incident.name, refused.code)


def _pause(picture: Picture, refusals: Sequence[slack.Refused]) -> timedelta:
    """As long as Slack asks for, else twice as long each time."""
    asked = [refusal.retry_after for refusal in refusals if refusal.retry_after is not None]
    if asked and len(asked) == len(refusals):
        return timedelta(seconds=max(asked))
    doublings = min(picture.failures, 10)
    return min(FIRST_RETRY * int(2**doublings), LAST_RETRY)


def _trouble(refusals: Sequence[slack.Refused]) -> str | None:
    """What people can do something about; a rate limit or a hiccup passes by itself."""
    lasting = sorted({refusal.code for refusal in refusals if not refusal.passing})
    return f"Slack refuses a part of this ({', '.join(lasting)}); tried again." if lasting else None


async def _draw(world: World, picture: Picture) -> list[slack.Refused]:
    scene, shown = await _read(world, picture)
    try:
        scene = await _ensure_channel(world, scene)
    except slack.Refused as refused:
        return [refused]
    brush = _Brush(world, scene.incident, shown)
    changed = [one for one in channel.draw(scene) if brush.differs(one)]
    # Posts go one after another, so that a channel reads in order; all else side by side.
    await asyncio.gather(
        brush.paint_in_order([one for one in changed if _is_first_post(one, shown)]),
        *(brush.paint(one) for one in changed if _stands_alone(one, shown)),
    )
    await asyncio.gather(*(brush.paint(one) for one in changed if _needs_a_message(one, shown)))
    return brush.refusals


def _is_first_post(one: Drawing, shown: dict[str, Shown]) -> bool:
    return isinstance(one, Message) and one.key not in shown and one.place == drawing.INCIDENT


def _needs_a_message(one: Drawing, shown: dict[str, Shown]) -> bool:
    return isinstance(one, Pin | File)


def _stands_alone(one: Drawing, shown: dict[str, Shown]) -> bool:
    return not _is_first_post(one, shown) and not _needs_a_message(one, shown)


async def _read(world: World, picture: Picture) -> tuple[Scene, dict[str, Shown]]:
    """Everything that is true, and everything that is shown, at one moment."""
    responders = await _responders(world)
    async with world.pool.connection() as conn:
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        incident = await store.incidents.get(conn, picture.incident_id)
        assert incident is not None
        scene = Scene(
            incident=incident,
            executions=await store.executions.of_incident(conn, incident.id),
            entries=await store.timeline.of_incident(conn, incident.id),
            updates=await store.updates.of_incident(conn, incident.id),
            reminders=await store.reminders.of_incident(conn, incident.id),
            attached=await store.executions.attached(conn, incident.id),
            plays=rules.matching(world.playbooks, incident.severity),
            responders=tuple(sorted(responders)),
            responder_groups=world.home.responder_groups,
            trouble=picture.trouble,
            runbooks=world.config.runbooks,
        )
        return scene, await store.messages.of_incident(conn, incident.id)


async def _responders(world: World) -> frozenset[str]:
    try:
        return frozenset(await world.people.members_lately(world.config.responders))
    except UserError as error:
        # People join a public channel by themselves; the rest must not wait for the group.
        log.warning("the responders could not be read: %s", error)
        return frozenset()


async def _ensure_channel(world: World, scene: Scene) -> Scene:
    """The incident's channel, made once; one from before a crash is taken over."""
    incident = scene.incident
    if incident.channel_id is not None:
        return scene
    made = await _create_channel(world, incident)
    async with world.pool.connection() as conn:
        await store.incidents.set_channel(conn, incident.id, made["id"], made["name"])
    known = {"channel_id": ChannelId(made["id"]), "channel_name": made["name"]}
    return Scene(**{**vars(scene), "incident": incident.model_copy(update=known)})


async def _create_channel(world: World, incident: Incident) -> dict[str, str]:
    for attempt in range(CHANNEL_NAMES):
        name = rules.channel_name(incident, attempt)
        try:
            answer = await slack.answer(world.slack.conversations_create(name=name))
            return {"id": answer["channel"]["id"], "name": answer["channel"]["name"]}
        except slack.Refused as refused:
            if refused.code != "name_taken":
                raise
        if (ours := await _left_behind(world, incident, name)) is not None:
            return ours
    raise slack.Refused("name_taken")


async def _left_behind(world: World, incident: Incident, name: str) -> dict[str, str] | None:
    """The channel of this name, if we made it for this incident and died before writing it down."""
    cursor = ""
    while True:
        page = await slack.answer(
            world.slack.conversations_list(
                types="public_channel", exclude_archived=True, limit=1000, cursor=cursor or None
            )
        )
        for found in page["channels"]:
            ours = found.get("creator") == world.home.bot_user
            fresh = found.get("created", 0) >= int(incident.declared_at.timestamp())
            if found["name"] == name and ours and fresh:
                return {"id": found["id"], "name": name}
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return None


class _Brush:
    """Sends drawings of one incident, and remembers each as soon as Slack shows it."""

    def __init__(self, world: World, incident: Incident, shown: dict[str, Shown]) -> None:
        self.world = world
        self.incident = incident
        self.channel = str(incident.channel_id)
        self.shown = shown
        self.refusals: list[slack.Refused] = []

    def differs(self, one: Drawing) -> bool:
        before = self.shown.get(one.key)
        if before is not None and isinstance(one, File | Bookmark):
            return False  # said once: Slack would keep both
        return before is None or before.digest != drawing.digest(one)

    async def paint_in_order(self, drawings: Sequence[Drawing]) -> None:
        for one in drawings:
            refusal = await self.paint(one)
            # What passes by itself is waited for, so that the channel keeps its order.
            if refusal is not None and refusal.passing:
                return

    async def paint(self, one: Drawing) -> slack.Refused | None:
        try:
            place = await self._send(one)
        except slack.Refused as refused:
            if refused.code not in SETTLED:
                log.warning(
                    "%s of %s: Slack refused: %s", one.key, self.incident.name, refused.code
                )
                self.refusals.append(refused)
                return refused
            place = self.shown.get(one.key) or Shown(
                key=one.key, channel=self.channel, ts="", digest=""
            )
        if place is not None:
            shown = place.model_copy(update={"key": one.key, "digest": drawing.digest(one)})
            self.shown[one.key] = shown
            async with self.world.pool.connection() as conn:
                await store.messages.put(conn, self.incident.id, shown)
        return None

    async def _send(self, one: Drawing) -> Shown | None:
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

    def _place(self, key: str, ts: str = "") -> Shown:
        return Shown(key=key, channel=self.channel, ts=ts, digest="")

    async def _message(self, one: Message) -> Shown | None:
        before = self.shown.get(one.key)
        if before is not None:
            try:
                return await self._update(one, before)
            except slack.Refused as refused:
                if refused.code != "message_not_found":
                    raise  # somebody deleted it otherwise: say it again below
        try:
            return await self._post(one)
        except slack.Refused as refused:
            if refused.code != "invalid_blocks":
                raise
            return await self._post(_classic(one))

    async def _update(self, one: Message, before: Shown) -> Shown:
        call = self.world.slack.chat_update(
            channel=before.channel, ts=before.ts, text=_text(one), blocks=one.blocks
        )
        await slack.answer(call)
        return before

    async def _post(self, one: Message) -> Shown | None:
        thread = self.shown.get(one.thread) if one.thread else None
        if one.thread and thread is None:
            return None  # its thread is still to be posted; the refusal of that is counted
        where = self.channel if one.place == drawing.INCIDENT else self.world.home.announcements
        call = self.world.slack.chat_postMessage(
            channel=where,
            text=_text(one),
            blocks=one.blocks,
            thread_ts=thread.ts if thread else None,
            unfurl_links=False,
            unfurl_media=False,
        )
        answer = await slack.answer(call)
        return Shown(key=one.key, channel=answer["channel"], ts=answer["ts"], digest="")

    async def _topic(self, one: Topic) -> Shown:
        call = self.world.slack.conversations_setTopic(channel=self.channel, topic=one.text)
        await slack.answer(call)
        return self._place(one.key)

    async def _bookmark(self, one: Bookmark) -> Shown:
        call = self.world.slack.bookmarks_add(
            channel_id=self.channel, title=one.title, type="link", link=one.link
        )
        await slack.answer(call)
        return self._place(one.key)

    async def _invite(self, one: Invitation) -> Shown:
        users = [user for user in one.users if user != self.world.home.bot_user]
        for start in range(0, len(users), 100):  # Slack takes a hundred ids a call
            call = self.world.slack.conversations_invite(
                channel=self.channel, users=users[start : start + 100], force=True
            )
            await slack.answer(call)
        return self._place(one.key)

    async def _pin(self, one: Pin) -> Shown | None:
        message = self.shown.get(one.of)
        if message is None:
            return None
        await slack.answer(self.world.slack.pins_add(channel=self.channel, timestamp=message.ts))
        return self._place(one.key)

    async def _file(self, one: File) -> Shown | None:
        thread = self.shown.get(one.thread) if one.thread else None
        words = await self._words(one)
        call = self.world.slack.files_upload_v2(
            channel=self.channel,
            filename=one.name,
            title=one.name,
            content=words or "(empty)",
            thread_ts=thread.ts if thread else None,
        )
        await slack.answer(call)
        return self._place(one.key)

    async def _words(self, one: File) -> str:
        if one.execution is None:
            names = await self.world.people.names(text.mentioned(one.text))
            return text.for_file(one.text, names)
        async with self.world.pool.connection() as conn:
            kept = await store.executions.attachment(conn, one.execution)
        return kept.text if kept else ""


def _text(one: Message) -> str:
    """What notifications and screen readers use; Slack wants it short."""
    return blocks.cut(one.text, blocks.SECTION)


def _classic(one: Message) -> Message:
    """The message with none of the newer blocks, for a Slack that does not take them."""
    kept = [block for block in one.blocks if block["type"] in CLASSIC]
    return replace(one, blocks=kept or [blocks.section(one.text)])
