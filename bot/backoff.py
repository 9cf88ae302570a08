"""Which rows failed in this process, and when it tries each of them again.

In memory, since another version of the bot, in another process, may know what to do with them.
"""

from datetime import datetime, timedelta

FIRST_RETRY = timedelta(seconds=10)
LAST_RETRY = timedelta(minutes=5)


class Backoff:
    """The failures of this process in a row, by kind and number of the row."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, int], int] = {}
        self._retry_at: dict[tuple[str, int], datetime] = {}

    def waiting(self, kind: str, now: datetime) -> list[int]:
        """The rows of a kind that are not to be tried yet."""
        return [key[1] for key, at in self._retry_at.items() if key[0] == kind and at > now]

    def fail(self, kind: str, row_id: int, now: datetime) -> None:
        """Try the row again later, after twice the time of the last failure."""
        key = kind, row_id
        doublings = min(self._failures.get(key, 0), 10)
        self._failures[key] = doublings + 1
        self._retry_at[key] = now + min(FIRST_RETRY * int(2**doublings), LAST_RETRY)

    def succeed(self, kind: str, row_id: int) -> bool:
        """Forget the failures of a row; False when there were none."""
        self._retry_at.pop((kind, row_id), None)
        return self._failures.pop((kind, row_id), 0) > 0
