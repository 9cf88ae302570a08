"""What customers are told: written here, approved by somebody else, posted once."""

from typing import Annotated

from pydantic import Field

from bot import flows
from bot.model import ExecutionId, Incident, IncidentId, Noun
from bot.views import modals
from bot.world import World
from commands.asks import Ask
from commands.mistakes import Words


class CustomerForm(Noun):
    """What customers are to read."""

    text: Annotated[Words, Field(max_length=modals.LONG)]


async def say(world: World, ask: Ask) -> None:
    """`/incident customer`: the playbook's words to go on writing, or those said after it."""
    incident = await flows.incidents.in_channel(world, ask.channel)
    await _draft(world, ask, incident, ask.text)


async def press(world: World, ask: Ask) -> None:
    """*Tell customers* was pressed."""
    await _draft(world, ask, await flows.incidents.get(world, IncidentId(int(ask.value))))


async def _draft(world: World, ask: Ask, incident: Incident, said: str = "") -> None:
    await _open(world, ask, incident, await flows.customers.draft(world, incident, said))


async def rewrite(world: World, ask: Ask) -> None:
    """*Edit* was pressed: other words are another request."""
    run = await flows.executions.get(world, ExecutionId(int(ask.value)))
    incident = await flows.incidents.get(world, run.incident_id)
    await _open(world, ask, incident, flows.customers.words_of(run), replaces=run.id)


async def _open(
    world: World, ask: Ask, incident: Incident, words: str, replaces: ExecutionId | None = None
) -> None:
    kept = ask.metadata(incident=incident.id, replaces=replaces)
    channel = world.home.customers
    await ask.open(modals.customer_message(incident, words, channel, metadata=kept))


async def submit(world: World, ask: Ask, filled: CustomerForm) -> None:
    """The words were written: ask for approval of exactly these."""
    id, replaces = IncidentId(ask.kept["incident"]), ask.kept.get("replaces")
    if replaces is None:
        await flows.customers.propose(world, id, filled.text, by=ask.who)
    else:
        old = ExecutionId(replaces)
        await flows.customers.replace(world, id, old, filled.text, by=ask.who)
