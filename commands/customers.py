"""Customer messages: written here, approved by somebody else, posted once."""

from typing import Annotated

from pydantic import Field

from bot import flows
from bot.model import ExecutionId, Incident, IncidentId, Model
from bot.views import modals
from bot.world import World
from commands.form_errors import NonBlankText
from commands.interactions import Interaction


class CustomerForm(Model):
    """The message to customers."""

    text: Annotated[NonBlankText, Field(max_length=modals.LONG_TEXT)]


async def write(world: World, interaction: Interaction) -> None:
    """`/incident customer`: the form with the text that follows, else with the playbook's draft."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    await _open_draft(world, interaction, incident, interaction.text)


async def press(world: World, interaction: Interaction) -> None:
    """*Tell customers* was pressed."""
    incident = await flows.incidents.get(world, IncidentId(int(interaction.value)))
    await _open_draft(world, interaction, incident)


async def _open_draft(
    world: World, interaction: Interaction, incident: Incident, text: str = ""
) -> None:
    draft = await flows.customers.draft(world, incident, text)
    await _open_form(world, interaction, incident, draft)


async def edit(world: World, interaction: Interaction) -> None:
    """*Edit* was pressed: another text is another request."""
    execution = await flows.executions.get(world, ExecutionId(int(interaction.value)))
    incident = await flows.incidents.get(world, execution.incident_id)
    text = flows.customers.message_text(execution)
    await flows.customers.check_may_be_told(world, incident)
    await _open_form(world, interaction, incident, text, replaces=execution.id)


async def _open_form(
    world: World,
    interaction: Interaction,
    incident: Incident,
    text: str,
    replaces: ExecutionId | None = None,
) -> None:
    metadata = interaction.metadata(
        incident=incident.id, replaces=replaces, all_clear=not incident.open
    )
    words = await flows.customers.what_happens(world, incident, all_clear=not incident.open)
    await interaction.open(modals.customer_message(text, words, metadata=metadata))


async def submit(world: World, interaction: Interaction, form: CustomerForm) -> None:
    """Request approval of exactly this text; it replaces an earlier request if it edits one."""
    incident_id = IncidentId(interaction.private_metadata["incident"])
    replaces = interaction.private_metadata.get("replaces")
    if replaces is None:
        all_clear = bool(interaction.private_metadata.get("all_clear"))
        await flows.customers.propose(
            world, incident_id, form.text, all_clear=all_clear, by=interaction.user_id
        )
        return
    old = await flows.executions.get(world, ExecutionId(replaces))
    await flows.customers.replace(world, incident_id, old, form.text, by=interaction.user_id)
