"""Queries that run too long, ended: the sessions seen when it was asked for, and no others."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, LiteralString, Self

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from bot.actions import Change, Run, Systems
from bot.backends import Backend, Ending
from bot.database import APPLICATION, DatabaseError
from bot.model import Plan, Risk, UserError, Verdict
from commands.actions import values
from commands.actions.fields import Duration

MOST = 50
QUERY = 300
# Each look is a connection of its own.
LOOK_SECONDS = 1.0
NEVER = "Those of superusers, of replication and of the bot itself are never ended."
# What the source's statement meant: `duration` is no column of pg_stat_activity. Sessions that the
# reading role may not see come last, and refuse the whole.
LONG: LiteralString = """
    WITH waiting AS MATERIALIZED (
        SELECT pid, pg_blocking_pids(pid) AS blockers
        FROM pg_stat_activity WHERE wait_event_type = 'Lock'
    )
    SELECT
        found.pid, backend_start, query_start,
        extract(epoch FROM now() - query_start)::integer,
        found.usename, application_name,
        coalesce(wait_event_type || ': ' || wait_event, ''),
        ARRAY(SELECT pid FROM waiting WHERE found.pid = ANY (blockers) ORDER BY pid),
        left(query, 1000)
    FROM pg_stat_activity AS found
    LEFT JOIN pg_roles AS owner ON owner.oid = found.usesysid
    WHERE datname = %(database)s
    AND (
        query = '<insufficient privilege>'
        OR (
            state = 'active'
            AND backend_type = 'client backend'
            AND now() - query_start > %(longer_than)s
            AND NOT coalesce(owner.rolsuper, true)
            AND usename NOT IN (current_user, %(operator)s)
            AND application_name <> %(ours)s
        )
    )
    ORDER BY query_start NULLS LAST
"""
MAY_END: LiteralString = """
    SELECT coalesce(bool_or(pg_has_role(oid, 'pg_signal_backend', 'USAGE')), false)
    FROM pg_roles WHERE rolname = %(operator)s
"""
LEFT: LiteralString = """
    SELECT found.pid FROM pg_stat_activity AS found
    JOIN unnest(%(pids)s::int[], %(started)s::timestamptz[], %(queries)s::timestamptz[])
        AS planned (pid, started, query_started)
    ON found.pid = planned.pid AND backend_start = started AND query_start = query_started
    WHERE state = 'active'
"""
WORDS = {
    Ending.ENDED: "was ended",
    Ending.GONE: "had ended by itself",
    Ending.FINISHED: "had finished that query by itself, and its session was left alone",
    Ending.REUSED: "is another session by now, and was left alone",
    Ending.SPARED: "is one that is never ended, and was left alone",
    Ending.REFUSED: "may not be ended by the bot's role",
}


class EndQueries(Change):
    """End the sessions that run a query for too long; which ones is fixed when it is asked for."""

    name: ClassVar = "end-queries"
    risk: ClassVar = Risk.DESTRUCTIVE
    database: str = Field(default="orders", min_length=1, max_length=63)
    longer_than: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=24))] = (
        Field(default=timedelta(seconds=30), description="For example 30 s or 2 min.")
    )
    deadline_seconds: Annotated[float, Field(gt=0, le=600)] = 10
    backends: SkipJsonSchema[tuple[Backend, ...]] = ()

    async def settle(self, systems: Systems) -> Self:
        """The sessions that are seen now, for good: one that gets slow later is another request."""
        bound = {
            "database": self.database,
            "longer_than": self.longer_than,
            "operator": systems.backends.role,
            "ours": APPLICATION,
        }
        found = (await systems.database.select(LONG, bound)).rows
        self._check(found)
        return self.model_copy(update={"backends": tuple(_backend(*row) for row in found)})

    def _check(self, found: Sequence[tuple[Any, ...]]) -> None:
        hidden = sum(row[1] is None for row in found)
        longer = values.span(self.longer_than)
        if hidden:
            raise DatabaseError(
                f"The bot's role may not see {hidden} of the sessions, so nothing was planned. "
                "Grant it pg_read_all_stats as in deploy/sql."
            )
        if not found:
            raise UserError(
                f"No query that may be ended has run for more than {longer} in {self.database}, so "
                f"there is nothing to do. {NEVER}"
            )
        if len(found) > MOST:
            raise UserError(
                f"{len(found)} queries have run for more than {longer}, and no more than {MOST} "
                "are ended at once, so nothing was planned. Ask for those that ran longer."
            )

    async def plan(self, systems: Systems) -> Plan:
        """Each session as it was seen; whether it is still the same is asked when it is ended."""
        role = systems.backends.role
        [(may,)] = (await systems.database.select(MAY_END, {"operator": role})).rows
        if not may:
            raise UserError(
                f"The role {role} may not end sessions, so nothing was done. Grant it "
                "pg_signal_backend as in deploy/sql, and ask again."
            )
        pids = ", ".join(str(one.pid) for one in self.backends)
        return Plan(
            target=f"database/{self.database}",
            summary=f"End {_count(self.backends)} in {self.database} that ran for more than "
            f"{values.span(self.longer_than)}: {pids}",
            blast_radius=self._blast_radius(),
            check=f"None of them runs that query any more within {self.deadline_seconds:g} s.",
            diff="\n".join(map(_lines, self.backends)),
            dry_run=f"The role {role} may end them. Exactly these are ended, and only those that "
            "still run that query then.",
            warnings=tuple(self._warnings()),
            fingerprint={
                str(one.pid): [one.started.isoformat(), one.query_started.isoformat()]
                for one in self.backends
            },
        )

    def _warnings(self) -> Iterator[str]:
        yield (
            "There is no undo: what they have not committed is rolled back and has to be done "
            "again."
        )
        blocked = {pid for one in self.backends for pid in one.blocks}
        waiting = [str(one.pid) for one in self.backends if one.pid in blocked]
        if waiting:
            yield (
                f"Only waiting for others of these: {', '.join(waiting)}. Those that come free "
                "before their turn are left alone."
            )

    def _blast_radius(self) -> str:
        freed = {pid for one in self.backends for pid in one.blocks}
        freed -= {one.pid for one in self.backends}
        lost = f"{_count(self.backends)} lost, each with its open transaction"
        if not freed:
            return f"{lost}. No other waits for them."
        return f"{lost}. {', '.join(map(str, sorted(freed)))} waited for them, and can go on."

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> str:
        """End each that is still what was approved, and say what became of each."""
        endings = await systems.backends.end(self.backends)
        ended = endings.count(Ending.ENDED)
        parts = [f"{ended} of {_count(self.backends)} ended."]
        for kind, words in WORDS.items():
            of_kind = zip(self.backends, endings, strict=True)
            pids = [str(one.pid) for one, ending in of_kind if ending is kind]
            parts += [f"{pid} {words}." for pid in pids]
        return " ".join(parts)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Look until none of them runs that query, or the deadline passed."""
        end = asyncio.get_running_loop().time() + self.deadline_seconds
        while left := await self._left(systems):
            if asyncio.get_running_loop().time() >= end:
                done = len(left) < len(self.backends)
                pids = ", ".join(map(str, left))
                return Verdict(ok=False, done=done, text=f"Still running that query: {pids}.")
            await asyncio.sleep(LOOK_SECONDS)
        return Verdict(ok=True, text="None of them runs that query any more.")

    async def _left(self, systems: Systems) -> list[int]:
        bound = {
            "pids": [one.pid for one in self.backends],
            "started": [one.started for one in self.backends],
            "queries": [one.query_started for one in self.backends],
        }
        return sorted(pid for (pid,) in (await systems.database.select(LEFT, bound)).rows)


def _backend(
    pid: int,
    started: datetime,
    query_started: datetime,
    ran: int,
    user: str,
    application: str,
    waits_for: str,
    blocks: list[int],
    query: str,
) -> Backend:
    line = " ".join(values.masked(query).split())
    return Backend(
        pid=pid,
        started=started,
        query_started=query_started,
        ran=ran,
        user=user,
        application=values.masked(application),
        waits_for=waits_for,
        blocks=tuple(blocks),
        query=line if len(line) <= QUERY else f"{line[: QUERY - 1]}…",
    )


def _lines(one: Backend) -> str:
    """A session for people who decide whether it ends."""
    states = [f"active, waits for {one.waits_for}" if one.waits_for else "active"]
    if one.blocks:
        states.append(f"blocks {', '.join(map(str, one.blocks))}")
    return "\n".join(
        (
            f"- {one.pid}: {one.user}, {one.application or 'no application name'}",
            f"    ran {values.span(timedelta(seconds=one.ran))} when this was asked, since "
            f"{one.query_started:%H:%M:%S} UTC; connected {one.started:%Y-%m-%d %H:%M:%S} UTC",
            f"    {'; '.join(states)}",
            f"    {one.query}",
        )
    )


def _count(backends: Sequence[Backend]) -> str:
    return "1 session" if len(backends) == 1 else f"{len(backends)} sessions"
