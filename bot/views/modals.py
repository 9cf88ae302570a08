"""The forms; the block id of an input is the name of its field."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bot import rules
from bot.model import (
    Execution,
    ExecutionState,
    FreezeNotice,
    Incident,
    Model,
    ScenarioRef,
    ServiceName,
    Severity,
    Step,
    TemporaryChange,
    Unfinished,
    UpdateDraft,
    UserId,
)
from bot.model.choices import Options
from bot.model.text import truncate
from bot.views import action_ids, blocks, choosing, text
from bot.views.blocks import Block, Element
from bot.views.card import status_menu
from bot.views.parameters import parameter_input

View = dict[str, Any]

LONG_TEXT = 2_500  # characters of a long text
OPTION_VALUE_LENGTH = 150  # characters of an option's value
MAX_CHECKBOXES = 10  # in one element
MAX_SYMPTOM_GROUPS = 90  # of the 100 blocks of a form
MAX_MATCHES = 5  # scenarios that the form names
SYMPTOMS_PREFIX = "symptoms"  # a group's name is `symptoms:start:service/scenario`
SEVERITY_HINT = "If you choose none, it is the severity of the playbook that fits."


class AllClear(NamedTuple):
    """What customers were told last, a text that it is over, and what becomes of that text."""

    told: Execution
    draft: str
    words: text.Mrkdwn


def declare(
    scenarios: Sequence[ScenarioRef],
    *,
    metadata: str,
    title: str = "",
    services: Sequence[ServiceName] = (),
    service: str = "",
    candidates: Sequence[str] = (),
    severity: Severity | None = None,
    best_matches: Sequence[ScenarioRef] = (),
    worst_severity: Severity | None = None,
) -> View:
    """The form to declare an incident: `best_matches` are the scenarios that fit what is ticked.

    Of several services it offers the symptoms and playbooks of the one that is chosen; `candidates`
    are those that the words could mean.
    """
    title_line = blocks.text_input(
        initial=title, max_length=LONG_TEXT, placeholder="Orders are failing"
    )
    several = len(services) > 1
    mrkdwn = text.render(
        "declare_form",
        ask_service=several and not service,
        candidates=[each.title for each in services if each.id in candidates],
        has_scenarios=bool(scenarios),
        matches=best_matches[:MAX_MATCHES],
        total=len(best_matches),
        severity=worst_severity,
    )
    radio = _severity_radio(scenarios, severity)
    parts = [
        blocks.input_block("title", "What is wrong?", title_line, optional=True),
        *([_service_field(services, service)] if several else []),
        blocks.section(mrkdwn),  # above the symptoms, whose list is longer than a screen
        *_symptoms(sorted(scenarios, key=lambda ref: ref.scenario.severity))[:MAX_SYMPTOM_GROUPS],
        blocks.input_block("severity", "How bad is it?", radio, hint=SEVERITY_HINT, optional=True),
    ]
    if scenarios:
        parts.append(_playbooks(scenarios, service if several else ""))
    return blocks.modal(
        action_ids.DECLARE_FORM, "Declare an incident", parts, submit="Declare", metadata=metadata
    )


def _service_field(services: Sequence[ServiceName], chosen: str) -> Block:
    """The service; Slack sends the choice at once, and the form then offers its symptoms."""
    menu = choosing.service_menu(action_ids.FORM_SERVICE, services, chosen)
    hint = "If you choose none, the channel asks for it."
    block = blocks.input_block("service", "Service", menu, hint=hint, optional=True)
    return {**block, "dispatch_action": True}


def _severity_radio(refs: Sequence[ScenarioRef], chosen: Severity | None) -> Element:
    options = [
        blocks.option(truncate(_severity_label(severity, refs), 75), severity.value)
        for severity in Severity
    ]
    radio: Element = {"type": "radio_buttons", "options": options}
    initial = [option for option in options if option["value"] == chosen]
    return {**radio, "initial_option": initial[0]} if initial else radio


def take_over(incident: Incident, commander: UserId, *, is_own: bool, metadata: str) -> View:
    """The question whether somebody else shall be in command, who `is_own` for who asks."""
    words = text.render("take_over", incident=incident, commander=commander, is_own=is_own)
    label = "Take over command" if is_own else "Change commander"
    return blocks.modal(
        action_ids.TAKE_OVER_FORM, label, [blocks.section(words)], submit=label, metadata=metadata
    )


def _playbooks(refs: Sequence[ScenarioRef], service: str) -> Block:
    scenario = blocks.menu(
        "scenario", choosing.CHOOSE_PLAYBOOK, choosing.scenario_options(refs, several=False)
    )
    hint = "If you choose none, it is the one that fits; if several fit, choose in the channel."
    # Another service's field is another one: else Slack would keep what was chosen in the first.
    name = f"scenario:{service}" if service else "scenario"
    return blocks.input_block(name, "Playbook", scenario, hint=hint, optional=True)


def _severity_label(severity: Severity, refs: Sequence[ScenarioRef]) -> str:
    levels = [ref.playbook.severities.get(severity) for ref in refs]
    meanings = [level.meaning for level in levels if level]
    return f"{severity.label} · {meanings[0]}" if meanings else severity.label


def _symptoms(refs: Sequence[ScenarioRef]) -> list[Block]:
    """Checkboxes by scenario; Slack sends each tick at once, and the form then names what fits."""
    several = len({ref.playbook.service for ref in refs}) > 1
    groups = []
    for ref in refs:
        symptoms = dict.fromkeys(symptom[:OPTION_VALUE_LENGTH] for symptom in ref.scenario.symptoms)
        options = [blocks.option(symptom, symptom) for symptom in symptoms]
        for start in range(0, len(options), MAX_CHECKBOXES):
            label = f"{ref.scenario.severity.label} · {ref.scenario.title}"
            groups.append(
                blocks.checkboxes(
                    f"{SYMPTOMS_PREFIX}:{start}:{ref.name}",
                    f"{ref.playbook.title}: {label}" if several else label,
                    action_ids.TICK_SYMPTOM,
                    options[start : start + MAX_CHECKBOXES],
                )
            )
    return groups


def update(incident: Incident, draft: UpdateDraft, *, metadata: str) -> View:
    """The form to post an update, filled in from what happened."""
    impact = blocks.text_input(initial=draft.impact, max_length=1000, multiline=True)
    current = blocks.text_input(
        initial="\n".join(draft.facts), max_length=LONG_TEXT, multiline=True
    )
    parts: list[Block] = [
        blocks.context(text.render("update_form", incident=incident)),
        blocks.input_block("status", "Status", status_menu("status", incident.status)),
        blocks.input_block("impact", "Impact: what do users notice?", impact),
        blocks.input_block("current", "What is happening", current),
    ]
    if draft.minutes is not None:
        least, most = rules.deadlines.promise_bounds(draft.minutes)
        element = blocks.number_input(min_value=least, max_value=most, initial=draft.minutes)
        label, hint = "Next update in (minutes)", f"From {least} to {most}."
        parts.append(blocks.input_block("minutes", label, element, hint=hint))
    return blocks.modal(
        action_ids.UPDATE_FORM, "Post an update", parts, submit="Post", metadata=metadata
    )


def resolve(
    incident: Incident,
    *,
    metadata: str,
    executions: Sequence[Execution],
    others: Sequence[Execution] = (),
    unreadable: Sequence[str] = (),
    temporary_changes: Sequence[TemporaryChange],
    open_checklists: Sequence[Unfinished],
    all_clear: AllClear | None,
    now: datetime,
) -> View:
    """The form to resolve an incident; it demands a reason where a check has failed.

    `others` are executions of other incidents, which may have mended that. Where customers were
    told something, it offers to tell them that it is over.
    """
    unverified = rules.changes.unverified(executions, others)
    parts = [
        blocks.section(text.render("resolve_form", incident=incident)),
        blocks.input_block(
            "resolution", "What fixed it?", blocks.text_input(max_length=LONG_TEXT, multiline=True)
        ),
    ]
    if mrkdwn := _what_the_end_touches(incident, executions, temporary_changes, now):
        parts.append(blocks.section(mrkdwn))
    if temporary_changes:
        parts.append(blocks.section(text.render("resolve_temporary", changes=temporary_changes)))
    if open_checklists:
        parts.append(blocks.section(text.render("resolve_checklists", checklists=open_checklists)))
    if unverified or unreadable:
        mrkdwn = text.render(
            "resolve_unverified", incident=incident, executions=unverified, unreadable=unreadable
        )
        parts.append(blocks.section(mrkdwn))
        reason = blocks.text_input(max_length=1000, multiline=True)
        parts.append(blocks.input_block("despite", "Why can you resolve it all the same?", reason))
    if all_clear is not None:
        parts += _all_clear(all_clear)
    return blocks.modal(
        action_ids.RESOLVE_FORM, "Resolve", parts, submit="Resolve", metadata=metadata
    )


def _all_clear(all_clear: AllClear) -> list[Block]:
    """What customers were told last, and the text that tells them that it is over."""
    field = blocks.text_input(initial=all_clear.draft, max_length=LONG_TEXT, multiline=True)
    label, hint = "Tell customers that it is over", text.render("resolve_customers_hint")
    return [
        blocks.section(text.render("resolve_customers", **all_clear._asdict())),
        blocks.input_block("all_clear", label, field, hint=hint, optional=True),
    ]


def _what_the_end_touches(
    incident: Incident,
    executions: Sequence[Execution],
    changes: Sequence[TemporaryChange],
    now: datetime,
) -> str:
    """What is running now, what waits, and what can be undone only while the incident is open."""
    running = [execution for execution in executions if execution.state is ExecutionState.RUNNING]
    waiting = rules.changes.voided_by_resolving(executions, changes)
    undoable = rules.changes.must_undo_before_resolving(executions, changes)
    return text.render(
        "resolve_executions",
        incident=incident,
        running=running,
        waiting=waiting,
        undoable=undoable,
        now=now,
    )


def step(
    step: Step,
    action: type[Model],
    params: Mapping[str, Any],
    *,
    options: Mapping[str, Options],
    ends: TemporaryChange | None,
    approvals: int,
    has_budget: bool,
    freeze: FreezeNotice | None,
    metadata: str,
    reason: str = "",
) -> View:
    """The form of a step: the parameters, as menus where it has `options`, and the reason.

    `approvals` is how many other people the policy asks for before such a change, one more in a
    `freeze`; with a budget, one more for one that takes away more. A temporary change that it
    `ends` was approved along with its end.
    """
    words = text.render(
        "step_form", step=step, ends=ends, approvals=approvals, budget=has_budget, freeze=freeze
    )
    parts: list[Block] = [blocks.section(words)]
    # A stored playbook may offer a parameter that the action no longer has.
    names = [name for name in step.ask if name in action.model_fields]
    parts += [parameter_input(action, name, params, options.get(name)) for name in names]
    placeholder = text.render("reason_placeholder")
    field = blocks.text_input(
        initial=reason, max_length=500, multiline=True, placeholder=placeholder
    )
    parts.append(blocks.input_block("reason", "Reason", field))
    submit = "Request" if ends is None else "Run now"
    return blocks.modal(
        action_ids.STEP_FORM, truncate(step.title, 24), parts, submit=submit, metadata=metadata
    )


def customer_message(message: str, words: text.Mrkdwn, *, metadata: str) -> View:
    """The form of a message to customers; the words say what becomes of it."""
    field = blocks.text_input(initial=message, max_length=LONG_TEXT, multiline=True, focus=True)
    parts: list[Block] = [
        blocks.section(words),
        blocks.input_block("text", "What customers read", field),
    ]
    return blocks.modal(
        action_ids.CUSTOMER_FORM, "Tell customers", parts, submit="Request", metadata=metadata
    )


def deny(execution: Execution, *, is_own: bool, metadata: str) -> View:
    """The form to deny a request, or to withdraw one's own, with the reason."""
    word = "Withdraw" if is_own else "Deny"
    reason = blocks.text_input(max_length=500, multiline=True)
    parts = [
        blocks.section(text.escape(execution.plan.summary if execution.plan else execution.title)),
        blocks.input_block("reason", f"Why do you {word.lower()} it?", reason),
    ]
    return blocks.modal(action_ids.DENY_FORM, word, parts, submit=word, metadata=metadata)


def break_glass(execution: Execution, freeze: FreezeNotice | None, *, metadata: str) -> View:
    """The form to have a change run that nobody has approved, with the reason."""
    reason = blocks.text_input(max_length=500, multiline=True)
    words = text.render("glass_form", execution=execution, freeze=freeze)
    parts = [
        *blocks.sections(words),
        blocks.input_block("reason", "Why can it not wait for an approver?", reason),
    ]
    return blocks.modal(
        action_ids.GLASS_FORM, "Break glass", parts, submit="Run it now", metadata=metadata
    )
