"""What is true, in Postgres: plain SQL in the caller's transaction, one module per aggregate."""

from bot.store import executions, incidents, messages, pictures, reminders, timeline, updates

__all__ = ["executions", "incidents", "messages", "pictures", "reminders", "timeline", "updates"]
