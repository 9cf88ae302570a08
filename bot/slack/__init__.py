"""Slack's Web API, and what the bot knows of its workspace."""

from bot.slack import client as client
