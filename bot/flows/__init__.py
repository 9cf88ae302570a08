"""What the bot does, start to finish: decide, write in one transaction, request publishing."""

from bot.flows import (
    approvals,
    choices,
    contacts,
    customers,
    deliveries,
    executions,
    guests,
    incidents,
    reminders,
    runs,
    tasks,
    temporary_changes,
    updates,
)

__all__ = [
    "approvals",
    "choices",
    "contacts",
    "customers",
    "deliveries",
    "executions",
    "guests",
    "incidents",
    "reminders",
    "runs",
    "tasks",
    "temporary_changes",
    "updates",
]
