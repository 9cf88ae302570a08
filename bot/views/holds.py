"""What is temporary: how long it lasts still, and what is said before it ends."""

from bot import durations, rules
from bot.model import Entry, Hold
from bot.model.entries import Nudged
from bot.views import blocks, presses, text
from bot.views.blocks import Block, Element
from bot.views.drawing import Message
from bot.views.scene import Scene


def lines(scene: Scene) -> list[Block]:
    """One line for each temporary change in force."""
    return [blocks.section(_line(scene, hold)) for hold in scene.in_force]


def _line(scene: Scene, hold: Hold) -> str:
    run = next(run for run in scene.executions if run.id == hold.execution_id)
    return text.render("hold", hold=hold, run=run)


def nudge(scene: Scene, entry: Entry) -> Message:
    """It ends soon: extend it, or end it now."""
    detail = entry.detail
    assert isinstance(detail, Nudged)
    longest = durations.words(rules.LONGEST_HOLD)
    words = text.render("nudge", state=entry.text, detail=detail, longest=longest)
    parts = [blocks.section(words)]
    hold = scene.hold(detail.execution)
    if hold is not None and hold.nudged_at == entry.at:
        parts.append(blocks.actions("nudge", *_buttons(hold)))
    return Message(f"entry:{entry.id}", words, parts)


def _buttons(hold: Hold) -> list[Element]:
    span = durations.words(rules.EXTENSION)
    return [
        blocks.button(f"Extend {span}", presses.EXTEND, hold.execution_id),
        blocks.button("Resume now", presses.UNDO, hold.execution_id, style="primary"),
    ]
