"""What people do with a declared incident: commands, forms, and the buttons of its card."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from bot import flows, rules
from bot.config import MemberSelector
from bot.flows import temporary_changes
from bot.flows.updates import UpdateText
from bot.model import (
    ExecutionId,
    Incident,
    IncidentId,
    Model,
    OpenIncidents,
    Severity,
    Status,
    UserError,
    UserId,
)
from bot.views import choosing, home, modals, severity_table, tasks
from bot.views import timeline as pages
from bot.views.blocks import Element
from bot.views.home import Served
from bot.world import World
from commands import interactions
from commands.form_errors import NonBlankText
from commands.interactions import Interaction

PIN_REACTION = "pushpin"
COMMANDER_ROLES = ("ic", "commander")
# How much of an unknown word an error repeats, in characters.
QUOTED_LENGTH = 40


class UpdateForm(Model):
    """An update: the status, its two texts, and the minutes until the next one."""

    status: Status
    impact: NonBlankText
    current: NonBlankText
    minutes: int | None = None


class TakeOverForm(Model):
    """A question without fields: its answer is yes."""


class PlaybookForm(Model):
    """The scenario that was chosen, as `service/id`, or only the service."""

    service: str = ""
    scenario: str | None = None

    @field_validator("scenario")
    @classmethod
    def _check_chosen(cls, scenario: str | None, info: ValidationInfo) -> str | None:
        if scenario is None and not info.data.get("service"):
            raise ValueError("Choose a playbook, or only the service.")
        return scenario


class ResolveForm(Model):
    """What fixed it, why it may end although a check failed, and what customers then read."""

    resolution: NonBlankText
    despite: NonBlankText | None = None
    all_clear: Annotated[NonBlankText, Field(max_length=modals.LONG_TEXT)] | None = None


async def show_help(world: World, interaction: Interaction) -> None:
    """`/incident`: the commands, and the open incidents for those who may read them."""
    page = home.help_page(_served(world), await _listed(world, interaction))
    await interaction.show("What you can type", page)


async def show_service(world: World, interaction: Interaction) -> None:
    """`/incident help checkout`: its playbooks and incidents; raises UserError for another word.

    Whoever may not read titles gets the commands.
    """
    served = _served(world)
    may_read = await flows.guests.may_read(world, interaction.user_id)
    if not (interaction.text and served.several and may_read):
        await show_help(world, interaction)
        return
    service = rules.service_names.one(interaction.text, served.services)
    playbooks = rules.fitting.of_service(served.playbooks, service.id)
    listed = await flows.incidents.list_open(world, service.id)
    await interaction.show(service.title, home.service_page(service, playbooks, listed))


def _served(world: World) -> Served:
    services = rules.service_names.served(world.config, world.playbooks)
    return Served(services, world.playbooks)


async def _listed(world: World, interaction: Interaction) -> OpenIncidents | None:
    """The open incidents, or None for somebody who may not read their titles."""
    if not await flows.guests.may_read(world, interaction.user_id):
        return None
    return await flows.incidents.list_open(world)


async def assign_role(world: World, interaction: Interaction) -> None:
    """`/incident role ic @person`; the channel shows it, so no reply does. Raises UserError."""
    role, *names = interaction.text.split() or [""]
    if not _is_commander(role) or len(interaction.mentions) != 1 or len(names) != 1:
        raise UserError(await _role_error(world, interaction.channel_id, role, " ".join(names)))
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    commander, by = interaction.mentions[0], interaction.user_id
    if incident.open and incident.commander not in (None, commander, by):
        await _ask_to_take_over(world, interaction, incident, commander)
        return
    await flows.command.assign_commander(
        world, incident.id, commander, seen=incident.commander, by=by
    )


def _is_commander(role: str) -> bool:
    return role.lower() in COMMANDER_ROLES


async def _role_error(world: World, channel: str | None, role: str, name: str) -> str:
    """Which part of the command is missing or unknown, and what it may be."""
    example = "Nobody was assigned. Example: `/incident role ic @person`."
    if not _is_commander(role):
        problem = f"“{role[:QUOTED_LENGTH]}” isn't a role" if role else "The role is missing"
        return f"{problem}: the only role is ic. {example}"
    problem = (
        f"“{name[:QUOTED_LENGTH]}” is not a person in this workspace"
        if name
        else "The person is missing"
    )
    incident = await flows.incidents.find(world, channel)
    services = incident.services if incident else ("",)
    selectors = [world.config.of(service).responders for service in services]
    responders = await world.directory.cached_membership(MemberSelector.union(selectors))
    mentions = ", ".join(f"<@{user_id}>" for user_id in sorted(responders.everybody))
    return f"{problem}. {example}" + (f" Responders: {mentions}." if mentions else "")


async def take_command(world: World, interaction: Interaction) -> None:
    """*Take command* was pressed, while the card showed nobody in command."""
    incident_id, user_id = _incident_id(interaction), interaction.user_id
    await flows.command.assign_commander(world, incident_id, user_id, seen=None, by=user_id)


async def press_take_over(world: World, interaction: Interaction) -> None:
    """*Take over command…* was pressed."""
    incident = await flows.incidents.get(world, _incident_id(interaction))
    rules.incidents.check_open(incident)
    if incident.commander == interaction.user_id:
        raise UserError("You are already in command. Nothing was changed.")
    await _ask_to_take_over(world, interaction, incident, interaction.user_id)


async def _ask_to_take_over(
    world: World, interaction: Interaction, incident: Incident, commander: UserId
) -> None:
    """Ask with the name of who is in command; raises UserError for who may not change that."""
    await flows.command.check_may_take_over(world, incident, by=interaction.user_id)
    metadata = interaction.metadata(
        incident=incident.id, seen=incident.commander, commander=commander
    )
    is_own = commander == interaction.user_id
    await interaction.open(modals.take_over(incident, commander, is_own=is_own, metadata=metadata))


async def submit_take_over(world: World, interaction: Interaction, form: TakeOverForm) -> None:
    """Take command from the person whom the form named; raises UserError where another has it."""
    incident_id, metadata = _form_incident_id(interaction), interaction.private_metadata
    await flows.command.assign_commander(
        world,
        incident_id,
        UserId(metadata["commander"]),
        seen=UserId(metadata["seen"]),
        by=interaction.user_id,
    )


async def change_severity(world: World, interaction: Interaction) -> None:
    """`/incident severity sev2`; without a severity, it shows what each means. Raises UserError."""
    if not interaction.text:
        await _show_severities(world, interaction)
        return
    severity = rules.incidents.parse_severity(interaction.text)
    if severity is None:
        raise UserError(
            f"“{interaction.text[:QUOTED_LENGTH]}” isn't a severity: use sev1 to sev4. "
            "Nothing was changed."
        )
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    await flows.incidents.change_severity(world, incident.id, severity, by=interaction.user_id)


async def _show_severities(world: World, interaction: Interaction) -> None:
    incident = await flows.incidents.find(world, interaction.channel_id)
    playbooks = tuple(each.playbook for each in incident.playbooks) if incident else world.playbooks
    await interaction.show("How bad is it?", severity_table.page(incident, playbooks))


async def change_status(world: World, interaction: Interaction) -> None:
    """`/incident status monitoring`; raises UserError for a status that does not exist."""
    word = interaction.text
    status = next((status for status in Status if status.value == word.lower()), None)
    if status is None:
        problem = f"“{word[:QUOTED_LENGTH]}” isn't a status" if word else "The status is missing"
        raise UserError(
            f"{problem}: use investigating, identified or monitoring. Nothing was changed. "
            "To end the incident, use `/incident resolve`."
        )
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    await flows.incidents.change_status(world, incident.id, status, by=interaction.user_id)


async def choose_severity(world: World, interaction: Interaction) -> None:
    """A severity was chosen on the card."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    severity = Severity(interaction.value)
    await flows.incidents.change_severity(world, incident.id, severity, by=interaction.user_id)


async def choose_status(world: World, interaction: Interaction) -> None:
    """A status was chosen on the card."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    status = Status(interaction.value)
    await flows.incidents.change_status(world, incident.id, status, by=interaction.user_id)


async def take_status(world: World, interaction: Interaction) -> None:
    """The status that the card proposes was pressed."""
    await flows.next_status.take(world, *_proposal(interaction), by=interaction.user_id)


async def keep_status(world: World, interaction: Interaction) -> None:
    """*Not yet* was pressed, beside the status that the card proposes."""
    await flows.next_status.keep(world, *_proposal(interaction), by=interaction.user_id)


def _proposal(interaction: Interaction) -> tuple[IncidentId, ExecutionId]:
    """The incident, and the execution whose check went well."""
    incident_id, _, execution_id = interaction.value.partition(":")
    return IncidentId(int(incident_id)), ExecutionId(int(execution_id))


async def choose_scenario(world: World, interaction: Interaction) -> None:
    """A scenario was chosen on the card, among those that fit, while none was attached."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    _, has_service, service = interaction.block_id.partition(":")
    await flows.incidents.choose_scenario(
        world,
        incident.id,
        interaction.value,
        seen=(),
        previous_service=service if has_service else None,
        by=interaction.user_id,
    )


async def choose_service(world: World, interaction: Interaction) -> None:
    """A service was chosen in the channel, where the playbook is asked for."""
    await _choose_service(world, interaction, interaction.block_id.partition(":")[2])


async def take_service(world: World, interaction: Interaction) -> None:
    """A service was pressed that the words of the declaration could mean."""
    await _choose_service(world, interaction, "")


async def _choose_service(world: World, interaction: Interaction, previous: str) -> None:
    """`previous` is the service that the person saw; empty for none."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    service, user_id = interaction.value, interaction.user_id
    await flows.incidents.choose_service(world, incident.id, service, previous=previous, by=user_id)


async def open_playbook_form(world: World, interaction: Interaction) -> None:
    """`/incident playbook`: all scenarios but the chosen ones; raises UserError without others."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    await _open_playbook_form(world, interaction, incident)


async def press_other_service(world: World, interaction: Interaction) -> None:
    """*Another service…* was pressed on the card: the same form."""
    incident = await flows.incidents.get(world, _incident_id(interaction))
    await _open_playbook_form(world, interaction, incident)


async def _open_playbook_form(world: World, interaction: Interaction, incident: Incident) -> None:
    rules.incidents.check_open(incident)
    services = rules.service_names.served(world.config, world.playbooks)
    others = rules.fitting.others(world.playbooks, incident)
    if not others and all(service.id in incident.services for service in services):
        raise UserError(
            "There is no other playbook. Nothing was changed. The bot reads playbooks from files "
            "when it starts."
        )
    chosen = [each.name for each in incident.playbooks if each.name is not None]
    metadata = interaction.metadata(incident=incident.id, seen=chosen, was_service=incident.service)
    await interaction.open(choosing.form(incident, services, others, metadata=metadata))


def find_scenarios(world: World, typed: str) -> list[Element]:
    """The options of a search for a playbook, of any service."""
    refs = rules.fitting.search(typed, world.playbooks)
    return choosing.scenario_options(refs, several=True)


async def submit_playbook(world: World, interaction: Interaction, form: PlaybookForm) -> None:
    """Attach a scenario, or a service; of two people who choose at once, the first one's stays.

    Raises UserError for a scenario of another service than the chosen one.
    """
    incident_id, user_id = _form_incident_id(interaction), interaction.user_id
    was = interaction.private_metadata
    if form.scenario is None:
        await flows.incidents.choose_service(
            world, incident_id, form.service, previous=was["was_service"], by=user_id
        )
        return
    if form.service not in ("", form.scenario.partition("/")[0]):
        raise UserError(
            "That playbook is of another service than the one that you chose. Nothing was changed; "
            "choose one of the two."
        )
    await flows.incidents.choose_scenario(
        world,
        incident_id,
        form.scenario,
        # The release before this one opened the form with one name, or none.
        seen=was["seen"] if "seen" in was else [str(was.get("was"))],
        previous_service=was.get("was_service"),
        by=user_id,
    )


async def write_update(world: World, interaction: Interaction) -> None:
    """`/incident update`: the form; text after it is what is happening."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    await _open_update_form(world, interaction, incident, interaction.text)


async def press_update(world: World, interaction: Interaction) -> None:
    """*Post update* was pressed."""
    incident = await flows.incidents.get(world, _incident_id(interaction))
    await _open_update_form(world, interaction, incident)


async def _open_update_form(
    world: World, interaction: Interaction, incident: Incident, current: str = ""
) -> None:
    rules.incidents.check_open(incident)
    draft = await flows.updates.draft(world, incident, current)
    metadata = interaction.metadata(incident=incident.id)
    await interaction.open(modals.update(incident, draft, metadata=metadata))


async def submit_update(world: World, interaction: Interaction, form: UpdateForm) -> None:
    """Post the update."""
    text = UpdateText(**dict(form))
    incident_id, source = _form_incident_id(interaction), interaction.delivery_id
    await flows.updates.post(world, incident_id, text, by=interaction.user_id, source=source)


async def resolve(world: World, interaction: Interaction) -> None:
    """`/incident resolve`: the form."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    await _open_resolve_form(world, interaction, incident)


async def press_resolve(world: World, interaction: Interaction) -> None:
    """*Resolve* was pressed."""
    incident = await flows.incidents.get(world, _incident_id(interaction))
    await _open_resolve_form(world, interaction, incident)


async def _open_resolve_form(world: World, interaction: Interaction, incident: Incident) -> None:
    rules.incidents.check_open(incident)
    await flows.incidents.check_may_resolve(world, incident, by=interaction.user_id)
    unreadable: list[str] = []
    executions = await flows.executions.of_incident(world, incident.id, unreadable)
    in_force = await temporary_changes.in_force(world, incident.id, unreadable)
    form = modals.resolve(
        incident,
        metadata=interaction.metadata(incident=incident.id),
        executions=executions,
        others=await flows.executions.that_may_mend(world, executions),
        unreadable=unreadable,
        temporary_changes=in_force,
        open_checklists=tasks.open_checklists(
            executions, await flows.tasks.of_incident(world, incident.id)
        ),
        all_clear=await _draft_all_clear(world, incident),
        now=world.now(),
    )
    await interaction.open(form)


async def _draft_all_clear(world: World, incident: Incident) -> modals.AllClear | None:
    """The text for customers, where they were told that something is wrong."""
    told = await flows.customers.last_told(world, incident)
    if told is None:
        return None
    draft = await flows.customers.draft_all_clear(world, incident)
    return modals.AllClear(
        told, draft, await flows.customers.what_happens(world, incident, all_clear=True)
    )


async def submit_resolve(world: World, interaction: Interaction, form: ResolveForm) -> None:
    """Resolve the incident; then request the all-clear. Raises UserError for either."""
    incident_id, by = _form_incident_id(interaction), interaction.user_id
    await flows.incidents.resolve(
        world, incident_id, form.resolution, by=by, override_reason=form.despite or ""
    )
    if form.all_clear is None:
        return
    try:
        await flows.customers.propose(world, incident_id, form.all_clear, all_clear=True, by=by)
    except UserError as error:
        raise UserError(
            f"INC-{incident_id} is resolved, but its all-clear was not requested: {error} Press "
            "*Tell customers it is over…* on the card."
        ) from error


async def show_timeline(world: World, interaction: Interaction) -> None:
    """`/incident timeline`: what happened so far, shown to this person only."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    entries = await flows.incidents.timeline(world, incident.id)
    await interaction.show(
        f"Timeline of {incident.name}",
        pages.page(incident, entries, flows.incidents.own_clusters(world, incident)),
    )


async def add_note(world: World, interaction: Interaction) -> None:
    """`/incident note The queue is growing`; raises UserError without a text."""
    if not interaction.text:
        raise UserError(
            "The note is empty. Nothing was added. Example: `/incident note The queue is growing`."
        )
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    source, user_id = f"note:{interaction.trigger_id}", interaction.user_id
    await flows.incidents.note(world, incident.id, interaction.text, by=user_id, source=source)


async def pin_message(world: World, interaction: Interaction) -> None:
    """A :pushpin: was put on a message: add it to the timeline."""
    incident = await flows.incidents.in_channel(world, interaction.channel_id)
    message = await interaction.fetch_message()
    new = await flows.incidents.pin(
        world,
        incident.id,
        await interactions.message_text(world.directory, message) or "(no text)",
        author=str(message.get("user") or message.get("bot_id") or ""),
        by=interaction.user_id,
        source=f"message:{interaction.channel_id}:{message['ts']}",
    )
    already = "" if new else " already"
    await interaction.reply(f"That message is in the timeline of {incident.name}{already}.")


async def stale_component(world: World, interaction: Interaction) -> None:
    """Raise UserError for a button, form or shortcut that this version does not know."""
    raise UserError("This is from an older version of the bot. Nothing was done; open it again.")


async def mention(world: World, interaction: Interaction) -> None:
    """The bot was mentioned: show the commands."""
    await show_help(world, interaction)


async def show_home(world: World, interaction: Interaction) -> None:
    """The App Home was opened."""
    listed = await _listed(world, interaction)
    await interaction.publish_home(home.home_view(_served(world), listed, world.now()))


def _incident_id(interaction: Interaction) -> IncidentId:
    """The incident of the button that was pressed."""
    return IncidentId(int(interaction.value))


def _form_incident_id(interaction: Interaction) -> IncidentId:
    """The incident of the form that was sent."""
    return IncidentId(interaction.private_metadata["incident"])
