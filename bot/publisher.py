"""Make Slack look like Postgres: draw, compare with what Slack shows, send only what differs.

It may run at any time and any number of times, and never raises for Slack's sake: what Slack
refused is written down and drawn again by the clock. No database connection is held meanwhile.
"""

import asyncio
import logging

from bot import config, rules, slack, store, strays
from bot.brush import Brush
from bot.lease import Claim, Lease
from bot.model import ChannelId, Incident, IncidentId, UserError, UserId
from bot.store.pictures import Picture
from bot.views import channel, drawing, execution
from bot.views.drawing import Drawing, File, Message, Pin
from bot.views.scene import Scene
from bot.world import World

log = logging.getLogger(__name__)

CHANNEL_NAMES = 20

People = asyncio.Task[frozenset[UserId]]


async def publish(world: World, incident_id: IncidentId) -> None:
    """Draw an incident until nothing is left to draw or something fails."""
    async with Lease(world, incident_id) as lease:
        await _draw_all(world, lease, await lease.claim())


async def publish_new(world: World, lease: Lease, claim: Claim) -> None:
    """Draw an incident whose lease began with it: nothing has to be asked before its channel."""
    async with lease:
        await _draw_all(world, lease, claim)


async def _draw_all(world: World, lease: Lease, claim: Claim | None) -> None:
    while claim is not None:
        failures = await _try_to_draw(world, lease, claim)
        if failures:
            await lease.failed(claim.picture, failures)
            return
        if await lease.drawn(claim.picture):
            return
        claim = await lease.claim()


async def publish_what_is_behind(world: World) -> None:
    """Draw every incident that waits for it: after a refusal, a crash or a restart."""
    async with world.pool.connection() as conn:
        waiting = await store.pictures.behind(conn, world.now())
    work = (publish(world, incident_id) for incident_id in waiting)
    for ended in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(ended, Exception):
            log.error("an incident was not drawn", exc_info=ended)


async def whisper_heads_up(world: World, incident_id: IncidentId) -> None:
    """Tell the commander alone that the next update is due soon; lost is not worse than late."""
    async with world.pool.connection() as conn:
        incident = await store.incidents.get(conn, incident_id)
    # Since this was due, Slack may have kept us waiting, or nothing of us ran for hours.
    if incident is None or not rules.is_due_soon(incident, world.now()):
        return
    if incident.commander is None or incident.channel_id is None:
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


async def _try_to_draw(world: World, lease: Lease, claim: Claim) -> list[Exception]:
    """Draw, whatever goes wrong; a mistake in a drawing waits like a refusal, and is logged."""
    name = claim.incident.name
    try:
        return await _draw(world, lease, claim)
    except slack.Refused as refused:
        log.warning("the channel of %s: Slack refused: %s", name, refused.code)
        return [refused]
    except Exception as error:  # the clock must not repeat it without a pause
        log.exception("%s was not drawn", name)
        return [error]


async def _draw(world: World, lease: Lease, claim: Claim) -> list[Exception]:
    """The channel first; then people come in while everything is read and said."""
    incident = claim.incident
    responders = asyncio.create_task(_responders(world, incident))
    try:
        opened = incident if incident.channel_id else await _open_channel(world, incident)
        brush = Brush(world, lease, opened, claim)
        scene = _paint_scene(world, brush, claim.picture, opened, new=opened is not incident)
        await _paint(brush, opened, asyncio.create_task(scene), responders)
    except BaseException:
        responders.cancel()
        raise
    if not responders.done():
        world.work.start(_draw_again(world, incident.id, responders), "inviting the responders")
    return brush.failures


async def _paint(
    brush: Brush, incident: Incident, scene: asyncio.Task[None], responders: People
) -> None:
    ended = await asyncio.gather(
        _paint_changed(brush, [channel.declarer(incident)]),
        _invite_responders(brush, incident, scene, responders),
        scene,
        return_exceptions=True,
    )
    for error in ended:
        if isinstance(error, Exception):
            log.error("a part of %s was not drawn", incident.name, exc_info=error)
            brush.failures.append(error)


async def _draw_again(world: World, incident_id: IncidentId, people: People) -> None:
    """They were not known in time, and nothing waited for them."""
    if await people:
        async with world.pool.connection() as conn:
            await store.pictures.want(conn, incident_id)
        await publish(world, incident_id)


async def _paint_scene(
    world: World, brush: Brush, picture: Picture, incident: Incident, *, new: bool
) -> None:
    if new:
        await _write_down_channel(world, incident)
    scene = await _read(world, picture)
    final = execution.readings(scene)
    said = asyncio.create_task(_paint_changed(brush, [*channel.draw(scene), *final]))
    await asyncio.gather(said, _invite_approvers(world, brush, scene, said))
    await brush.keep(final, open=scene.incident.open)


async def _paint_changed(brush: Brush, drawings: list[Drawing]) -> None:
    """Posts go one after another, so that a channel reads in order; all else side by side."""
    changed = [one for one in drawings if brush.differs(one)]
    posts = [one for one in changed if _is_first_post(brush, one)]
    last = [one for one in changed if _needs_a_message(one)]
    others = [one for one in changed if one not in posts and one not in last]
    await asyncio.gather(brush.paint_in_order(posts), *map(brush.paint, others))
    await asyncio.gather(*map(brush.paint, last))


def _is_first_post(brush: Brush, one: Drawing) -> bool:
    return isinstance(one, Message) and one.place == drawing.INCIDENT and not brush.shows(one.key)


def _needs_a_message(one: Drawing) -> bool:
    return isinstance(one, Pin | File)


async def _read(world: World, picture: Picture) -> Scene:
    """Everything that is true, at one moment."""
    async with world.pool.connection() as conn:
        await store.pictures.at_one_moment(conn)
        incident = await store.incidents.get(conn, picture.incident_id)
        assert incident is not None
        final = await store.messages.final(conn, incident.id, open=incident.open)
        return Scene(
            incident=incident,
            executions=await store.executions.to_draw(conn, incident.id, final),
            entries=await store.timeline.of_incident(conn, incident.id),
            updates=await store.updates.of_incident(conn, incident.id),
            reminders=await store.reminders.of_incident(conn, incident.id),
            holds=await store.holds.of_incident(conn, incident.id),
            tasks=await store.tasks.of_incident(conn, incident.id),
            attached=await store.executions.attached(conn, incident.id),
            plays=rules.matching(world.playbooks, incident.severity),
            responder_groups=world.home.responder_groups,
            approver_groups=world.home.approver_groups,
            approvers=world.config.approvers.users,
            trouble=picture.trouble,
            runbooks=world.config.runbooks,
            final=final,
        )


async def _responders(world: World, incident: Incident) -> frozenset[UserId]:
    return await _members(world, world.config.responders) if incident.open else frozenset()


async def _members(world: World, people: config.People) -> frozenset[UserId]:
    try:
        return await world.people.members_lately(people)
    except UserError as error:
        # People join a public channel by themselves; the rest must not wait for the group.
        log.warning("whom to invite could not be read: %s", error)
        return frozenset()


async def _invite_responders(
    brush: Brush, incident: Incident, scene: asyncio.Task[None], responders: People
) -> None:
    """Invite them as soon as they are known, if that is before all else is drawn."""
    await asyncio.wait((scene, responders), return_when=asyncio.FIRST_COMPLETED)
    if responders.done():
        await _paint_changed(brush, channel.responders(incident, responders.result()))


async def _invite_approvers(
    world: World, brush: Brush, scene: Scene, said: asyncio.Task[None]
) -> None:
    """Once something needs their approval; nothing waits for who they are."""
    if not scene.waits or brush.shows(channel.APPROVERS):
        return
    approvers = asyncio.create_task(_members(world, world.config.approvers))
    await asyncio.wait((said, approvers), return_when=asyncio.FIRST_COMPLETED)
    if approvers.done():
        await _paint_changed(brush, channel.approvers(approvers.result()))
    else:
        again = _draw_again(world, scene.incident.id, approvers)
        world.work.start(again, "inviting the approvers")


async def _open_channel(world: World, incident: Incident) -> Incident:
    """The incident with its channel, made once; one from before a crash is taken over."""
    made: dict[str, ChannelId] | None = None
    for attempt in range(CHANNEL_NAMES):
        name = rules.channel_name(incident, attempt)
        try:
            answer = await slack.answer(world.slack.conversations_create(name=name))
            return _opened(incident, answer["channel"]["id"], answer["channel"]["name"])
        except slack.Refused as refused:
            if refused.code != "name_taken":
                raise
        made = await _left_behind(world, incident) if made is None else made
        if name in made:
            return _opened(incident, made[name], name)
    raise slack.Refused("name_taken")


def _opened(incident: Incident, id: str, name: str) -> Incident:
    return incident.model_copy(update={"channel_id": ChannelId(id), "channel_name": name})


async def _left_behind(world: World, incident: Incident) -> dict[str, ChannelId]:
    """The channels that we made since, by name: one is ours if we died before writing it down."""
    since = strays.since(incident)
    found = {}
    async for one in slack.public_channels(world.slack):
        if one.get("creator") == world.home.bot_user and one.get("created", 0) >= since:
            found[one["name"]] = ChannelId(one["id"])
    return found


async def _write_down_channel(world: World, incident: Incident) -> None:
    assert incident.channel_id is not None
    assert incident.channel_name is not None
    async with world.pool.connection() as conn:
        await store.incidents.set_channel(
            conn, incident.id, incident.channel_id, incident.channel_name
        )
