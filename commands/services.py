"""`/incident service`: which services an incident has, and taking in another."""

from bot import flows
from bot.model import UserError
from bot.views import services
from bot.world import World
from commands.interactions import Interaction

ADD = "add"
REMOVE = ("remove", "delete", "drop", "rm")


async def manage(world: World, interaction: Interaction) -> None:
    """`/incident service add payment-service`; without a name, the incident's and the others.

    Raises UserError.
    """
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    verb, _, rest = interaction.text.partition(" ")
    if verb.lower() in REMOVE:
        raise UserError(
            "A service that an incident took in stays: its people were called, and what was done "
            "to it belongs to the incident. Nothing was changed. If it is well, say so with "
            "`/incident note`."
        )
    name = rest.strip() if verb.lower() == ADD else interaction.text
    if not name:
        page = services.page(incident, flows.services.addable(world, incident))
        await interaction.show("Services", page)
        return
    await flows.services.add(world, incident.id, name, by=interaction.user_id)


async def press_add(world: World, interaction: Interaction) -> None:
    """A service was chosen in the menu; the channel shows it, so no reply does."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    await flows.services.add(world, incident.id, interaction.value, by=interaction.user_id)
