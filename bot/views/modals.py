"""The forms; a block id is the name of the field that it fills."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot import rules
from bot.choices import Choices
from bot.model import (
    Draft,
    Execution,
    Hold,
    Incident,
    Noun,
    Severity,
    State,
    Status,
    Step,
    Unfinished,
)
from bot.rules import Play
from bot.views import blocks, presses, text
from bot.views.blocks import Block, Element

View = dict[str, Any]

LONG = 2_500
VALUE = 150  # characters of an option's value
CHECKBOXES = 10  # in one element
GROUPS = 90  # of the 100 blocks of a form
LIKELY = 5
SYMPTOMS = "symptoms"  # a group's name is `symptoms:start:service/scenario`
FOLLOWS = "Left empty, it is as bad as the playbook that fits."


def declare(
    plays: Sequence[Play],
    *,
    metadata: str,
    title: str = "",
    likely: Sequence[Play] = (),
    worst: Severity | None = None,
) -> View:
    """Say what is wrong and tick what is seen; severity and playbook follow, or are chosen."""
    title_line = blocks.line(initial=title, longest=LONG, example="Orders are failing")
    radio: Element = {"type": "radio_buttons", "options": _severities(plays)}
    words = text.render("declare_form", likely=likely[:LIKELY], all=len(likely), worst=worst)
    parts = [
        blocks.field("title", "What is wrong?", title_line, optional=True),
        blocks.section(words),  # above what is ticked, whose list is longer than a screen
        *_symptoms(sorted(plays, key=lambda play: play.scenario.severity))[:GROUPS],
        blocks.field("severity", "How bad is it?", radio, hint=FOLLOWS, optional=True),
    ]
    if plays:
        parts.append(_playbooks(plays))
    return blocks.modal(
        presses.DECLARE_FORM, "Declare an incident", parts, submit="Declare", metadata=metadata
    )


def _severities(plays: Sequence[Play]) -> list[Element]:
    return [
        blocks.option(blocks.cut(_severity_words(level, plays), 75), level.value)
        for level in Severity
    ]


def playbook(incident: Incident, plays: Sequence[Play], *, metadata: str) -> View:
    """Choose the playbook, or another one; those for the incident's severity come first."""
    fitting = sorted(plays, key=lambda play: play.scenario.severity is not incident.severity)
    scenario = blocks.select("scenario", "Choose a playbook", _play_options(fitting))
    parts = [
        blocks.section(text.render("playbook_form", incident=incident)),
        blocks.field("scenario", "Playbook", scenario),
    ]
    return blocks.modal(
        presses.PLAYBOOK_FORM, "Choose a playbook", parts, submit="Choose", metadata=metadata
    )


def _play_options(plays: Sequence[Play]) -> list[Element]:
    several = len({play.playbook.service for play in plays}) > 1
    options = []
    for play in plays[:100]:
        words = f"{play.scenario.severity.label} · {play.scenario.title}"
        if several:
            words = f"{words} ({play.playbook.service})"
        options.append(blocks.option(words, play.name))
    return options


def _playbooks(plays: Sequence[Play]) -> Block:
    scenario = blocks.select("scenario", "Choose a playbook", _play_options(plays))
    hint = "Left empty, it is the one proposed; where several are as likely, choose in the channel."
    return blocks.field("scenario", "Playbook", scenario, hint=hint, optional=True)


def _severity_words(level: Severity, plays: Sequence[Play]) -> str:
    known = next(
        (p.playbook.severities[level] for p in plays if level in p.playbook.severities), None
    )
    return f"{level.label} · {known.meaning}" if known else level.label


def _symptoms(plays: Sequence[Play]) -> list[Block]:
    """What can be seen, by play; a tick is told at once, so that the form can say what fits."""
    several = len({play.playbook.service for play in plays}) > 1
    groups = []
    for play in plays:
        words = dict.fromkeys(symptom[:VALUE] for symptom in play.scenario.symptoms)
        options = [blocks.option(word, word) for word in words]
        for start in range(0, len(options), CHECKBOXES):
            label = f"{play.scenario.severity.label} · {play.scenario.title}"
            groups.append(
                blocks.boxes(
                    f"{SYMPTOMS}:{start}:{play.name}",
                    f"{play.playbook.title}: {label}" if several else label,
                    presses.TICK_SYMPTOM,
                    options[start : start + CHECKBOXES],
                )
            )
    return groups


def update(incident: Incident, draft: Draft, *, metadata: str) -> View:
    """The internal alert, filled in from facts."""
    impact = blocks.line(initial=draft.impact, longest=1000, lines=True)
    current = blocks.line(initial="\n".join(draft.happened), longest=LONG, lines=True)
    parts: list[Block] = [
        blocks.context(text.render("update_form", incident=incident)),
        blocks.field("status", "Status", _statuses(incident.status)),
        blocks.field("impact", "Impact: what do users notice?", impact),
        blocks.field("current", "What is happening", current),
    ]
    if draft.minutes is not None:
        element = blocks.number(lowest=5, highest=2 * draft.minutes, initial=draft.minutes)
        parts.append(blocks.field("minutes", "Next update in (minutes)", element))
    return blocks.modal(
        presses.UPDATE_FORM, "Post an update", parts, submit="Post", metadata=metadata
    )


def _statuses(now: Status) -> Element:
    options = [
        blocks.option(status.value.capitalize(), status.value)
        for status in Status
        if status is not Status.RESOLVED
    ]
    return blocks.select("status", "Status", options, now.value)


def resolve(
    incident: Incident,
    *,
    metadata: str,
    runs: Sequence[Execution],
    holds: Sequence[Hold],
    left: Sequence[Unfinished],
    now: datetime,
) -> View:
    """Say what fixed it; where a check failed, say why it may end all the same."""
    unchecked = rules.unchecked(runs)
    parts = [
        blocks.section(text.render("resolve_form", incident=incident)),
        blocks.field("resolution", "What fixed it?", blocks.line(longest=LONG, lines=True)),
    ]
    if words := _still_to_know(runs, holds, now):
        parts.append(blocks.section(words))
    if holds:
        parts.append(blocks.section(text.render("resolve_held", holds=holds)))
    if left:
        parts.append(blocks.section(text.render("resolve_left", left=left)))
    if unchecked:
        parts.append(blocks.section(text.render("resolve_unchecked", runs=unchecked)))
        parts.append(
            blocks.field(
                "despite", "Why resolve all the same?", blocks.line(longest=1000, lines=True)
            )
        )
    return blocks.modal(presses.RESOLVE_FORM, "Resolve", parts, submit="Resolve", metadata=metadata)


def _still_to_know(runs: Sequence[Execution], holds: Sequence[Hold], now: datetime) -> str:
    """What runs at this moment, and what could be undone until the incident ends."""
    running = [run for run in runs if run.state is State.RUNNING]
    undoable = rules.undoable(runs, holds)
    return text.render("resolve_runs", running=running, undoable=undoable, now=now)


def step(
    incident: Incident,
    step: Step,
    action: type[Noun],
    params: Mapping[str, Any],
    *,
    choices: Mapping[str, Choices],
    metadata: str,
) -> View:
    """The parameters that people fill in, or choose where `choices` are known, and why."""
    parts: list[Block] = [blocks.section(text.render("step_form", step=step, incident=incident))]
    # What this version's action no longer takes is not asked for.
    known = [name for name in step.ask if name in action.model_fields]
    parts += [_parameter(action, name, params, choices.get(name)) for name in known]
    example = "The new version crash-loops since 03:02"
    reason = blocks.line(longest=500, lines=True, example=example)
    parts.append(blocks.field("reason", "Reason", reason))
    return blocks.modal(
        presses.STEP_FORM, blocks.cut(step.title, 24), parts, submit="Ask", metadata=metadata
    )


def _parameter(
    action: type[Noun], name: str, params: Mapping[str, Any], choices: Choices | None
) -> Block:
    label = name.replace("_", " ").capitalize()
    optional = not action.model_fields[name].is_required() and name not in params
    hint = action.model_fields[name].description or ""
    element = _element(action, name, params.get(name))
    if choices is not None:
        hint = choices.hint or hint
    if choices is not None and choices.options:
        element = _choice(choices, name, params.get(name))
    return blocks.field(name, label, element, hint=hint, optional=optional)


def _choice(choices: Choices, name: str, value: Any) -> Element:
    """One of what there is now: what was asked for before, while it is there, or the default."""
    options = [blocks.option(one.text, one.value) for one in choices.options[:100]]
    known = {one.value for one in choices.options}
    initial = str(value) if str(value) in known else choices.default
    return blocks.select(name, "Choose", options, initial)


def _element(action: type[Noun], name: str, value: Any) -> Element:
    """What a parameter is filled in with, by its JSON schema."""
    schema = action.model_json_schema()["properties"][name]
    if value is not None:  # as the action keeps it: 30 where the playbook says 30 min
        read = action.model_construct()
        action.__pydantic_validator__.validate_assignment(read, name, value)
        value = read.model_dump(mode="json", include={name})[name]
    kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if kinds[0].get("type") == "integer":
        bounds = {"lowest": kinds[0].get("minimum"), "highest": kinds[0].get("maximum")}
        return blocks.number(**bounds, initial=value)
    return blocks.line(initial="" if value is None else str(value))


def customer_message(incident: Incident, words: str, channel: str | None, *, metadata: str) -> View:
    """What customers are to be told; `channel` is where they read it, None where it is copied."""
    parts: list[Block] = [
        blocks.section(text.render("customer_form", incident=incident, channel=channel)),
        blocks.field(
            "text", "What customers read", blocks.line(initial=words, longest=LONG, lines=True)
        ),
    ]
    return blocks.modal(
        presses.CUSTOMER_FORM, "Tell customers", parts, submit="Ask", metadata=metadata
    )


def deny(run: Execution, *, metadata: str) -> View:
    """Say why not."""
    words = run.plan.summary if run.plan else run.title
    parts = [
        blocks.section(text.escape(words)),
        blocks.field("reason", "Why not?", blocks.line(longest=500, lines=True)),
    ]
    return blocks.modal(presses.DENY_FORM, "Deny", parts, submit="Deny", metadata=metadata)
