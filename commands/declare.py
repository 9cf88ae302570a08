"""Declaring an incident: in one line, or with a form for symptoms."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationInfo, field_validator

from bot import flows, rules
from bot.flows.declarations import Declaration
from bot.model import (
    Incident,
    Model,
    Playbook,
    ScenarioRef,
    ServiceName,
    Severity,
    UserError,
)
from bot.rules.service_names import NameReading
from bot.views import blocks, choosing, modals
from bot.views.blocks import Element
from bot.world import World
from commands import interactions
from commands.interactions import Interaction


class DeclareForm(Model):
    """The title, the ticked symptoms by scenario, and what people chose themselves.

    Without a severity, the scenario or the symptoms give it.
    """

    title: str = ""
    service: str = ""
    symptoms: dict[str, tuple[str, ...]]
    scenario: str | None = None
    severity: Severity | None = None

    @field_validator("severity")
    @classmethod
    def _check_known(cls, severity: Severity | None, info: ValidationInfo) -> Severity | None:
        if severity is None and not info.data.get("scenario") and not info.data.get("symptoms"):
            raise ValueError("Tick what you see above, or choose how bad it is.")
        return severity


class Named(NamedTuple):
    """The service of a declaration, and which channel proposed it; or what it could be."""

    service: str
    candidates: tuple[str, ...]
    team_channel: str


async def declare(world: World, interaction: Interaction) -> None:
    """`/incident declare sev1 checkout: it times out` declares at once; the form asks the severity.

    Raises UserError for a severity that does not exist.
    """
    typed = rules.declarations.split(interaction.text, _services(world))
    named = _named(world, interaction, typed.name)
    if not typed.severity:
        await flows.guests.check_may_declare(world, interaction.user_id)
        severity = rules.declarations.last_severity(typed.title)
        await _show_form(world, interaction, typed.title, named, severity)
        return
    severity = rules.incidents.parse_severity(typed.severity)
    if severity is None:
        raise UserError(
            f"“{typed.severity}” isn't a severity: use sev1 (the worst) to sev4. Nothing was "
            "declared. Example: `/incident declare sev1 Orders are failing`. Without a severity, a "
            "form asks what you see."
        )
    declaration = Declaration(
        text=typed.title,
        severity=severity,
        said=typed.name.rest if typed.name.service else None,
        **named._asdict(),
    )
    await _declare(world, interaction, declaration)


def _services(world: World) -> tuple[ServiceName, ...]:
    return rules.service_names.served(world.config, world.playbooks)


def _named(world: World, interaction: Interaction, name: NameReading) -> Named:
    """The service that the words name, or else the one of the team's channel they stand in."""
    if name.service:
        return Named(name.service, (), "")
    of_channel = rules.service_names.of_channel(
        world.config, interaction.channel_id, interaction.channel_name
    )
    if len(of_channel) == 1 and (not name.candidates or of_channel[0] in name.candidates):
        return Named(of_channel[0], (), interaction.channel_id or "")
    return Named("", tuple(dict.fromkeys((*name.candidates, *of_channel))), "")


def suggest_declare(text: str) -> None:
    """Raise UserError that suggests `declare`, for text that begins with a severity."""
    match = rules.declarations.AT_START.match(text)
    severity = rules.incidents.parse_severity(match[1]) if match else None
    if match is None or severity is None:
        return
    title = blocks.truncate(" ".join(text[match.end() :].split()), rules.incidents.TITLE_LENGTH)
    if title:
        raise UserError(
            f"Nothing was declared. Did you mean `/incident declare {severity} {title}`?"
        )
    raise UserError(
        f"Nothing was done. Did you mean `/incident declare {severity}` with a title, or, in an "
        f"incident's channel, `/incident severity {severity}`?"
    )


async def _declare(world: World, interaction: Interaction, declaration: Declaration) -> None:
    declared = await flows.declarations.declare(world, declaration, by=interaction.user_id)
    incident = declared.incident
    if declared.new:
        result = f"Declared {incident.severity.label} {incident.name}"
    else:
        result = f"{incident.name} was declared with the same title just now"
    channel = f": <#{incident.channel_id}>."
    if incident.channel_id is None:
        channel = (
            ". Slack has not created its channel yet. The bot goes on trying; nothing is lost."
        )
    ask = "" if incident.service else " Choose there which service it is."
    await interaction.reply(f"{result}{channel}{ask}{_about_same_title(declared.same_title)}")
    refusal = await flows.declarations.refusal_of_new(world, incident.id) if declared.new else None
    if refusal is not None:
        await interaction.reply(f"{incident.name}: {refusal}")


def _about_same_title(other: Incident | None) -> str:
    """What to do about another open incident with the same title."""
    if other is None:
        return ""
    channel = f": <#{other.channel_id}>" if other.channel_id else ""
    return (
        f" {other.name} is open and has the same title{channel}. If it is the same problem, "
        "continue there and resolve one of the two."
    )


async def open_form(world: World, interaction: Interaction) -> None:
    """The form, from a button, a shortcut, or a message, whose text is then the title."""
    title, _ = await asyncio.gather(
        interactions.message_text(world.directory, interaction.message),
        flows.guests.check_may_declare(world, interaction.user_id),
    )
    named = _named(world, interaction, rules.service_names.read(title, _services(world)))
    await _show_form(world, interaction, title, named, None)


async def _show_form(
    world: World, interaction: Interaction, title: str, named: Named, severity: Severity | None
) -> None:
    metadata = interaction.metadata(message_ts=interaction.message.get("ts"))
    form = modals.declare(
        _scenarios(world, named.service),
        metadata=metadata,
        title=title,
        services=_services(world),
        service=named.service,
        candidates=named.candidates,
        severity=severity,
    )
    await interaction.open(form)


def _playbooks(world: World, service: str) -> tuple[Playbook, ...]:
    """The playbooks of the service, or all of the only one; none while none of several is known."""
    if len(_services(world)) == 1:
        return world.playbooks
    return rules.fitting.of_service(world.playbooks, service)


def _scenarios(world: World, service: str) -> tuple[ScenarioRef, ...]:
    return rules.incidents.all_scenarios(_playbooks(world, service))


async def redraw_form(world: World, interaction: Interaction) -> None:
    """A service was chosen or a symptom ticked: the form shows which symptoms and playbooks fit."""
    values = _group_symptoms(interactions.form_values(dict(interaction.view)))
    service = values.get("service", "")
    playbooks = _playbooks(world, service)
    form = modals.declare(
        _scenarios(world, service),
        metadata=interaction.view["private_metadata"],
        title=values.get("title", ""),
        services=_services(world),
        service=service,
        best_matches=rules.incidents.best_matches(playbooks, values["symptoms"]),
        worst_severity=rules.incidents.worst_severity(playbooks, values["symptoms"]),
    )
    await interaction.update_view(form)


def find_services(world: World, typed: str) -> list[Element]:
    """The options of a search for a service."""
    return choosing.service_options(rules.service_names.search(typed, _services(world)))


def parse_form(world: World, interaction: Interaction, values: dict[str, Any]) -> DeclareForm:
    """The form of its values by block id; raises ValidationError."""
    return DeclareForm.model_validate(_group_symptoms(values))


def _group_symptoms(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the ticked symptoms by scenario: a scenario may have several blocks."""
    grouped: dict[str, Any] = {"symptoms": {}}
    for block_id, value in values.items():
        name, _, rest = block_id.partition(":")
        if name == modals.SYMPTOMS_PREFIX:
            scenario = rest.partition(":")[2]
            grouped["symptoms"][scenario] = (*grouped["symptoms"].get(scenario, ()), *value)
        else:
            grouped[name] = value
    return grouped


def _chosen_scenario(world: World, form: DeclareForm) -> ScenarioRef | None:
    """What was chosen in the form, unless it was of another service, chosen before this one."""
    ref = flows.incidents.find_scenario(world, form.scenario) if form.scenario else None
    return ref if ref and form.service in ("", ref.playbook.service) else None


async def submit(world: World, interaction: Interaction, form: DeclareForm) -> None:
    """Declare; what people chose in the form comes before what the symptoms say.

    Raises UserError where neither gives a severity.
    """
    # A form from before there were several services has no service: what is ticked says it.
    playbooks = _playbooks(world, form.service) if form.service else world.playbooks
    chosen = _chosen_scenario(world, form)
    ref = chosen or rules.incidents.unambiguous(
        rules.incidents.best_matches(playbooks, form.symptoms)
    )
    by_symptoms = rules.incidents.worst_severity(playbooks, form.symptoms)
    severity = form.severity or (chosen.scenario.severity if chosen else by_symptoms)
    if severity is None:
        raise UserError("The playbooks have changed. Nothing was declared; open the form again.")
    name = rules.service_names.read(form.title, _services(world))
    service = form.service or name.service
    declaration = Declaration(
        text=form.title,
        severity=severity,
        service=service,
        candidates=() if service else name.candidates,
        said=name.rest if name.service and name.service == service else None,
        scenario=ref.name if ref else None,
        source_link=await interaction.permalink(),
        symptoms=tuple(symptom for group in form.symptoms.values() for symptom in group),
    )
    await _declare(world, interaction, declaration)
