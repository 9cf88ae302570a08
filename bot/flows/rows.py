"""What every flow writes and holds: an open incident's row, and what becomes of an execution."""

from datetime import datetime
from typing import Any

from bot import rules, store
from bot.model import EntryKind, Execution, Incident, IncidentId, UserError
from bot.store.db import Conn


async def tell(conn: Conn, run: Execution, kind: EntryKind, *, at: datetime, **more: Any) -> None:
    """Write what became of an execution into the timeline, with what it was bound to."""
    words = run.plan.summary if run.plan else run.title
    bound: dict[str, Any] = {"execution": run.id, "plan": run.plan_digest}
    if run.plan is not None:
        bound["fingerprint"] = run.plan.fingerprint
    await store.timeline.add(conn, run.incident_id, kind, at=at, text=words, **bound, **more)


async def lock(conn: Conn, id: IncidentId) -> Incident:
    """The incident, open or not, held until the transaction ends."""
    incident = await store.incidents.lock(conn, id)
    if incident is None:
        raise UserError(f"There is no INC-{id}, so nothing was done.")
    return incident


async def lock_open(conn: Conn, id: IncidentId) -> Incident:
    """The incident, held until the transaction ends; raises UserError when it is resolved."""
    incident = await lock(conn, id)
    rules.check_open(incident)
    return incident


async def check_still_fits(conn: Conn, run: Execution) -> None:
    """What customers are told fits an incident as bad as it is now; raises UserError."""
    if run.action == rules.CUSTOMER_MESSAGE:
        incident = await store.incidents.get(conn, run.incident_id)
        assert incident is not None
        rules.check_are_told(incident)
