"""The forms; a block id is the name of the field that it fills."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.model import Draft, Execution, Incident, Noun, Severity, Status, Step
from bot.rules import Play
from bot.views import blocks, presses, text
from bot.views.blocks import Block, Element

View = dict[str, Any]

LONG = 2_500


def declare(
    plays: Sequence[Play], *, metadata: str, title: str = "", severity: Severity | None = None
) -> View:
    """Say what is wrong and how bad it is."""
    worst = severity.value if severity else None
    title_line = blocks.line(initial=title, longest=LONG, example="Orders are failing")
    parts = [
        blocks.field("severity", "How bad is it?", _radio(_severities(plays), worst)),
        blocks.field("title", "What is wrong?", title_line),
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


def _playbooks(plays: Sequence[Play]) -> Block:
    options = [
        blocks.option(f"{play.scenario.severity.label} · {play.scenario.title}", _play_value(play))
        for play in plays[:99]
    ]
    scenario = blocks.select("scenario", "Choose a playbook", options)
    hint = "Left empty, it goes by the severity; where several match, choose in the channel."
    return blocks.field("scenario", "Playbook", scenario, hint=hint, optional=True)


def _severity_words(level: Severity, plays: Sequence[Play]) -> str:
    known = next(
        (p.playbook.severities[level] for p in plays if level in p.playbook.severities), None
    )
    return f"{level.label} · {known.meaning}" if known else level.label


def _radio(options: Sequence[Element], initial: str | None) -> Element:
    element: Element = {"type": "radio_buttons", "options": list(options)}
    chosen = [option for option in options if option["value"] == initial]
    return {**element, "initial_option": chosen[0]} if chosen else element


def _play_value(play: Play) -> str:
    return f"{play.playbook.service}/{play.scenario.id}"


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


def resolve(incident: Incident, *, metadata: str, unchecked: Sequence[Execution]) -> View:
    """Say what fixed it; where a check failed, say why it may end all the same."""
    parts = [
        blocks.section(text.render("resolve_form", incident=incident)),
        blocks.field("resolution", "What fixed it?", blocks.line(longest=LONG, lines=True)),
    ]
    if unchecked:
        parts.append(blocks.section(text.render("resolve_unchecked", runs=unchecked)))
        parts.append(
            blocks.field(
                "despite", "Why resolve all the same?", blocks.line(longest=1000, lines=True)
            )
        )
    return blocks.modal(presses.RESOLVE_FORM, "Resolve", parts, submit="Resolve", metadata=metadata)


def step(
    incident: Incident,
    step: Step,
    action: type[Noun],
    params: Mapping[str, Any],
    *,
    metadata: str,
) -> View:
    """The parameters that people fill in, and why."""
    parts: list[Block] = [blocks.section(text.render("step_form", step=step, incident=incident))]
    # What this version's action no longer takes is not asked for.
    known = [name for name in step.ask if name in action.model_fields]
    parts += [_parameter(action, name, params) for name in known]
    example = "The new version crash-loops since 03:02"
    reason = blocks.line(longest=500, lines=True, example=example)
    parts.append(blocks.field("reason", "Reason", reason))
    return blocks.modal(
        presses.STEP_FORM, blocks.cut(step.title, 24), parts, submit="Ask", metadata=metadata
    )


def _parameter(action: type[Noun], name: str, params: Mapping[str, Any]) -> Block:
    label = name.replace("_", " ").capitalize()
    optional = not action.model_fields[name].is_required() and name not in params
    hint = action.model_fields[name].description or ""
    element = _element(action, name, params.get(name))
    return blocks.field(name, label, element, hint=hint, optional=optional)


def _element(action: type[Noun], name: str, value: Any) -> Element:
    """What a parameter is filled in with, by its JSON schema."""
    schema = action.model_json_schema()["properties"][name]
    kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if kinds[0].get("type") == "integer":
        bounds = {"lowest": kinds[0].get("minimum"), "highest": kinds[0].get("maximum")}
        return blocks.number(**bounds, initial=value)
    return blocks.line(initial="" if value is None else str(value))


def deny(run: Execution, *, metadata: str) -> View:
    """Say why not."""
    words = run.plan.summary if run.plan else run.title
    parts = [
        blocks.section(text.escape(words)),
        blocks.field("reason", "Why not?", blocks.line(longest=500, lines=True)),
    ]
    return blocks.modal(presses.DENY_FORM, "Deny", parts, submit="Deny", metadata=metadata)
