"""Ids and timestamps that look like Slack's."""

import random
import string
import time

ALPHABET = string.digits + string.ascii_uppercase
SECRET = string.ascii_letters + string.digits


class Ids:
    """Creates unique ids and increasing timestamps."""

    def __init__(self) -> None:
        # Not seeded: a bot that keeps its database must not meet old ids after a restart.
        self._random = random.Random()
        self._given: set[str] = set()
        self._last = 0

    def new(self, prefix: str) -> str:
        """An id such as `C0B7K2M9QXZ`."""
        while True:
            new_id = f"{prefix}0B" + "".join(self._random.choices(ALPHABET, k=8))
            if new_id not in self._given:
                self._given.add(new_id)
                return new_id

    def secret(self, length: int = 24) -> str:
        """A random secret."""
        return "".join(self._random.choices(SECRET, k=length))

    def short(self) -> str:
        """A random id for a block or an action without one."""
        return "".join(self._random.choices(SECRET, k=5))

    def ts(self) -> str:
        """The timestamp of a message: unique in the workspace."""
        self._last = max(int(time.time() * 1_000_000), self._last + 1)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"
