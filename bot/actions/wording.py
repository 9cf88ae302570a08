"""Small pieces of the sentences that actions write."""


def truncate(text: str, limit: int) -> str:
    """The text in at most `limit` characters, the last one “…” where something was cut off."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def plural(count: int, noun: str) -> str:
    """Like `1 pod` or `3 pods`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def percent(part: float, whole: float = 1.0) -> str:
    """Like `80 %`, rounded; `whole` must not be 0."""
    return f"{round(100 * part / whole)} %"
