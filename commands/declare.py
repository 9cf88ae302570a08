"""Declaring an incident: in one line, or by a form that asks what is seen."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationInfo, field_validator

from bot import flows, rules
from bot.flows.incidents import Declaration
from bot.model import Incident, Noun, Severity, UserError
from bot.views import blocks, modals
from bot.world import World
from commands import asks
from commands.asks import Ask

LOOKS_LIKE_SEVERITY = re.compile(r"(sev[\s_-]?\d+|[1-4])(?:[\s:,]+|$)", re.IGNORECASE)


class DeclareForm(Noun):
    """What is wrong, what is seen (by play), and how bad it is, unless that follows."""

    title: str = ""
    symptoms: dict[str, tuple[str, ...]]
    scenario: str | None = None
    severity: Severity | None = None

    @field_validator("severity")
    @classmethod
    def _known(cls, severity: Severity | None, info: ValidationInfo) -> Severity | None:
        if severity is None and not info.data.get("scenario") and not info.data.get("symptoms"):
            raise ValueError("Tick above what you see, or say how bad it is.")
        return severity


async def say(world: World, ask: Ask) -> None:
    """`/incident declare sev1 words` is done at once; without a severity, the form."""
    found = LOOKS_LIKE_SEVERITY.match(ask.text)
    if found is None:
        await _open_form(world, ask, ask.text)
        return
    level = rules.severity(found[1])
    if level is None:
        raise UserError(
            f"“{found[1]}” is no severity, so nothing was declared. Say for example: /incident "
            "declare sev1 Orders are failing (sev1 is the worst, sev4 the mildest), or leave it "
            "out: the form asks what you see."
        )
    await _declare(world, ask, Declaration(text=ask.text[found.end() :].strip(), severity=level))


def check_not_meant(text: str) -> None:
    """Say `declare` in words that begin with a severity; raises UserError, nothing was declared."""
    found = LOOKS_LIKE_SEVERITY.match(text)
    level = rules.severity(found[1]) if found else None
    if found is None or level is None:
        return
    what = blocks.truncate(" ".join(text[found.end() :].split()), rules.TITLE_LENGTH)
    if what:
        raise UserError(f"Nothing was declared. Did you mean /incident declare {level} {what}?")
    raise UserError(
        f"Nothing was done. Did you mean /incident declare {level} and what is wrong, or, in an "
        f"incident's channel, /incident severity {level}?"
    )


async def _declare(world: World, ask: Ask, said: Declaration) -> None:
    done = await flows.incidents.declare(world, said, by=ask.who)
    incident = done.incident
    declared = f"Declared {incident.severity.label} {incident.name}"
    if not done.new:
        declared = f"{incident.name} was declared in the same words just now"
    where = f": <#{incident.channel_id}>."
    if incident.channel_id is None:
        where = (
            ". Slack does not let its channel through yet; it is made as soon as Slack does, and "
            "nothing is lost."
        )
    await ask.reply(f"{declared}{where}{_of_twin(done.twin)}")


def _of_twin(twin: Incident | None) -> str:
    """That somebody is on the same thing already, perhaps."""
    if twin is None:
        return ""
    channel = f": <#{twin.channel_id}>" if twin.channel_id else ""
    return (
        f" {twin.name} has the same title and is open{channel}. If it is the same thing, go on "
        "there and resolve one of the two."
    )


async def open_form(world: World, ask: Ask) -> None:
    """The form, from a button, a shortcut or a message."""
    await _open_form(world, ask, await ask.words(ask.message))


async def _open_form(world: World, ask: Ask, title: str) -> None:
    kept = ask.metadata(message_ts=ask.message.get("ts"))
    await ask.open(modals.declare(rules.plays(world.playbooks), metadata=kept, title=title))


async def tick(world: World, ask: Ask) -> None:
    """A symptom was ticked: the form says what that looks like."""
    values = _grouped(asks.filled(dict(ask.view)))
    form = modals.declare(
        rules.plays(world.playbooks),
        metadata=ask.view["private_metadata"],
        title=values.get("title", ""),
        likely=rules.likely(world.playbooks, values["symptoms"]),
        worst=rules.worst(world.playbooks, values["symptoms"]),
    )
    await ask.redraw(form)


def fill(world: World, ask: Ask, values: dict[str, Any]) -> DeclareForm:
    """The form, its groups of symptoms as one; raises ValidationError."""
    return DeclareForm.model_validate(_grouped(values))


def _grouped(values: Mapping[str, Any]) -> dict[str, Any]:
    grouped: dict[str, Any] = {"symptoms": {}}
    for name, value in values.items():
        group, _, play = name.partition(":")
        if group == modals.SYMPTOMS:
            of = play.partition(":")[2]
            grouped["symptoms"][of] = (*grouped["symptoms"].get(of, ()), *value)
        else:
            grouped[name] = value
    return grouped


async def submit(world: World, ask: Ask, filled: DeclareForm) -> None:
    """The form was sent: what people chose holds, and else what the symptoms say."""
    likely = rules.likely(world.playbooks, filled.symptoms)
    chosen = flows.incidents.find_play(world, filled.scenario) if filled.scenario else None
    play = chosen or rules.proposed(likely)
    seen = rules.worst(world.playbooks, filled.symptoms)
    severity = filled.severity or (chosen.scenario.severity if chosen else seen)
    if severity is None:
        raise UserError(
            "The playbooks have changed meanwhile, so nothing was declared. Open the form again."
        )
    said = Declaration(
        text=filled.title,
        severity=severity,
        scenario=play.name if play else None,
        source_link=await ask.permalink(),
        symptoms=tuple(word for words in filled.symptoms.values() for word in words),
    )
    await _declare(world, ask, said)
