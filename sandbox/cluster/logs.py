"""Container logs: one run per start, growing while the container runs."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, groupby

from sandbox.cluster.clock import Clock, micro_stamp
from sandbox.cluster.errors import Obj, bad_request
from sandbox.cluster.loglines import Line, Trouble, opening_lines, service_of, working_lines
from sandbox.cluster.podstatus import container_statuses

MAX_LINES = 3000
ENDLESS_LINE = 200
# Bytes in life; the long lines here are ASCII.
PART_CHARACTERS = 16 * 1024


@dataclass
class Run:
    """The log of a container from one start to its end."""

    image: str
    seed: str
    since: datetime
    until: datetime | None = None
    lines: list[Line] = field(default_factory=list)
    written_to: datetime | None = None
    fixed: bool = False
    total_bytes: int = 0
    stalled: bool = False
    gone: bool = False
    dropped: int = 0
    trouble: Trouble | None = None
    namespace: str = ""

    @property
    def written(self) -> int:
        """How many lines were written, including those no longer kept."""
        return self.dropped + len(self.lines)

    def grow(self, now: datetime) -> None:
        """Add the lines written since the last call."""
        if self.fixed or self.until:
            return
        start = self.written_to or self.since
        self.lines += working_lines(self.image, self.seed, start, now, self.trouble)
        self.written_to = now
        surplus = max(0, len(self.lines) - MAX_LINES)
        del self.lines[:surplus]
        self.dropped += surplus

    def set_trouble(self, trouble: Trouble | None, since: datetime, now: datetime) -> None:
        """Show a trouble (None: no trouble) since then; earlier lines stay."""
        self.grow(now)
        if self.fixed or self.until:
            return
        opened = self.since + timedelta(seconds=1)
        start = min(max(since, opened), now)
        self.lines = [line for line in self.lines if line.at <= start]
        self.trouble, self.written_to = trouble, start
        self.grow(now)


class LogBook:
    """All logs of all containers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._runs: dict[tuple[str, str], list[Run]] = {}
        self._troubles: dict[tuple[str, str], Trouble | None] = {}

    def begin(self, pod: Obj, container: str, image: str, now: datetime) -> None:
        """Begin the log of a container that starts."""
        uid = pod["metadata"]["uid"]
        namespace = pod["metadata"]["namespace"]
        run = Run(image, f"{uid}/{container}", now, namespace=namespace)
        run.trouble = self._troubles.get((namespace, service_of(image)))
        run.lines = opening_lines(image, now)
        self._runs.setdefault((uid, container), []).append(run)

    def end(self, pod: Obj, container: str, now: datetime, final_lines: tuple[str, ...]) -> None:
        """End the log of a container that crashes, with its final lines."""
        run = self._runs[pod["metadata"]["uid"], container][-1]
        run.grow(now)
        run.until = now
        if not run.fixed:
            moments = (now + timedelta(microseconds=40 * at) for at in count())
            run.lines += [Line(*pair) for pair in zip(moments, final_lines, strict=False)]

    def set_trouble(
        self, namespace: str, service: str, trouble: Trouble | None, since: datetime
    ) -> None:
        """Make a service's containers log a trouble (None: no trouble) since a past moment."""
        place = namespace, service
        self._troubles[place] = trouble
        for runs in self._runs.values():
            if runs and (runs[-1].namespace, service_of(runs[-1].image)) == place:
                runs[-1].set_trouble(trouble, since, self.clock.now())

    def started(self, pod: Obj, container: str) -> datetime | None:
        """When a container last started, more exactly than the API says."""
        runs = self._runs.get((pod["metadata"]["uid"], container))
        return runs[-1].since if runs else None

    def forget(self, uid: str) -> None:
        """Drop the logs of a removed pod."""
        for key in [key for key in self._runs if key[0] == uid]:
            del self._runs[key]

    def set_lines(self, pod: Obj, container: str, lines: list[str], *, previous: bool) -> None:
        """Replace a container's log by fixed lines."""
        run = Run("", "", self.clock.now(), fixed=True)
        run.lines = [Line(run.since, line) for line in lines]
        self._replace_run(pod, container, run, previous=previous)

    def _replace_run(self, pod: Obj, container: str, run: Run, *, previous: bool) -> None:
        runs = self._runs.setdefault((pod["metadata"]["uid"], container), [])
        index = _run_index(pod, container, previous=previous)
        if len(runs) < -index:
            runs.insert(0, run)
        else:
            run.until = runs[index].until
            runs[index] = run

    def flood(self, pod: Obj, container: str, total_bytes: int) -> None:
        """Give a container a log of so many bytes."""
        run = Run("", "", self.clock.now(), fixed=True, total_bytes=total_bytes)
        self._replace_run(pod, container, run, previous=False)

    def stall(self, pod: Obj, container: str) -> None:
        """Make reading a container's log hang after its first line."""
        self.run(pod, container, previous=False).stalled = True

    def lose(self, pod: Obj, container: str, *, previous: bool) -> None:
        """Remove the log of a run from its node, as its runtime does with old containers."""
        self.run(pod, container, previous=previous).gone = True

    def run(self, pod: Obj, container: str, *, previous: bool) -> Run:
        """The run that a request asks for; raises ApiError in a real node's words."""
        name = pod["metadata"]["name"]
        runs = self._runs.get((pod["metadata"]["uid"], container), [])
        if previous:
            index = _run_index(pod, container, previous=True)
            if len(runs) < -index:
                raise bad_request(
                    f'previous terminated container "{container}" in pod "{name}" not found'
                )
            return runs[index]
        if not runs:
            reason = (_state(pod, container).get("waiting") or {}).get("reason")
            raise bad_request(
                f'container "{container}" in pod "{name}" is {_waiting_message(reason)}'
            )
        runs[-1].grow(self.clock.now())
        return runs[-1]


def _run_index(pod: Obj, container: str, *, previous: bool) -> int:
    """Which run is meant, counted from the last.

    A container that waits to start again has its last run as both the present and the previous.
    """
    is_waiting = "running" not in (state := _state(pod, container)) and "terminated" not in state
    return -2 if previous and not is_waiting else -1


def _state(pod: Obj, container: str) -> Obj:
    states = (status["state"] for status in container_statuses(pod) if status["name"] == container)
    state: Obj = next(states, {})
    return state


def _waiting_message(reason: str | None) -> str:
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        return "waiting to start: trying and failing to pull image"
    return f"waiting to start: {reason or 'ContainerCreating'}"


def tail_of(lines: list[Line], count: int) -> list[Line]:
    """The last `count` lines; a long line counts as its parts, and so may be cut at its start.

    The runtime stores a line in parts of 16 KiB, and the node counts what is stored.
    """
    tail: list[Line] = []
    for line in reversed(lines):
        parts = max(1, -(-len(line.text) // PART_CHARACTERS))
        if parts > count:
            cut = line.text[(parts - count) * PART_CHARACTERS :]
            return [*([Line(line.at, cut)] if count else []), *reversed(tail)]
        tail.append(line)
        count -= parts
    return tail[::-1]


def flood_text(total_bytes: int, until: datetime, *, stamped: bool) -> Iterator[str]:
    """Generate lines of `total_bytes` together, one per millisecond, ending at `until`.

    Those of one second at a time: a node reads its times from a file, so they must cost little.
    """
    rng = random.Random(total_bytes)
    texts = [_flood_text(rng.randrange(10**6)) for _ in range(999)]
    last = int(until.timestamp() * 1000)
    moments = range(last - total_bytes // ENDLESS_LINE + 1, last + 1)
    for second, group in groupby(moments, lambda moment: moment // 1000):
        day_and_time = micro_stamp(datetime.fromtimestamp(second, UTC)).removesuffix("000000Z")
        yield "".join(
            f"{day_and_time}{moment % 1000:03}000Z {texts[moment % 999]}\n"
            if stamped
            else f"{texts[moment % 999]}\n"
            for moment in group
        )


def _flood_text(order: int) -> str:
    words = f"order {order} repriced" if order % 8 else f"stripe webhook for {order} processed"
    return f'{{"level":"info","msg":"{words}"}}'.ljust(ENDLESS_LINE - 1)
