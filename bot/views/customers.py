"""What customers were told, and after the incident the button that tells them that it is over."""

from bot import rules
from bot.model import ACTIVE, Incident
from bot.views import action_ids, blocks, text
from bot.views.blocks import Block, Element
from bot.views.snapshot import IncidentSnapshot


def told(snapshot: IncidentSnapshot) -> list[Block]:
    """What customers read, and when they were told; nothing where they were told nothing."""
    message = rules.customers.last_told(snapshot.executions)
    if not snapshot.incident.open or message is None:
        return after_end(snapshot)
    return [blocks.section(text.render("customers_read", told=message))]


def after_end(snapshot: IncidentSnapshot) -> list[Block]:
    """What customers of a resolved incident read; nothing where they were told nothing."""
    incident, executions = snapshot.incident, snapshot.executions
    told = rules.customers.last_told(executions)
    if incident.open or told is None:
        return []
    awaits = rules.customers.await_all_clear(executions)
    requested = any(
        rules.customers.is_all_clear(each) and each.state in ACTIVE for each in executions
    )
    unknown = rules.customers.unknown_all_clear(executions)
    mrkdwn = text.render(
        "customers_told", told=told, awaits=awaits, requested=requested, unknown=unknown
    )
    parts = [blocks.section(mrkdwn)]
    # What may still arrive is not sent a second time.
    if awaits and not requested and (unknown is None or not unknown.holds_target):
        parts.append(blocks.actions("customers", _tell(incident)))
    return parts


def _tell(incident: Incident) -> Element:
    label = "Tell customers it is over…"
    return blocks.button(label, action_ids.TELL_CUSTOMERS, incident.id, style="primary")
