"""`/incident contacts`: whom to contact for what."""

from bot import flows, rules
from bot.model import Playbook, UserError
from bot.views import contacts
from bot.world import World
from commands.interactions import Interaction

MAX_SERVICES = 10  # whose contacts are shown together: a message has 50 blocks


async def show(world: World, interaction: Interaction) -> None:
    """`/incident contacts`, or with a service: its contacts and who is on call, to one person.

    Raises UserError where it must be said which of many services.
    """
    playbooks = await _playbooks(world, interaction)
    found = await flows.contacts.find(world, playbooks)
    runbooks = {
        playbook.service: world.config.of(playbook.service).runbooks for playbook in playbooks
    }
    page = contacts.page(playbooks, found.mentions, found.on_call, found.warnings, runbooks)
    await interaction.show("Contacts", page)


async def _playbooks(world: World, interaction: Interaction) -> tuple[Playbook, ...]:
    """Of the service that was named, or of the incident's, or of the team's channel; else all."""
    services = rules.service_names.served(world.config, world.playbooks)
    if interaction.text and len(services) > 1:
        named = rules.service_names.one(interaction.text, services)
        return rules.fitting.of_service(world.playbooks, named.id)
    incident = await flows.incidents.find(world, interaction.channel_id)
    if incident is not None and any(incident.services):
        return tuple(each.playbook for each in incident.playbooks if each.service)
    of_channel = rules.service_names.of_channel(
        world.config, interaction.channel_id, interaction.channel_name
    )
    if of_channel:
        of_each = (rules.fitting.of_service(world.playbooks, service) for service in of_channel)
        return tuple(playbook for playbooks in of_each for playbook in playbooks)
    if len(services) > MAX_SERVICES:
        raise UserError(
            f"There are {len(services)} services. Say which one: "
            f"`/incident contacts {services[0].id}`."
        )
    return world.playbooks
