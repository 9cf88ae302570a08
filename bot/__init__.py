"""Runbolt: incident response inside Slack."""
