"""Temporary changes: how long they last, and the notice before they end."""

from bot import durations, rules
from bot.model import Entry, Hold
from bot.model.entries import Nudged
from bot.views import blocks, presses, text
from bot.views.blocks import Block, Element
from bot.views.drawing import Message
from bot.views.scene import Scene


def lines(snapshot: Scene) -> list[Block]:
    """One line for each temporary change in force."""
    return [blocks.section(_line(snapshot, change)) for change in snapshot.in_force]


def _line(snapshot: Scene, change: Hold) -> str:
    execution = next(each for each in snapshot.executions if each.id == change.execution_id)
    return text.render("temporary_change", change=change, execution=execution)


def nudge(snapshot: Scene, entry: Entry) -> Message:
    """It ends soon: extend it, or end it now."""
    detail = entry.detail
    assert isinstance(detail, Nudged)
    words = text.render(
        "end_notice",
        state=entry.text,
        detail=detail,
        longest=durations.words(rules.LONGEST_HOLD),
    )
    parts = [blocks.section(words)]
    change = snapshot.hold(detail.execution)
    if change is not None and change.nudged_at == entry.at:
        parts.append(blocks.actions("nudge", *_buttons(change)))
    return Message(f"entry:{entry.id}", words, parts)


def _buttons(change: Hold) -> list[Element]:
    span = durations.words(rules.EXTENSION)
    return [
        blocks.button(f"Extend {span}", presses.EXTEND, change.execution_id),
        blocks.button("Resume now", presses.UNDO, change.execution_id, style="primary"),
    ]
