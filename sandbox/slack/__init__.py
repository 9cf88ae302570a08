"""A simulated Slack: Web API, signed deliveries, Socket Mode, and every user's client."""

from sandbox.slack.deliveries import Delivery
from sandbox.slack.errors import Refusal
from sandbox.slack.model import Call, Channel, User
from sandbox.slack.reader import Button
from sandbox.slack.simulation import Slack

__all__ = ["Button", "Call", "Channel", "Delivery", "Refusal", "Slack", "User"]
