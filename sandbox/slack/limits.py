"""Slack's rate limits: a bucket per method, or per channel."""

import math
import time
from collections import defaultdict
from dataclasses import dataclass

from sandbox.slack.errors import SlackError


@dataclass(frozen=True)
class Tier:
    """Calls per minute, and calls at once."""

    per_minute: float
    burst: int


TIER_1 = Tier(1, 10)
TIER_2 = Tier(20, 5)
TIER_3 = Tier(50, 12)
TIER_4 = Tier(100, 25)
POSTING = Tier(60, 5)
SPECIAL = Tier(600, 100)


class RateLimited(SlackError):
    """Too many calls; `seconds` says when to try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__("ratelimited")
        self.seconds = seconds


class Limits:
    """Leaky buckets of calls; `pace` makes their time run faster."""

    def __init__(self, enabled: bool, pace: float) -> None:
        self.enabled = enabled
        self.pace = pace
        self._spent: dict[tuple[str, str], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))

    def take(self, method: str, tier: Tier, place: str = "") -> None:
        """Count one call; raises RateLimited when there were too many."""
        if not self.enabled:
            return
        rate = tier.per_minute / 60 * self.pace
        now = time.monotonic()
        level, at = self._spent[method, place]
        level = max(0.0, level - (now - at) * rate)
        if level + 1 > tier.burst:
            raise RateLimited(max(1, math.ceil((level + 1 - tier.burst) / rate)))
        self._spent[method, place] = (level + 1, now)
