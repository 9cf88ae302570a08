"""Publish incidents: render the channel from Postgres, and send to Slack only what differs.

Publishing may run at any time and any number of times. Flows request it, and go on: it runs in a
task of its own for each incident. Whatever fails is recorded, and the scheduler tries again. No
database connection is kept during calls to Slack.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from bot import config, on_call, rules, slack, store, sweeps
from bot.model import ChannelId, Incident, IncidentId, UserError, UserId
from bot.publishers import Work
from bot.publishing import recovery
from bot.publishing.attempts import attempt
from bot.publishing.database import connection
from bot.publishing.lease import Claim, Lease
from bot.publishing.sender import Sender
from bot.store.publications import Publication
from bot.store.set_aside import DueRow
from bot.views import channel, execution, slack_items
from bot.views.slack_items import File, Message, Pin, SlackItem
from bot.views.snapshot import IncidentSnapshot, without_orphans
from bot.world import World

log = logging.getLogger(__name__)

MAX_NAME_ATTEMPTS = 20
ITEMS_AT_ONCE = 500
RETRY_SECONDS = 2

MembersTask = asyncio.Task[frozenset[UserId]]
RespondersTask = asyncio.Task[dict[str, frozenset[UserId]]]


def request_publishing(world: World, incident_id: IncidentId) -> None:
    """Have an incident published in the background, after its transaction; never raises."""
    _start(world, incident_id, partial(publish, world, incident_id))


def request_publishing_new(world: World, lease: Lease, claim: Claim) -> None:
    """The same for a new one, whose lease was taken in the transaction that inserted it."""
    _start(world, claim.incident.id, partial(_publish_new, world, lease, claim))


def _start(world: World, incident_id: IncidentId, work: Work) -> None:
    async def attempt_it() -> None:
        row = DueRow(id=incident_id, incident_id=incident_id)
        await sweeps.attempt(world, "incident", row, work())

    world.publishers.start(incident_id, attempt_it, f"publishing INC-{incident_id}")


async def publish(world: World, incident_id: IncidentId) -> None:
    """Publish an incident until nothing is stale or something fails."""
    async with world.publishers.slots, Lease(world, incident_id) as lease:
        await _publish_all(world, lease, await lease.acquire())


async def _publish_new(world: World, lease: Lease, claim: Claim) -> None:
    async with lease, world.publishers.slots:
        # Another replica may have taken it while this one waited for the slot.
        if await lease.renew():
            await _publish_all(world, lease, claim)


async def _publish_all(world: World, lease: Lease, claim: Claim | None) -> None:
    while claim is not None:
        failures = await _try_to_publish(world, lease, claim)
        if failures:
            await lease.fail(claim, failures)
            return
        if await lease.complete(claim.publication):
            return
        claim = await lease.acquire()


async def publish_pending(world: World) -> None:
    """Request publishing of every stale incident: after a refusal, a crash or a restart."""
    async with world.pool.connection() as conn:
        now = world.now()
        but = world.backoff.waiting("incident", now)
        waiting = await store.publications.pending(conn, now, but)
    for incident_id in waiting:
        request_publishing(world, incident_id)


def request_heads_up(world: World, incident_id: IncidentId) -> None:
    """Tell the commander alone, in the background, that the next update is due soon."""
    work = partial(_send_heads_up, world, incident_id)
    world.publishers.start(("heads-up", incident_id), work, f"heads-up of INC-{incident_id}")


async def _send_heads_up(world: World, incident_id: IncidentId) -> None:
    async with world.publishers.slots:
        await _tell_commander(world, incident_id)


async def _tell_commander(world: World, incident_id: IncidentId) -> None:
    async with connection(world) as conn:
        incident = await store.incidents.get(conn, incident_id)
    # Slack may have been slow since this was due, or no replica ran for hours.
    if incident is None or not rules.deadlines.is_due_soon(incident, world.now()):
        return
    if incident.commander is None or incident.channel_id is None:
        return
    notice = channel.heads_up(incident)
    call = world.slack.chat_postEphemeral(
        channel=incident.channel_id,
        user=incident.commander,
        text=notice.text,
        blocks=notice.blocks,
    )
    try:
        await slack.client.call(call)
    except slack.client.SlackError as refused:
        log.info("a heads-up of %s did not reach the commander: %s", incident.name, refused.code)


async def _try_to_publish(world: World, lease: Lease, claim: Claim) -> list[Exception]:
    """Publish once, whatever goes wrong; returns what did."""
    failures: list[Exception] = []
    work = _publish_once(world, lease, claim, failures)
    failure = await attempt(f"the channel of {claim.incident.name}", work)
    return failures if failure is None else [failure]


async def _publish_once(
    world: World, lease: Lease, claim: Claim, failures: list[Exception]
) -> None:
    """The channel first; then people are invited while everything is read and sent."""
    incident = claim.incident
    responders = asyncio.create_task(_responders(world, incident))
    with ExitStack() as on_error:
        on_error.callback(responders.cancel)
        opened = incident if incident.channel_id else await _create_channel(world, incident)
        sender = Sender(world, lease, opened, claim)
        sending = _send_snapshot(
            world, sender, claim.publication, opened, new=opened is not incident
        )
        failures += await _send_all(sender, opened, asyncio.create_task(sending), responders)
        on_error.pop_all()
    if not responders.done():
        world.background.start(
            _publish_again(world, incident.id, responders), "inviting the responders"
        )


async def _send_all(
    sender: Sender, incident: Incident, sending: asyncio.Task[None], responders: RespondersTask
) -> list[Exception]:
    part = f"a part of {incident.name}"
    failures = await asyncio.gather(
        attempt(part, _send_changed(sender, [channel.invite_declarer(incident)])),
        attempt(part, _invite_responders(sender, incident, sending, responders)),
        attempt(part, sending),
    )
    return [*sender.failures, *(failure for failure in failures if failure is not None)]


async def _publish_again(
    world: World, incident_id: IncidentId, people: MembersTask | RespondersTask
) -> None:
    """Publish again once these people are known; nothing waited for them."""
    failure = await attempt("whom to invite", people)
    if failure is None and not people.result():
        return
    async with connection(world) as conn:
        await store.publications.mark_stale(conn, incident_id)
    if failure is None:
        request_publishing(world, incident_id)
    else:
        await _put_off(world, incident_id, failure)


async def _put_off(world: World, incident_id: IncidentId, failure: Exception) -> None:
    """Leave the next attempt to the scheduler, unless somebody publishes it now."""
    async with Lease(world, incident_id) as lease:
        claim = await lease.acquire()
        if claim is not None:
            await lease.fail(claim, [failure])


async def _send_snapshot(
    world: World, sender: Sender, publication: Publication, incident: Incident, *, new: bool
) -> None:
    if new:
        await _record_channel(world, incident)
    snapshot = await _read_snapshot(world, publication, sender.sent_keys)
    sending = asyncio.create_task(_send_batches(sender, snapshot))
    await asyncio.gather(sending, _invite_approvers(world, sender, snapshot, sending))


async def _send_batches(sender: Sender, snapshot: IncidentSnapshot) -> None:
    """Render some items and send them, then the next: a long incident never exists as a whole.

    Python would visit each object of it while everything else stands still.
    """
    items = _items(snapshot)
    while True:
        # In a thread: a long channel takes a second, and everything else goes on meanwhile.
        batch = await asyncio.to_thread(_next_batch, items, sender)
        await _send(sender, batch.changed)
        await sender.mark_final(batch.final, is_open=snapshot.incident.open)
        if batch.is_last:
            return


class Batch(NamedTuple):
    """Some items that differ from what Slack shows, and some that never change again."""

    changed: list[SlackItem]
    final: list[SlackItem]
    is_last: bool


def _items(snapshot: IncidentSnapshot) -> Iterator[tuple[SlackItem, bool]]:
    """Each item when its turn comes, and whether it never changes again."""
    notes = channel.note_keys(snapshot)
    for item in channel.render_channel(snapshot):
        yield item, item.key in notes
    for result in execution.final_items(snapshot):
        yield result, True


def _next_batch(items: Iterator[tuple[SlackItem, bool]], sender: Sender) -> Batch:
    changed, final = list[SlackItem](), list[SlackItem]()
    for item, is_final in items:
        if is_final:
            final.append(item)
        if sender.needs_send(item):
            changed.append(item)
        if max(len(changed), len(final)) >= ITEMS_AT_ONCE:
            return Batch(changed, final, is_last=False)
    return Batch(changed, final, is_last=True)


async def _send_changed(sender: Sender, items: list[SlackItem]) -> None:
    await _send(sender, list(filter(sender.needs_send, items)))


async def _send(sender: Sender, changed: list[SlackItem]) -> None:
    """Send new messages one after another, so that a channel reads in order; the rest at once."""
    posts, others, last = list[SlackItem](), list[SlackItem](), list[SlackItem]()
    for item in changed:
        if isinstance(item, Pin | File):  # they need a message
            last.append(item)
        elif _is_first_post(sender, item):
            posts.append(item)
        else:
            others.append(item)
    await asyncio.gather(sender.send_in_order(posts), sender.send_side_by_side(others))
    await sender.send_side_by_side(last)


def _is_first_post(sender: Sender, item: SlackItem) -> bool:
    return (
        isinstance(item, Message)
        and item.place == slack_items.INCIDENT_CHANNEL
        and not sender.was_sent(item.key)
    )


async def _read_snapshot(
    world: World, publication: Publication, sent_keys: frozenset[str]
) -> IncidentSnapshot:
    """Everything that is known about an incident, in one snapshot."""
    async with connection(world) as conn:
        await store.publications.begin_snapshot(conn)
        incident = await store.incidents.get(conn, publication.incident_id)
        assert incident is not None
        final = await store.messages.final_keys(conn, incident.id, is_open=incident.open)
        set_aside = await store.set_aside.of_incident(conn, incident.id)
        unreadable: list[str] = []
        executions = await store.executions.for_publishing(conn, incident.id, final, unreadable)
        last = rules.next_status.last_made(executions)
        snapshot = IncidentSnapshot(
            incident=incident,
            executions=executions,
            changed_since=await store.executions.applied_elsewhere(conn, last),
            entries=await store.timeline.for_publishing(conn, incident.id, unreadable),
            temporary_changes=await store.temporary_changes.of_incident(
                conn, incident.id, unreadable
            ),
            updates=await store.updates.of_incident(conn, incident.id, unreadable),
            reminders=await store.reminders.of_incident(conn, incident.id, unreadable),
            tasks=await store.tasks.of_incident(conn, incident.id, unreadable),
            to_confirm=await store.confirmations.of_incident(conn, incident.id, unreadable),
            attachment_names=await store.executions.attachment_names(conn, incident.id),
            services=rules.service_names.served(world.config, world.playbooks),
            scenarios=rules.fitting.to_choose(world.playbooks, incident),
            responder_groups={
                service: world.directory.group_ids(world.config.of(service).responders.groups)
                for service in incident.services
            },
            known_groups=world.directory.known_groups,
            publish_error=publication.error,
            runbooks_base_urls={
                service: world.config.of(service).runbooks for service in incident.services
            },
            own_clusters={
                service: world.config.of(service).cluster for service in incident.services
            },
            final_keys=final,
            set_aside=set_aside,
            unreadable=tuple(unreadable),
            sent_keys=sent_keys,
        )
        return without_orphans(snapshot)


async def _responders(world: World, incident: Incident) -> dict[str, frozenset[UserId]]:
    """Whom to invite, by service."""
    services = incident.services if incident.open else ()
    configs = [world.config.of(service) for service in services]
    found = await asyncio.gather(*(_members(world, each, each.responders) for each in configs))
    return {service: users for service, users in zip(services, found, strict=True) if users}


async def _members(
    world: World, service: config.ServiceConfig, people: config.MemberSelector
) -> frozenset[UserId]:
    """Whom to invite; raises SlackError, and then the bot tries again."""
    try:
        return (await on_call.cached_membership(world, service, people)).everybody
    except slack.client.SlackError:
        raise
    except UserError as error:
        # People can join a public channel themselves; the rest must not wait for the group.
        log.warning("whom to invite could not be read: %s", error)
        return frozenset()


async def _invite_responders(
    sender: Sender, incident: Incident, sending: asyncio.Task[None], responders: RespondersTask
) -> None:
    """Invite the responders if they are known before everything else is sent."""
    if await _are_known(sender, sending, responders):
        await _send_changed(sender, channel.invite_responders(incident, responders.result()))


async def _are_known(
    sender: Sender, sending: asyncio.Task[None], people: MembersTask | RespondersTask
) -> bool:
    """Whether these people are known, or could not be read, once everything else is sent.

    After a failure this waits a moment longer: it may be the same again, and counts as such.
    """
    await asyncio.wait((sending, people), return_when=asyncio.FIRST_COMPLETED)
    if sender.is_retry:
        await asyncio.wait((people,), timeout=RETRY_SECONDS)
    return people.done()


async def _invite_approvers(
    world: World, sender: Sender, snapshot: IncidentSnapshot, sending: asyncio.Task[None]
) -> None:
    """Invite the approvers once something needs approval; nothing waits for who they are."""
    for key, people in _concerned(world, snapshot).items():
        if not sender.was_sent(key):
            await _invite_concerned(world, sender, snapshot, sending, key, people)


class Concerned(NamedTuple):
    """Some people of a service."""

    team: config.ServiceConfig
    selector: config.MemberSelector


def _concerned(world: World, snapshot: IncidentSnapshot) -> dict[str, Concerned]:
    """The approvers of what waits, and those who are told of a broken glass, by a key for each."""
    concerned = {}
    for waiting in snapshot.awaiting_approval:
        service = world.config.of(waiting.place.service)
        approvers = rules.policy.approvers_of(service, waiting)
        key = channel.approvers_key(snapshot.incident, waiting.place.service)
        is_usual = approvers == service.approvers
        concerned[key if is_usual else f"{key} for {waiting.id}"] = Concerned(service, approvers)
    for broken in snapshot.executions:
        service = world.config.of(broken.place.service)
        glass = service.policy.break_glass
        if broken.broken_glass is not None and glass is not None:
            concerned[f"told of glass {broken.id}"] = Concerned(service, glass.announce)
    return concerned


async def _invite_concerned(
    world: World,
    sender: Sender,
    snapshot: IncidentSnapshot,
    sending: asyncio.Task[None],
    key: str,
    concerned: Concerned,
) -> None:
    people = asyncio.create_task(_members(world, *concerned))
    if await _are_known(sender, sending, people):
        inviting = _invite_found(sender, key, people)
        failure = await attempt(f"the approvers of {snapshot.incident.name}", inviting)
        sender.failures += [] if failure is None else [failure]
    else:
        again = _publish_again(world, snapshot.incident.id, people)
        world.background.start(again, "inviting the approvers")


async def _invite_found(sender: Sender, key: str, approvers: MembersTask) -> None:
    await _send_changed(sender, channel.invite_approvers(key, approvers.result()))


async def _create_channel(world: World, incident: Incident) -> Incident:
    """The incident with its channel, created once; one from before a crash is taken over."""
    made: dict[str, ChannelId] | None = None
    for number in range(MAX_NAME_ATTEMPTS):
        name = rules.incidents.channel_name(incident, number)
        try:
            answer = await slack.client.call(world.slack.conversations_create(name=name))
            return _with_channel(incident, answer["channel"]["id"], answer["channel"]["name"])
        except slack.client.SlackError as refused:
            if refused.code != "name_taken":
                raise
        made = await _channels_created_since(world, incident) if made is None else made
        if name in made:
            return _with_channel(incident, made[name], name)
    raise slack.client.SlackError("name_taken")


def _with_channel(incident: Incident, channel_id: str, name: str) -> Incident:
    return incident.model_copy(update={"channel_id": ChannelId(channel_id), "channel_name": name})


async def _channels_created_since(world: World, incident: Incident) -> dict[str, ChannelId]:
    """The channels that the bot created since the declaration, by name.

    One of them is the incident's, if a process died before it recorded the channel.
    """
    since = recovery.oldest_timestamp(incident)
    ours = {}
    async for made in slack.client.iter_public_channels(world.slack):
        if made.get("creator") == world.workspace.bot_user_id and made.get("created", 0) >= since:
            ours[made["name"]] = ChannelId(made["id"])
    return ours


async def _record_channel(world: World, incident: Incident) -> None:
    assert incident.channel_id is not None
    assert incident.channel_name is not None
    async with connection(world) as conn:
        await store.incidents.set_channel(
            conn, incident.id, incident.channel_id, incident.channel_name
        )
