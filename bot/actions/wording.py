"""Small pieces of the sentences that actions write."""


def plural(count: int, noun: str) -> str:
    """Like `1 pod` or `3 pods`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def percent(part: float, whole: float = 1.0) -> str:
    """Like `80 %`, rounded; `whole` must not be 0."""
    return f"{round(100 * part / whole)} %"


def percent_at_most(part: int, whole: int) -> int:
    """The same as a number, rounded up."""
    return -(-100 * part // whole)
