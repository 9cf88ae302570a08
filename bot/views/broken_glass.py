"""A broken glass: the button, and the words that nobody can overlook."""

from collections.abc import Iterator

from bot import rules
from bot.model import Execution
from bot.model.entries import GlassBroken
from bot.views import action_ids, blocks, slack_items, text
from bot.views.blocks import Block, Element
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot


def button(snapshot: IncidentSnapshot, execution: Execution) -> list[Element]:
    """The button, where the policy lets the commander break the glass; it says when."""
    if rules.break_glass.opens_at(execution, snapshot.incident) is None:
        return []
    return [blocks.button("Break glass…", action_ids.BREAK_GLASS, execution.id)]


def lines(snapshot: IncidentSnapshot) -> list[Block]:
    """A line of the card for each broken glass, until its review is done."""
    open_reviews = {task.title for task in snapshot.tasks if task.open}
    unreviewed = [
        execution
        for execution in snapshot.executions
        if execution.broken_glass and rules.break_glass.review_title(execution) in open_reviews
    ]
    if not unreviewed:
        return []
    return blocks.sections(text.render("card_glass", executions=unreviewed))


def announcements(snapshot: IncidentSnapshot, heading: str) -> Iterator[Message]:
    """A message of its own in the channel for announcements: Slack notifies nobody of an edit."""
    for entry in snapshot.entries:
        if isinstance(entry.detail, GlassBroken):
            mrkdwn = text.render("glass_broken", entry=entry, detail=entry.detail, heading=heading)
            place = slack_items.ANNOUNCEMENTS_CHANNEL
            yield Message(f"glass:{entry.id}", mrkdwn, blocks.sections(mrkdwn), place=place)
