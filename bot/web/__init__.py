"""What the bot answers over HTTP: Slack's requests, its health, and the page for approvals."""

from bot.web.approve_page import ApprovePage
from bot.web.requests import NO_PAYLOAD, BoundedProtocol, Refusals, SignatureCheck, Web

__all__ = ["NO_PAYLOAD", "ApprovePage", "BoundedProtocol", "Refusals", "SignatureCheck", "Web"]
