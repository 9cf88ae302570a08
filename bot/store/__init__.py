"""What is true, in Postgres: plain SQL in the caller's transaction, one module per aggregate.

Rows are locked FOR NO KEY UPDATE: keys never change, and a foreign key's check, which takes a key
share, must not wait for a flow that waits for what the checker has locked.
"""

from bot.store import (
    clock,
    confirmations,
    deliveries,
    executions,
    incidents,
    messages,
    nudges,
    publications,
    reminders,
    set_aside,
    tasks,
    temporary_changes,
    timeline,
    updates,
)

__all__ = [
    "clock",
    "confirmations",
    "deliveries",
    "executions",
    "incidents",
    "messages",
    "nudges",
    "publications",
    "reminders",
    "set_aside",
    "tasks",
    "temporary_changes",
    "timeline",
    "updates",
]
