"""What can be said about an incident: /incident, its forms, and the buttons of its card."""

import re

from bot import flows, rules
from bot.flows.incidents import Declaration
from bot.model import Incident, IncidentId, Noun, Severity, Status, UserError
from bot.views import home, modals
from bot.views import timeline as pages
from bot.world import World
from commands.asks import Ask
from commands.mistakes import Words

PIN = "pushpin"


class DeclareForm(Noun):
    """What is wrong, and how bad it is."""

    severity: Severity
    title: Words
    scenario: str | None = None


class UpdateForm(Noun):
    """The internal alert's blanks."""

    status: Status
    impact: Words
    current: Words
    minutes: int | None = None


class ResolveForm(Noun):
    """What fixed it."""

    resolution: Words
    despite: Words | None = None


async def help(world: World, ask: Ask) -> None:
    """`/incident`: what can be said, and what is open."""
    incidents, troubles = await flows.incidents.open_ones(world)
    await ask.show("What can be said here", home.help(incidents, troubles))


async def declare(world: World, ask: Ask) -> None:
    """`/incident declare sev1 words`; without words, the form."""
    if not ask.text:
        await open_declare(world, ask)
        return
    level, words = _severity_first(ask.text)
    if level is None:
        raise UserError(
            f"“{ask.text.split()[0][:40]}” is no severity, so nothing was declared. Say for "
            "example: /incident declare sev1 Orders are failing (sev1 is the worst, sev4 the "
            "mildest)."
        )
    await _open(world, ask, Declaration(text=words, severity=level))


def _severity_first(rest: str) -> tuple[Severity | None, str]:
    """`sev1 words`, `SEV-1 words`, `sev 1 words` or `1 words`."""
    match = re.match(r"((?:sev[\s_-]?)?\d+)(?:[\s:,]+|$)", rest, re.IGNORECASE)
    if match is None:
        return None, rest
    return rules.severity(match[1]), rest[match.end() :].strip()


async def _open(world: World, ask: Ask, said: Declaration) -> None:
    incident, new = await flows.incidents.declare(world, said, by=ask.who)
    declared = f"Declared {incident.severity.label} {incident.name}"
    if not new:
        declared = f"{incident.name} was declared in the same words just now"
    if incident.channel_id is None:
        await ask.reply(
            f"{declared}. Slack does not let its channel through yet; it is made as soon as Slack "
            "does, and nothing is lost."
        )
    else:
        await ask.reply(f"{declared}: <#{incident.channel_id}>.")


async def open_declare(world: World, ask: Ask) -> None:
    """The form to declare with, from nothing or from a message."""
    words = await ask.words(ask.message)
    plays = [rules.Play(book, play) for book in world.playbooks for play in book.scenarios]
    kept = ask.metadata(message_ts=ask.message.get("ts"))
    await ask.open(modals.declare(plays, metadata=kept, title=words))


async def submit_declare(world: World, ask: Ask, filled: DeclareForm) -> None:
    """The form was sent."""
    said = Declaration(
        text=filled.title,
        severity=filled.severity,
        scenario=filled.scenario,
        source_link=await ask.permalink(),
    )
    await _open(world, ask, said)


async def role(world: World, ask: Ask) -> None:
    """`/incident role ic @person`."""
    if len(ask.mentions) != 1 or not re.fullmatch(r"(?:ic|commander)\s+@\S+", ask.text):
        raise UserError(
            "Nobody was put in command. Say who, with a mention: /incident role ic @person."
        )
    incident = await flows.incidents.in_channel(world, ask.channel)
    commander = ask.mentions[0]
    await flows.incidents.put_in_command(world, incident.id, commander, by=ask.who)
    await ask.reply(f"<@{commander}> is the incident commander of {incident.name}.")


async def take_command(world: World, ask: Ask) -> None:
    """*Take command* was pressed."""
    await flows.incidents.put_in_command(world, _pressed(ask), ask.who, by=ask.who)


async def severity(world: World, ask: Ask) -> None:
    """`/incident severity sev2`."""
    level = rules.severity(ask.text)
    if level is None:
        raise UserError(
            f"“{ask.text[:40]}” is no severity, so nothing was changed. Say sev1, sev2, sev3 or "
            "sev4."
        )
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.change_severity(world, incident.id, level, by=ask.who)
    await ask.reply(f"{incident.name} is {level.label} now.")


async def status(world: World, ask: Ask) -> None:
    """`/incident status monitoring`."""
    status = next((status for status in Status if status.value == ask.text.lower()), None)
    if status is None:
        raise UserError(
            f"“{ask.text[:40]}” is no status, so nothing was changed. Say investigating, "
            "identified or monitoring; to end it say /incident resolve."
        )
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.change_status(world, incident.id, status, by=ask.who)
    await ask.reply(f"{incident.name} is {status.value} now.")


async def choose_severity(world: World, ask: Ask) -> None:
    """A severity was chosen on the card."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.change_severity(world, incident.id, Severity(ask.value), by=ask.who)


async def choose_status(world: World, ask: Ask) -> None:
    """A status was chosen on the card."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.change_status(world, incident.id, Status(ask.value), by=ask.who)


async def choose_scenario(world: World, ask: Ask) -> None:
    """A playbook was chosen among those that match."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.choose_scenario(world, incident.id, ask.value, by=ask.who)


async def update(world: World, ask: Ask) -> None:
    """`/incident update`: the form."""
    await _open_update(world, ask, await flows.incidents.in_channel(world, ask.channel))


async def post_update(world: World, ask: Ask) -> None:
    """*Post update* was pressed."""
    await _open_update(world, ask, await flows.incidents.get(world, _pressed(ask)))


async def _open_update(world: World, ask: Ask, incident: Incident) -> None:
    _must_be_open(incident)
    draft = await flows.updates.draft(world, incident)
    await ask.open(modals.update(incident, draft, metadata=ask.metadata(incident=incident.id)))


async def submit_update(world: World, ask: Ask, filled: UpdateForm) -> None:
    """The update was written."""
    id = IncidentId(ask.kept["incident"])
    await flows.updates.post(world, id, **dict(filled), by=ask.who, source=ask.source)


async def resolve(world: World, ask: Ask) -> None:
    """`/incident resolve`: the form."""
    await _open_resolve(world, ask, await flows.incidents.in_channel(world, ask.channel))


async def press_resolve(world: World, ask: Ask) -> None:
    """*Resolve* was pressed."""
    await _open_resolve(world, ask, await flows.incidents.get(world, _pressed(ask)))


async def _open_resolve(world: World, ask: Ask, incident: Incident) -> None:
    _must_be_open(incident)
    unchecked = await flows.executions.with_failed_check(world, incident.id)
    kept = ask.metadata(incident=incident.id)
    await ask.open(modals.resolve(incident, metadata=kept, unchecked=unchecked))


async def submit_resolve(world: World, ask: Ask, filled: ResolveForm) -> None:
    """What fixed it was written."""
    id = IncidentId(ask.kept["incident"])
    despite = filled.despite or ""
    await flows.incidents.resolve(world, id, filled.resolution, by=ask.who, despite=despite)


async def timeline(world: World, ask: Ask) -> None:
    """`/incident timeline`: what happened so far, to one person."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    entries = await flows.incidents.timeline(world, incident.id)
    await ask.show(f"Timeline of {incident.name}", pages.page(incident, entries))


async def note(world: World, ask: Ask) -> None:
    """`/incident note words`."""
    if not ask.text:
        raise UserError("Nothing was noted. Say what: /incident note the queue is growing.")
    incident = await flows.incidents.in_channel(world, ask.channel)
    source = f"note:{ask.trigger_id}"
    await flows.incidents.note(world, incident.id, ask.text, by=ask.who, source=source)


async def pin(world: World, ask: Ask) -> None:
    """A :pushpin: was put on a message: it belongs into the timeline."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    message = await ask.fetch()
    author = str(message.get("user") or message.get("bot_id") or "")
    words = await ask.words(message) or "(no text)"
    source = f"message:{ask.channel}:{message['ts']}"
    new = await flows.incidents.pin(
        world, incident.id, words, author=author, by=ask.who, source=source
    )
    already = "" if new else " already"
    await ask.reply(f"That message is in the timeline of {incident.name}{already}.")


async def gone(world: World, ask: Ask) -> None:
    """A button, form or shortcut that this version no longer knows."""
    raise UserError("This is from an older version of the bot, so nothing was done. Open it again.")


async def mention(world: World, ask: Ask) -> None:
    """Somebody spoke to the bot: say what can be said."""
    await help(world, ask)


async def open_home(world: World, ask: Ask) -> None:
    """The App Home was opened."""
    incidents, troubles = await flows.incidents.open_ones(world)
    await ask.publish_home(home.home(incidents, troubles))


def _pressed(ask: Ask) -> IncidentId:
    return IncidentId(int(ask.value))


def _must_be_open(incident: Incident) -> None:
    if not incident.open:
        raise UserError(f"{incident.name} is resolved already, so nothing was done.")
