"""A step and its executions in Slack, from request to outcome."""

from datetime import datetime
from pathlib import PurePath

from bot import rules
from bot.model import Approval, Execution, ExecutionState, Plan, ReadResult, Risk, Step, Table
from bot.model.text import truncate
from bot.views import (
    action_ids,
    blocks,
    broken_glass,
    slack_items,
    tasks,
    temporary_changes,
    text,
)
from bot.views.blocks import Block, Element
from bot.views.slack_items import File, Message
from bot.views.snapshot import IncidentSnapshot

DIFF_LENGTH = 2_500  # characters

# Until it is over, what is lost meanwhile stands before everything else.
UNDECIDED = (
    ExecutionState.PROPOSED,
    ExecutionState.APPROVED,
    ExecutionState.RUNNING,
    ExecutionState.INTERRUPTED,
)
# These outcomes notify the people who waited for them. A void request does not: the whole
# channel reads that the incident was resolved.
NOTIFIED = (
    ExecutionState.SUCCEEDED,
    ExecutionState.FAILED,
    ExecutionState.INTERRUPTED,
    ExecutionState.DENIED,
    ExecutionState.EXPIRED,
)


def step_button(step: Step) -> Element:
    """The step's title as a button; none is in colour, so that no change stands out."""
    return blocks.button(step.title, action_ids.RUN_STEP, step.id)


def message(snapshot: IncidentSnapshot, execution: Execution) -> Message:
    """A change: the request, its plan, who approved it, and its outcome."""
    undo, change = snapshot.latest_undo(execution), snapshot.temporary_change(execution.id)
    is_open = snapshot.incident.open or rules.customers.is_all_clear(execution)
    approvers = _approvers(snapshot, execution)
    in_force = snapshot.change_in_force(execution.id) or snapshot.change_in_force(execution.undo_of)
    can_press = is_open or in_force is not None
    state = text.render(
        "execution_state",
        execution=execution,
        undo=undo,
        undo_was_undone=undo is not None and _was_undone(snapshot, undo),
        change=change,
        needs_approval=change is not None and rules.changes.undo_needs_approval(change, execution),
        open=is_open,
        whole=_is_whole(snapshot, execution),
        undoable=can_press and rules.changes.can_undo(execution, undo, change),
        mended=_mended_by(snapshot, execution),
        glass_opens_at=rules.break_glass.opens_at(execution, snapshot.incident),
        glass_is_open=rules.break_glass.is_open_at_once(execution),
        to_confirm=[each for each in snapshot.to_confirm if each.execution_id == execution.id],
        **approvers,
    )
    parts = [blocks.section(text.render("execution", execution=execution))]
    if execution.plan is not None:
        parts += _plan(snapshot, execution, execution.plan)
    parts.append(blocks.section(state))
    buttons = _buttons(snapshot, execution, undo)
    if buttons and can_press:
        parts.append(blocks.actions("execution", *buttons))
    notification = text.render(
        "execution_text", incident=snapshot.incident, execution=execution, **approvers
    )
    return Message(f"execution:{execution.id}", notification, parts)


def _was_undone(snapshot: IncidentSnapshot, undo: Execution) -> bool:
    """Whether an undo was undone itself: what it had undone is there again."""
    again = snapshot.latest_undo(undo)
    return again is not None and again.check_passed is True


def _mended_by(snapshot: IncidentSnapshot, execution: Execution) -> Execution | None:
    """The later execution that mended a failed one."""
    if execution.check_passed is not False:
        return None
    return rules.changes.mended_by(execution, snapshot.executions)


def _approvers(snapshot: IncidentSnapshot, execution: Execution) -> dict[str, list[str]]:
    """Who may approve it, as its requirement says: the ids of groups and of people."""
    asked = execution.requirement
    if asked is None:
        return {"groups": [], "people": []}
    known, seen = snapshot.known_groups, execution.available
    on_call = [] if seen is None else [member.user for member in seen.on_call]
    people = [user for user in asked.users if user not in asked.requesters]
    return {
        "groups": [known[name] for name in asked.groups if name in known],
        "people": [*people, *(user for user in on_call if user not in people)],
    }


def confirm_notice(link: str) -> Message:
    """For one person alone: their approval counts once they confirm it outside Slack."""
    mrkdwn = text.render("confirm_outside", lasts=rules.second_step.LASTS)
    button = blocks.link_button("Confirm outside Slack", action_ids.OPEN_LINK, link)
    parts = [blocks.section(mrkdwn), blocks.actions("confirm", button)]
    return Message("confirm", mrkdwn, parts)


def approver_notices(
    snapshot: IncidentSnapshot, execution: Execution
) -> list[tuple[datetime, Message]]:
    """Who is on call, that nobody can approve it, and the reminder: in its thread, with times.

    Slack notifies nobody of an edit.
    """
    notices, nudged_at, shortage = [], execution.nudged_at, execution.shortage
    seen = execution.available
    if seen is not None and seen.on_call:
        mrkdwn = text.render("on_call_notice", seen=seen)
        notices.append((execution.requested_at, _notice(execution, "on_call", mrkdwn)))
    if shortage is not None and (nudged_at is None or shortage.at < nudged_at):
        mrkdwn = text.render(
            "shortage", execution=execution, **_remaining_approvers(snapshot, execution)
        )
        notices.append((shortage.at, _notice(execution, "shortage", mrkdwn)))
    if nudged_at is not None:
        mrkdwn = text.render(
            "nudge", execution=execution, **_remaining_approvers(snapshot, execution)
        )
        notices.append((nudged_at, _notice(execution, "nudge", mrkdwn)))
    return notices


def _notice(execution: Execution, kind: str, mrkdwn: str) -> Message:
    key, thread = f"{kind}:{execution.id}", f"execution:{execution.id}"
    return Message(key, mrkdwn, [blocks.section(mrkdwn)], thread=thread)


def _remaining_approvers(snapshot: IncidentSnapshot, execution: Execution) -> dict[str, list[str]]:
    """Who may approve it, without the people who had approved it when the others were reminded."""
    approvers = _approvers(snapshot, execution)
    given = [each.by for each in execution.approvals if not _is_later(each, execution.nudged_at)]
    return {**approvers, "people": [user for user in approvers["people"] if user not in given]}


def _is_later(approval: Approval, nudged_at: datetime | None) -> bool:
    return nudged_at is None or approval.at > nudged_at


def outcome_notification(snapshot: IncidentSnapshot, execution: Execution) -> list[Message]:
    """The outcome as a message of its own in the thread, for those who requested and approved.

    Slack notifies nobody of an edit. Whoever made the decision is left out. An interrupted
    execution ends a second time, once somebody has checked it.
    """
    if execution.state not in NOTIFIED:
        return []
    users = [execution.requested_by, *(approval.by for approval in execution.approvals)]
    recipients = [user for user in dict.fromkeys(users) if user and user != execution.decided_by]
    if not recipients:
        return []
    mrkdwn = text.render("execution_ended", execution=execution, recipients=recipients)
    thread = f"execution:{execution.id}"
    kind = "interrupted" if execution.state is ExecutionState.INTERRUPTED else "ended"
    told = Message(f"{kind}:{execution.id}", mrkdwn, [blocks.section(mrkdwn)], thread=thread)
    before = f"interrupted:{execution.id}"
    if kind == "interrupted" or before not in snapshot.sent_keys:
        return [told]
    mrkdwn = text.render("no_longer_unknown", recipients=recipients)
    return [Message(before, mrkdwn, [blocks.section(mrkdwn)], thread=thread), told]


def _plan(snapshot: IncidentSnapshot, execution: Execution, plan: Plan) -> list[Block]:
    has_diff = bool(plan.diff) or _decided_plan_key(execution) in snapshot.final_keys
    in_thread = has_diff and _diff_is_in_thread(execution)
    undecided = execution.state in UNDECIDED
    words = {"plan": plan, "execution": execution, "undecided": undecided}
    change = snapshot.temporary_change(execution.id)
    several = snapshot.incident.has_several_services
    parts = blocks.sections(text.render("plan", change=change, several=several, **words))
    if plan.table is not None and undecided:
        parts += _table(execution.title, plan.table)
    elif plan.diff and not in_thread:
        parts.append(blocks.preformatted(truncate(plan.diff, DIFF_LENGTH)))
    details = text.render("plan_context", in_thread=in_thread, **words)
    parts.append(blocks.context(details))
    return parts


def _diff_is_in_thread(execution: Execution) -> bool:
    """Once it is decided, the diff would only push the outcome off the screen.

    A message to customers is the exception: people need to read what customers read.
    """
    undecided = execution.state in (ExecutionState.PROPOSED, ExecutionState.APPROVED)
    return not undecided and execution.action != rules.permissions.CUSTOMER_MESSAGE


def _decided_plan_key(execution: Execution) -> str:
    return f"plan:{execution.id}"


def _decided_plan(execution: Execution) -> list[Message]:
    """The plan's diff in the thread, as people decided on it."""
    plan = execution.plan
    if plan is None or not plan.diff or not _diff_is_in_thread(execution):
        return []
    mrkdwn = text.render("decided_plan", plan=plan, execution=execution)
    parts = [blocks.section(mrkdwn), blocks.preformatted(truncate(plan.diff, DIFF_LENGTH))]
    key, thread = _decided_plan_key(execution), f"execution:{execution.id}"
    return [Message(key, mrkdwn, parts, thread=thread)]


def _buttons(
    snapshot: IncidentSnapshot, execution: Execution, undo: Execution | None
) -> list[Element]:
    not_done = execution.check_passed is None
    match execution.state:
        case ExecutionState.PROPOSED:
            approve = [_approve(execution)] if _is_whole(snapshot, execution) else []
            return [
                *approve,
                *_deny(execution),
                *_edit(execution),
                *broken_glass.button(snapshot, execution),
            ]
        case ExecutionState.APPROVED:
            return _deny(execution)
        case ExecutionState.INTERRUPTED:
            label = "Check what happened"
            return [
                blocks.button(label, action_ids.CHECK_INTERRUPTED, execution.id, style="primary")
            ]
        case ExecutionState.SUCCEEDED | ExecutionState.FAILED if rules.changes.can_undo(
            execution, undo, snapshot.temporary_change(execution.id)
        ):
            return [temporary_changes.undo_button(snapshot, execution)]
        case ExecutionState.DENIED | ExecutionState.FAILED | ExecutionState.EXPIRED if (
            not_done and _edit(execution)
        ):
            return _edit(execution)
        case ExecutionState.FAILED | ExecutionState.EXPIRED if not_done:
            return [*_request_new_plan(snapshot, execution), *_request_again(execution)]
        case _:
            return []


def _request_new_plan(snapshot: IncidentSnapshot, execution: Execution) -> list[Element]:
    """One press, where it was not done because another plan fits what is there by now."""
    if not rules.changes.has_new_plan(execution, snapshot.executions):
        return []
    label, action_id, confirm = "Request the new plan", action_ids.REQUEST_NEW_PLAN, None
    if execution.requirement is not None and not execution.requirement.approvals:
        question = "Nobody has to approve this: if its plan fits again, it runs at once."
        confirm = blocks.confirm_dialog(f"{label}?", question, "Request")
    return [blocks.button(label, action_id, execution.id, style="primary", confirm=confirm)]


def _request_again(execution: Execution) -> list[Element]:
    """The form, where people may change parameters and reason; an undo has none."""
    if execution.undo_of is not None:
        return []
    return [blocks.button("Request again…", action_ids.ASK_AGAIN, execution.id)]


def _deny(execution: Execution) -> list[Element]:
    """For approvers *Deny*, and for the requester *Withdraw*: everybody sees both."""
    deny = blocks.button("Deny…", action_ids.DENY, execution.id)
    if execution.requested_by is None:
        return [deny]
    return [deny, blocks.button("Withdraw…", action_ids.WITHDRAW, execution.id)]


def _edit(execution: Execution) -> list[Element]:
    """A message to customers can be edited, as a new request, unless it was already."""
    if execution.action != rules.permissions.CUSTOMER_MESSAGE or execution.edited:
        return []
    return [blocks.button("Edit…", action_ids.EDIT_MESSAGE, execution.id)]


def _approve(execution: Execution) -> Element:
    assert execution.plan is not None
    question = _confirm_text(execution.plan)
    confirm = blocks.confirm_dialog("Approve exactly this?", question, "Approve", style="danger")
    return blocks.button(
        "Approve", action_ids.APPROVE, execution.id, style="danger", confirm=confirm
    )


def _confirm_text(plan: Plan) -> str:
    """What is lost, the summary, then alarms and warnings; both keep half of the rest."""
    loss = truncate(plan.blast_radius.effect or plan.blast_radius.text, blocks.CONFIRM_LENGTH // 2)
    rest = blocks.CONFIRM_LENGTH - len(loss) - 1
    words = [f":red_circle: {alarm}" for alarm in plan.alarms]
    words += [f":warning: {warning}" for warning in plan.warnings]
    if not words:
        return f"{loss}\n{_subject(plan, rest)}"
    warnings = " ".join(words)
    length = max(rest // 2, rest - len(warnings) - 1)
    return f"{loss}\n{_subject(plan, length - 1)}\n{warnings}"


def _subject(plan: Plan, length: int) -> str:
    """The summary; of a message to customers the whole text, or else that the request has it."""
    if not (plan.target.startswith("slack/") and plan.diff):
        return truncate(plan.summary, length)
    beginning = plan.summary.partition(": “")[0]
    whole = f"{beginning}: “{plan.diff}”"
    return whole if len(whole) <= length else f"{beginning}: exactly the text above this button."


def final_items(snapshot: IncidentSnapshot) -> list[Message | File]:
    """The results of read steps in the playbook's thread, and decided plans in their request's.

    Long diffs and results follow as files. None of these changes once Slack shows it, until the
    incident ends: those with a final key are left out.
    """
    items: list[Message | File] = []
    for execution in snapshot.executions:
        items += [*_decided_plan(execution), *_diff_file(execution)]
        if execution.risk is Risk.READ and execution.state in (
            ExecutionState.SUCCEEDED,
            ExecutionState.FAILED,
        ):
            items += [*_read_result(snapshot, execution), *_attachment(snapshot, execution)]
    return [item for item in items if item.key not in snapshot.final_keys]


def _diff_file(execution: Execution) -> list[File]:
    plan = execution.plan
    if plan is None or len(plan.diff) <= DIFF_LENGTH:
        return []
    key, thread = f"diff:{execution.id}", f"execution:{execution.id}"
    name = f"{_file_name(execution)}.diff"
    return [File(key, name, thread, text=plan.diff, completes=True)]


def _is_whole(snapshot: IncidentSnapshot, execution: Execution) -> bool:
    """Whether Slack shows the whole plan: a long one only with its file. Nobody approves less."""
    return all(file.key in snapshot.sent_keys for file in _diff_file(execution))


def _attachment(snapshot: IncidentSnapshot, execution: Execution) -> list[File]:
    if execution.id not in snapshot.attachment_names:
        return []
    suffix = PurePath(snapshot.attachment_names[execution.id]).suffix or ".txt"
    name, thread = f"{_file_name(execution)}{suffix}", _playbook_key(snapshot, execution)
    return [File(f"file:{execution.id}", name, thread, execution.id)]


def _read_result(snapshot: IncidentSnapshot, execution: Execution) -> list[Message]:
    key = f"execution:{execution.id}"
    if key in snapshot.final_keys:
        return []  # its result was not read from the database
    mrkdwn = text.render("read_result", execution=execution)
    parts = [blocks.section(mrkdwn)]
    if execution.read_result is not None:
        parts += _details(execution, execution.read_result)
    parts += tasks.work_through_button(snapshot, execution)
    return [Message(key, mrkdwn, parts, thread=_playbook_key(snapshot, execution))]


def _playbook_key(snapshot: IncidentSnapshot, execution: Execution) -> str:
    """The key of the message whose step it ran: its result is in that thread."""
    return slack_items.playbook_key(snapshot.incident.playbook_of_step(execution.step_id))


def _file_name(execution: Execution) -> str:
    return f"{execution.step_id}-{execution.id}".replace("/", "-")


def _details(execution: Execution, result: ReadResult) -> list[Block]:
    parts = []
    if result.link is not None:
        button = blocks.link_button(result.link.title, action_ids.OPEN_LINK, result.link.url)
        parts.append(blocks.actions("reading", button))
    parts += [blocks.chart(chart) for chart in result.charts[: blocks.MAX_CHARTS]]
    if result.table is not None and result.table.rows:
        parts += _table(execution.title, result.table)
    if result.excerpt:
        parts.append(blocks.preformatted(result.excerpt))
    if result.notes:
        parts.append(blocks.context(*map(text.escape, result.notes)))
    return parts


def _table(title: str, table: Table) -> list[Block]:
    """The table, and how much of it was left out."""
    block = blocks.table(title, table.columns, table.rows)
    rows, columns = len(block["rows"]) - 1, len(block["rows"][0])
    mrkdwn = text.render("table", table=table, rows=rows, columns=columns)
    return [block, blocks.context(mrkdwn)] if mrkdwn else [block]
