"""`/incident contacts`: whom to contact for what."""

from bot import flows
from bot.views import contacts
from bot.world import World
from commands.interactions import Interaction


async def show(world: World, interaction: Interaction) -> None:
    """`/incident contacts`: the playbook's contacts and who is on call, to this person only."""
    incident = await flows.incidents.find(world, interaction.channel_id)
    playbooks = (incident.playbook,) if incident else world.playbooks
    found = await flows.contacts.find(world, playbooks)
    runbooks = {
        playbook.service: world.config.of(playbook.service).runbooks for playbook in playbooks
    }
    page = contacts.page(playbooks, found.mentions, found.on_call, found.warnings, runbooks)
    await interaction.show("Contacts", page)
