"""What the bot does, start to finish: decide, write in one transaction, publish."""

from bot.flows import approvals, executions, holds, incidents, reminders, runs, updates

__all__ = ["approvals", "executions", "holds", "incidents", "reminders", "runs", "updates"]
