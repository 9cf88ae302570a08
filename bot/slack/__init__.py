"""Slack's Web API: the client, the people, the workspace, the channel for customers."""

from bot.slack import client as client
