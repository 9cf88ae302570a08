"""What the bot does, start to finish: decide, write in one transaction, request publishing."""

from bot.flows import (
    approvals,
    approvers,
    break_glass,
    choices,
    contacts,
    customers,
    deliveries,
    executions,
    guests,
    incidents,
    next_status,
    reminders,
    runs,
    tasks,
    temporary_changes,
    updates,
)

__all__ = [
    "approvals",
    "approvers",
    "break_glass",
    "choices",
    "contacts",
    "customers",
    "deliveries",
    "executions",
    "guests",
    "incidents",
    "next_status",
    "reminders",
    "runs",
    "tasks",
    "temporary_changes",
    "updates",
]
