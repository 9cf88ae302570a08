"""How a step and its executions look, from request to outcome; one message that is redrawn."""

from pathlib import PurePath

from bot import rules
from bot.model import Execution, Plan, Reading, Risk, State, Step, Table
from bot.views import blocks, presses, tasks, text
from bot.views.blocks import Block, Element
from bot.views.drawing import File, Message
from bot.views.scene import Scene

DIFF = 2_500

# What is told to those who waited for it; that the incident's end made it void, all are told.
ENDED = (State.SUCCEEDED, State.FAILED, State.INTERRUPTED, State.DENIED, State.EXPIRED)


def step_button(step: Step) -> Element:
    """What a step's button says: the step's own name; none stands out, least of all a change."""
    return blocks.button(step.title, presses.RUN_STEP, step.id)


def message(scene: Scene, run: Execution) -> Message:
    """A change: what was asked for, the plan, who said yes, and what came of it."""
    undo = scene.undo(run)
    called = {"groups": scene.approver_groups, "people": scene.approvers}
    words = text.render("execution_text", run=run, **called)
    parts = [blocks.section(text.render("execution", run=run))]
    if run.plan is not None:
        parts += _plan(scene, run)
    parts.append(
        blocks.section(
            text.render(
                "execution_state",
                run=run,
                undo=undo,
                hold=scene.hold(run.id),
                open=scene.incident.open,
                **called,
            )
        )
    )
    buttons = _buttons(scene, run, undo)
    held = scene.hold(run.id) or scene.hold(run.undo_of)
    if buttons and (scene.incident.open or held):
        parts.append(blocks.actions("execution", *buttons))
    return Message(f"execution:{run.id}", words, parts)


def ended(run: Execution) -> list[Message]:
    """How it ended, in its thread: those who asked and approved are told by a message of its own.

    An edit tells nobody. Whoever decided it knows; what was interrupted ends once more.
    """
    if run.state not in ENDED:
        return []
    people = [run.requested_by, *(approval.by for approval in run.approvals)]
    told = [one for one in dict.fromkeys(people) if one is not None and one != run.decided_by]
    if not told:
        return []
    words = text.render("execution_ended", run=run, told=told)
    key = "interrupted" if run.state is State.INTERRUPTED else "ended"
    parts = [blocks.section(words)]
    return [Message(f"{key}:{run.id}", words, parts, thread=f"execution:{run.id}")]


def _plan(scene: Scene, run: Execution) -> list[Block]:
    plan = run.plan
    assert plan is not None
    apart = _is_apart(run) and bool(plan.diff or _kept(run) in scene.final)
    parts = [blocks.section(text.render("plan", plan=plan))]
    if plan.diff and not apart:
        parts.append(blocks.preformatted(blocks.cut(plan.diff, DIFF)))
    parts.append(blocks.context(text.render("plan_context", plan=plan, run=run, apart=apart)))
    return parts


def _is_apart(run: Execution) -> bool:
    """Whether its diff is in the thread: once decided, it would only push the outcome away.

    But what customers were told people want to read.
    """
    undecided = run.state in (State.PROPOSED, State.APPROVED)
    return not undecided and run.action != rules.CUSTOMER_MESSAGE


def _kept(run: Execution) -> str:
    return f"plan:{run.id}"


def _kept_plan(run: Execution) -> list[Message]:
    """The plan as it was decided on, to look at for good."""
    if run.plan is None or not run.plan.diff or not _is_apart(run):
        return []
    words = text.render("plan_kept", plan=run.plan, run=run)
    parts = [blocks.section(words), blocks.preformatted(blocks.cut(run.plan.diff, DIFF))]
    return [Message(_kept(run), words, parts, thread=f"execution:{run.id}")]


def _buttons(scene: Scene, run: Execution, undo: Execution | None) -> list[Element]:
    match run.state:
        case State.PROPOSED:
            return [_approve(run), blocks.button("Deny…", presses.DENY, run.id), *_edit(run)]
        case State.APPROVED:
            return [blocks.button("Deny…", presses.DENY, run.id)]
        case State.INTERRUPTED:
            return [blocks.button("Check what happened", presses.CHECK, run.id, style="primary")]
        case State.SUCCEEDED | State.FAILED if rules.can_undo(run, undo):
            return [_undo(scene, run)]
        case State.DENIED | State.FAILED | State.EXPIRED if _edit(run) and run.checked is None:
            return _edit(run)
        case State.FAILED | State.EXPIRED if run.undo_of is None and run.checked is None:
            return [blocks.button("Ask again…", presses.ASK_AGAIN, run.id)]
        case _:
            return []


def _edit(run: Execution) -> list[Element]:
    """What people wrote themselves they may write otherwise, as another request."""
    if run.action != rules.CUSTOMER_MESSAGE:
        return []
    return [blocks.button("Edit…", presses.REWRITE, run.id)]


def _approve(run: Execution) -> Element:
    assert run.plan is not None
    words = _asked_once_more(run.plan)
    ask = blocks.confirm("Approve exactly this?", words, "Approve", style="danger")
    return blocks.button("Approve", presses.APPROVE, run.id, style="danger", ask=ask)


def _asked_once_more(plan: Plan) -> str:
    """What would be done, and then what is warned of: never the one without room for the other."""
    if not plan.warnings:
        return plan.summary
    half = blocks.CONFIRM // 2
    warned = " ".join(f":warning: {warning}" for warning in plan.warnings)
    room = max(half, blocks.CONFIRM - len(warned) - 1)
    return f"{blocks.cut(plan.summary, room - 1)}\n{warned}"


def _undo(scene: Scene, run: Execution) -> Element:
    assert run.plan is not None
    assert run.plan.undo is not None
    words = run.plan.undo.summary
    if back := scene.ended_by(run):
        words += f" ({text.plain('again', back=back, now=None)})"
    ask = blocks.confirm("Undo this?", words, "Undo")
    return blocks.button("Undo", presses.UNDO, run.id, ask=ask)


def readings(scene: Scene) -> list[Message | File]:
    """What read steps saw, in the playbook's thread, each decided plan in that of its request.

    And what of these was too long to show.

    Once Slack shows it, only the incident's end changes it: it is drawn until then, not again.
    """
    drawn: list[Message | File] = []
    for run in scene.executions:
        drawn += _kept_plan(run)
        if run.plan is not None and len(run.plan.diff) > DIFF:
            name = f"{run.step_id}-{run.id}.diff"
            drawn.append(File(f"diff:{run.id}", name, f"execution:{run.id}", text=run.plan.diff))
        if run.risk is Risk.READ and run.state in (State.SUCCEEDED, State.FAILED):
            drawn += [*_reading(scene, run), *_attachment(scene, run)]
    return [one for one in drawn if one.key not in scene.final]


def _attachment(scene: Scene, run: Execution) -> list[File]:
    if run.id not in scene.attached:
        return []
    suffix = PurePath(scene.attached[run.id]).suffix or ".txt"
    return [File(f"file:{run.id}", f"{run.step_id}-{run.id}{suffix}", "playbook", run.id)]


def _reading(scene: Scene, run: Execution) -> list[Message]:
    key = f"execution:{run.id}"
    if key in scene.final:
        return []  # what it saw is not even at hand
    words = text.render("reading", run=run)
    parts = [blocks.section(words)]
    if run.reading is not None:
        parts += _details(run, run.reading)
    parts += tasks.work_through(scene, run)
    return [Message(key, words, parts, thread="playbook")]


def _details(run: Execution, reading: Reading) -> list[Block]:
    parts = []
    if reading.link is not None:
        button = blocks.link_button(reading.link.title, presses.LINK, reading.link.url)
        parts.append(blocks.actions("reading", button))
    parts += [blocks.chart(chart) for chart in reading.charts[: blocks.CHARTS]]
    if reading.table is not None and reading.table.rows:
        parts += _table(run.title, reading.table)
    if reading.excerpt:
        parts.append(blocks.preformatted(reading.excerpt))
    if reading.notes:
        parts.append(blocks.context(*map(text.escape, reading.notes)))
    return parts


def _table(title: str, table: Table) -> list[Block]:
    """The table, and what of it Slack has no room for."""
    block = blocks.table(title, table.columns, table.rows)
    rows, columns = len(block["rows"]) - 1, len(block["rows"][0])
    words = text.render("table", table=table, rows=rows, columns=columns)
    return [block, blocks.context(words)] if words else [block]
