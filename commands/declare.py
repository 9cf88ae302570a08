"""Declaring an incident: in one line, or with a form for symptoms."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationInfo, field_validator

from bot import flows, rules
from bot.flows.incidents import Declaration
from bot.model import Incident, Model, Severity, UserError
from bot.views import blocks, modals
from bot.world import World
from commands import interactions
from commands.interactions import Interaction

LOOKS_LIKE_SEVERITY = re.compile(r"(sev[\s_-]?\d+|[1-4])(?:[\s:,]+|$)", re.IGNORECASE)


class DeclareForm(Model):
    """The title, the ticked symptoms by scenario, and what people chose themselves.

    Without a severity, the scenario or the symptoms give it.
    """

    title: str = ""
    symptoms: dict[str, tuple[str, ...]]
    scenario: str | None = None
    severity: Severity | None = None

    @field_validator("severity")
    @classmethod
    def _check_known(cls, severity: Severity | None, info: ValidationInfo) -> Severity | None:
        if severity is None and not info.data.get("scenario") and not info.data.get("symptoms"):
            raise ValueError("Tick what you see above, or choose how bad it is.")
        return severity


async def declare(world: World, interaction: Interaction) -> None:
    """`/incident declare sev1 Orders fail` declares at once; without a severity, it opens the form.

    Raises UserError for a severity that does not exist.
    """
    match = LOOKS_LIKE_SEVERITY.match(interaction.text)
    if match is None:
        await _open_form(world, interaction, interaction.text)
        return
    severity = rules.incidents.parse_severity(match[1])
    if severity is None:
        raise UserError(
            f"“{match[1]}” isn't a severity: use sev1 (the worst) to sev4. Nothing was declared. "
            "Example: `/incident declare sev1 Orders are failing`. Without a severity, a form "
            "asks what you see."
        )
    title = interaction.text[match.end() :].strip()
    await _declare(world, interaction, Declaration(text=title, severity=severity))


def suggest_declare(text: str) -> None:
    """Raise UserError that suggests `declare`, for text that begins with a severity."""
    match = LOOKS_LIKE_SEVERITY.match(text)
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
    declared = await flows.incidents.declare(world, declaration, by=interaction.user_id)
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
    await interaction.reply(f"{result}{channel}{_about_same_title(declared.same_title)}")
    refusal = await flows.incidents.refusal_of_new(world, incident.id) if declared.new else None
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
    await _show_form(world, interaction, title)


async def _open_form(world: World, interaction: Interaction, title: str) -> None:
    await flows.guests.check_may_declare(world, interaction.user_id)
    await _show_form(world, interaction, title)


async def _show_form(world: World, interaction: Interaction, title: str) -> None:
    metadata = interaction.metadata(message_ts=interaction.message.get("ts"))
    refs = rules.incidents.all_scenarios(world.playbooks)
    await interaction.open(modals.declare(refs, metadata=metadata, title=title))


async def tick_symptom(world: World, interaction: Interaction) -> None:
    """A symptom was ticked: the form shows which scenarios fit."""
    values = _group_symptoms(interactions.form_values(dict(interaction.view)))
    form = modals.declare(
        rules.incidents.all_scenarios(world.playbooks),
        metadata=interaction.view["private_metadata"],
        title=values.get("title", ""),
        best_matches=rules.incidents.best_matches(world.playbooks, values["symptoms"]),
        worst_severity=rules.incidents.worst_severity(world.playbooks, values["symptoms"]),
    )
    await interaction.update_view(form)


def parse_form(world: World, interaction: Interaction, values: dict[str, Any]) -> DeclareForm:
    """The form of its values by block id; raises ValidationError."""
    return DeclareForm.model_validate(_group_symptoms(values))


def _group_symptoms(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the ticked symptoms by scenario: a scenario may have several blocks."""
    grouped: dict[str, Any] = {"symptoms": {}}
    for block_id, value in values.items():
        prefix, _, rest = block_id.partition(":")
        if prefix == modals.SYMPTOMS_PREFIX:
            scenario = rest.partition(":")[2]
            grouped["symptoms"][scenario] = (*grouped["symptoms"].get(scenario, ()), *value)
        else:
            grouped[block_id] = value
    return grouped


async def submit(world: World, interaction: Interaction, form: DeclareForm) -> None:
    """Declare; what people chose in the form comes before what the symptoms say.

    Raises UserError where neither gives a severity.
    """
    chosen = flows.incidents.find_scenario(world, form.scenario) if form.scenario else None
    ref = chosen or rules.incidents.unambiguous(
        rules.incidents.best_matches(world.playbooks, form.symptoms)
    )
    by_symptoms = rules.incidents.worst_severity(world.playbooks, form.symptoms)
    severity = form.severity or (chosen.scenario.severity if chosen else by_symptoms)
    if severity is None:
        raise UserError("The playbooks have changed. Nothing was declared; open the form again.")
    declaration = Declaration(
        text=form.title,
        severity=severity,
        scenario=ref.name if ref else None,
        source_link=await interaction.permalink(),
        symptoms=tuple(symptom for group in form.symptoms.values() for symptom in group),
    )
    await _declare(world, interaction, declaration)
