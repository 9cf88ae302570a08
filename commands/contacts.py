"""Whom to ask for what."""

from bot import flows
from bot.views import contacts
from bot.world import World
from commands.asks import Ask


async def show(world: World, ask: Ask) -> None:
    """`/incident contacts`: the playbook's contacts, to one person, and who is on call now."""
    incident = await flows.incidents.find(world, ask.channel)
    books = (incident.playbook,) if incident else world.playbooks
    found = await flows.contacts.find(world, books)
    base = world.config.runbooks
    page = contacts.page(books, found.marks, found.on_call, found.troubles, base)
    await ask.show("Contacts", page)
