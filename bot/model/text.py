"""Plain text, before any markup."""


def truncate(text: str, limit: int) -> str:
    """Shorten a text to at most `limit` characters; the last one is then an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
