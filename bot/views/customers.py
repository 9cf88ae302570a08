"""After an incident: whether customers know that it is over, and the button that tells them."""

from bot import rules
from bot.model import ACTIVE, Incident
from bot.views import action_ids, blocks, text
from bot.views.blocks import Block, Element
from bot.views.snapshot import IncidentSnapshot


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
