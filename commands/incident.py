"""What can be said about a declared incident: its words, its forms, the buttons of its card."""

from bot import flows, rules
from bot.model import Incident, IncidentId, Noun, Severity, Status, UserError
from bot.views import home, levels, modals, tasks
from bot.views import timeline as pages
from bot.world import World
from commands.asks import Ask
from commands.mistakes import Words

PIN = "pushpin"
ROLES = ("ic", "commander")


class UpdateForm(Noun):
    """The internal alert's blanks."""

    status: Status
    impact: Words
    current: Words
    minutes: int | None = None


class PlaybookForm(Noun):
    """Which one it is from now on."""

    scenario: str


class ResolveForm(Noun):
    """What fixed it."""

    resolution: Words
    despite: Words | None = None


async def help(world: World, ask: Ask) -> None:
    """`/incident`: what can be said, and what is open."""
    incidents, troubles = await flows.incidents.open_ones(world)
    await ask.show("What can be said here", home.help(world.playbooks, incidents, troubles))


async def role(world: World, ask: Ask) -> None:
    """`/incident role ic @person`; the channel reads it, so nobody is told once more."""
    word, *named = ask.text.split() or [""]
    if word.lower() not in ROLES or len(ask.mentions) != 1 or len(named) != 1:
        raise UserError(await _whom(world, word, " ".join(named)))
    incident = await flows.incidents.in_channel(world, ask.channel)
    commander = ask.mentions[0]
    await flows.incidents.put_in_command(world, incident.id, commander, by=ask.who)


async def _whom(world: World, word: str, name: str) -> str:
    """What was missing or is not known, and what is."""
    example = "Say for example /incident role ic @person."
    if word.lower() not in ROLES:
        said = f"“{word[:40]}” is no role" if word else "No role was said"
        return f"{said}, so nobody was put in command. The only role is ic. {example}"
    known = await world.people.members_lately(world.config.responders)
    people = ", ".join(f"<@{person}>" for person in sorted(known))
    responders = f" The responders are {people}." if people else ""
    said = f"“{name[:40]}” is not one person of this workspace" if name else "Nobody was named"
    return f"{said}, so nobody was put in command. {example}{responders}"


async def take_command(world: World, ask: Ask) -> None:
    """*Take command* was pressed."""
    await flows.incidents.put_in_command(world, _pressed(ask), ask.who, by=ask.who)


async def severity(world: World, ask: Ask) -> None:
    """`/incident severity sev2`; without a word, the table of what each means."""
    if not ask.text:
        found = await flows.incidents.find(world, ask.channel)
        books = (found.playbook,) if found else world.playbooks
        await ask.show("How bad is it?", levels.page(found, books))
        return
    level = rules.severity(ask.text)
    if level is None:
        raise UserError(
            f"“{ask.text[:40]}” is no severity, so nothing was changed. Say sev1, sev2, sev3 or "
            "sev4."
        )
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.change_severity(world, incident.id, level, by=ask.who)


async def status(world: World, ask: Ask) -> None:
    """`/incident status monitoring`."""
    status = next((status for status in Status if status.value == ask.text.lower()), None)
    if status is None:
        said = f"“{ask.text[:40]}” is no status" if ask.text else "No status was said"
        raise UserError(
            f"{said}, so nothing was changed. Say /incident status and one of investigating, "
            "identified or monitoring; to end it say /incident resolve."
        )
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.change_status(world, incident.id, status, by=ask.who)


async def choose_severity(world: World, ask: Ask) -> None:
    """A severity was chosen on the card."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.change_severity(world, incident.id, Severity(ask.value), by=ask.who)


async def choose_status(world: World, ask: Ask) -> None:
    """A status was chosen on the card."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.change_status(world, incident.id, Status(ask.value), by=ask.who)


async def choose_scenario(world: World, ask: Ask) -> None:
    """A playbook was chosen among those that match, while there was none."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    await flows.incidents.choose_scenario(world, incident.id, ask.value, was=None, by=ask.who)


async def choose_playbook(world: World, ask: Ask) -> None:
    """`/incident playbook`: all that there are, whatever is attached already."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    rules.check_open(incident)
    attached = rules.attached(incident)
    offered = [play for play in rules.plays(world.playbooks) if play.name != attached]
    if not offered:
        raise UserError(
            "There is no other playbook, so nothing was changed. Playbooks are files that are read "
            "when the bot starts."
        )
    kept = ask.metadata(incident=incident.id, was=attached)
    await ask.open(modals.playbook(incident, offered, metadata=kept))


async def submit_playbook(world: World, ask: Ask, filled: PlaybookForm) -> None:
    """Another playbook was chosen; of two who choose at once the first one has it."""
    id, was = IncidentId(ask.kept["incident"]), ask.kept["was"]
    await flows.incidents.choose_scenario(world, id, filled.scenario, was=was, by=ask.who)


async def update(world: World, ask: Ask) -> None:
    """`/incident update`: the form; words after it are what is happening."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    await _open_update(world, ask, incident, ask.text)


async def post_update(world: World, ask: Ask) -> None:
    """*Post update* was pressed."""
    await _open_update(world, ask, await flows.incidents.get(world, _pressed(ask)))


async def _open_update(world: World, ask: Ask, incident: Incident, said: str = "") -> None:
    rules.check_open(incident)
    draft = await flows.updates.draft(world, incident, said)
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
    rules.check_open(incident)
    runs = await flows.executions.of_incident(world, incident.id)
    holds = await flows.holds.in_force(world, incident.id)
    left = tasks.unfinished(runs, await flows.tasks.of_incident(world, incident.id))
    kept = ask.metadata(incident=incident.id)
    form = modals.resolve(
        incident, metadata=kept, runs=runs, holds=holds, left=left, now=world.now()
    )
    await ask.open(form)


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
