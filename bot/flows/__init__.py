"""What the bot does, start to finish: decide, write in one transaction, publish."""

from bot.flows import approvals, executions, incidents, reminders, runs, updates

__all__ = ["approvals", "executions", "incidents", "reminders", "runs", "updates"]
