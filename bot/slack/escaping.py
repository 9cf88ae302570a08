"""Slack's marks: what makes a link, a mention or a channel of a text, and what keeps it a text."""


def escape(text: object) -> str:
    """Slack's three characters: after this no text can ping, link or name a channel."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
