"""End the database sessions of long queries: those seen when it was requested, and no others."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, LiteralString, Self

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from bot.actions import cell_format
from bot.actions.base import IN_DATABASE, Change, Progress
from bot.actions.params import Duration
from bot.actions.wording import plural
from bot.model import BlastRadius, Plan, Risk, Table, UserError, Verdict
from bot.model.text import truncate
from bot.systems import Systems
from bot.systems.database import APPLICATION_NAME, Database, DatabaseError
from bot.systems.sessions import DatabaseSession, OwnSession, TerminationResult

MAX_SESSIONS = 50
# More than these are a table beside the sentence.
NAMED_SESSIONS = 3
MAX_QUERY_CHARACTERS = 300
# Each poll makes a connection.
POLL_SECONDS = 1.0
OWN_SESSION = "own session"  # in the evidence, beside the pids of the sessions that are ended
NEVER_ENDED = "Those of superusers, of replication and of the bot itself are never ended."
# Sessions that the read-only role may not see come too, with nulls: `_check` refuses them.
LONG_QUERIES: LiteralString = """
    WITH waiting AS MATERIALIZED (
        SELECT pid, pg_blocking_pids(pid) AS blockers
        FROM pg_stat_activity WHERE wait_event_type = 'Lock'
    )
    SELECT
        session.pid, backend_start, query_start,
        extract(epoch FROM now() - query_start)::integer,
        session.usename, application_name,
        coalesce(wait_event_type || ': ' || wait_event, ''),
        ARRAY(SELECT pid FROM waiting WHERE session.pid = ANY (blockers) ORDER BY pid),
        left(query, 1000)
    FROM pg_stat_activity AS session
    LEFT JOIN pg_roles AS owner ON owner.oid = session.usesysid
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
CAN_END_SESSIONS: LiteralString = """
    SELECT coalesce(bool_or(pg_has_role(oid, 'pg_signal_backend', 'USAGE')), false)
    FROM pg_roles WHERE rolname = %(operator)s
"""
STILL_RUNNING: LiteralString = """
    SELECT session.pid FROM pg_stat_activity AS session
    JOIN unnest(%(pids)s::int[], %(started)s::timestamptz[], %(queries)s::timestamptz[])
        AS planned (pid, started, query_started)
    ON session.pid = planned.pid AND backend_start = started AND query_start = query_started
    WHERE state = 'active'
"""
RESULT_TEXTS = {
    TerminationResult.GONE: "ended by themselves",
    TerminationResult.QUERY_FINISHED: "that query had finished, and the session was left alone",
    TerminationResult.PID_REUSED: "another session by now, and left alone",
    TerminationResult.PROTECTED: "never ended, and left alone",
    TerminationResult.NOT_PERMITTED: "not ended, as the bot's role may not",
}


class EndQueries(Change):
    """End the sessions that run a query for too long; the request fixes which ones."""

    name: ClassVar = "end-queries"
    risk: ClassVar = Risk.DESTRUCTIVE
    place_keys: ClassVar = IN_DATABASE
    database: str = Field(default="orders", min_length=1, max_length=63)
    longer_than: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=24))] = (
        Field(default=timedelta(seconds=30), description="For example 30 s or 2 min.")
    )
    deadline_seconds: Annotated[float, Field(gt=0, le=600)] = 10
    backends: SkipJsonSchema[tuple[DatabaseSession, ...]] = ()

    async def pin_targets(self, systems: Systems) -> Self:
        """Fix the sessions whose query is too long now; one that comes later is another request.

        Raises UserError when there are none or too many, and DatabaseError when some are hidden.
        """
        params = {
            "database": self.database,
            "longer_than": self.longer_than,
            "operator": systems.sessions.role,
            "ours": APPLICATION_NAME,
        }
        rows = (await systems.database.select(LONG_QUERIES, params)).rows
        self._check(rows, systems.database.qualified(self.database))
        return self.model_copy(update={"backends": tuple(_session(*row) for row in rows)})

    def _check(self, rows: Sequence[tuple[Any, ...]], database: str) -> None:
        hidden = sum(start is None for _, start, *_ in rows)
        limit = cell_format.span(self.longer_than)
        if hidden:
            raise DatabaseError(
                f"The bot's role may not see {hidden} of the sessions of {database}, so nothing "
                "was planned. Grant it pg_read_all_stats as in deploy/sql."
            )
        if not rows:
            raise UserError(
                f"No query that may be ended has run for more than {limit} in {database}, so "
                f"there is nothing to do. {NEVER_ENDED}",
                field="longer_than",
            )
        if len(rows) > MAX_SESSIONS:
            raise UserError(
                f"{len(rows)} queries have run for more than {limit} in {database}, and no more "
                f"than {MAX_SESSIONS} are ended at once, so nothing was planned. Ask for those "
                "that ran longer.",
                field="longer_than",
            )

    async def plan(self, systems: Systems) -> Plan:
        """The sessions as they were seen; the change itself checks that they are the same.

        Raises UserError when the bot's role may not end sessions.
        """
        role = systems.sessions.role
        await _check_permission(systems.database, role)
        is_long = len(self.backends) > NAMED_SESSIONS
        named = "" if is_long else f": {_join(session.pid for session in self.backends)}"
        count = plural(len(self.backends), "session")
        database = systems.database.qualified(self.database)
        return Plan(
            target=systems.sessions.target(self.database),
            summary=f"End {count} in {database} that ran for more than "
            f"{cell_format.span(self.longer_than)}{named}",
            blast_radius=self._blast_radius(),
            check=f"None of them runs that query any more within {self.deadline_seconds:g} s.",
            diff="\n".join(map(_described, self.backends)),
            dry_run=f"The role {role} may end them. Exactly these are ended, and only those that "
            "still run that query then.",
            warnings=tuple(self._warnings()),
            table=_table(self.backends) if is_long else None,
            fingerprint={
                str(session.pid): [
                    session.backend_start.isoformat(),
                    session.query_start.isoformat(),
                ]
                for session in self.backends
            },
        )

    def _warnings(self) -> Iterator[str]:
        yield (
            "There is no undo: what they have not committed is rolled back and has to be done "
            "again."
        )
        blocked = self._blocked_pids()
        waiting = [session.pid for session in self.backends if session.pid in blocked]
        if waiting:
            yield (
                f"Some of these only wait for others of these: {_join(waiting)}. Once those are "
                "ended, they may go on; the bot does not end a session that goes on."
            )

    def _blocked_pids(self) -> set[int]:
        return {pid for session in self.backends for pid in session.blocked_pids}

    def _blast_radius(self) -> BlastRadius:
        return BlastRadius(text=self._losses(), sessions=len(self.backends))

    def _losses(self) -> str:
        count = plural(len(self.backends), "session")
        freed = self._blocked_pids() - {session.pid for session in self.backends}
        lost = f"{count} lost, each with what it has not committed"
        if not freed:
            return f"{lost}. No other session waits for these."
        return f"{lost}. {_join(sorted(freed))} waited for them, and can go on."

    async def execute(self, systems: Systems, plan: Plan, progress: Progress) -> None:
        """End each session that still runs its query. Raises UserError."""
        witness = ProgressWitness(progress, systems.now)
        try:
            await systems.sessions.terminate(self.backends, witness)
        except UserError as error:
            if (progress.evidence.sent or {}).keys() - {OWN_SESSION}:
                text = f"{error} Some of them may have been ended."
                raise UserError(text, unsure=True) from error
            if error.unsure:
                raise UserError(f"{error} No session was ended.") from error
            raise

    def _results(self, progress: Progress) -> dict[int, TerminationResult]:
        """What became of each session, as far as that was answered."""
        answers = progress.evidence.answers
        pids = [session.pid for session in self.backends]
        return {pid: TerminationResult(answers[str(pid)]) for pid in pids if str(pid) in answers}

    async def settle(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict | None:
        """Close the session that sent it; count what was answered.

        One that is gone without an answer may have been ended by this, so that counts too.
        """
        await self._close(systems, progress)
        maybe = await self._gone_without_answer(systems, progress)
        if maybe or TerminationResult.TERMINATED in self._results(progress).values():
            return None
        return Verdict(ok=False, was_applied=False, text=self._report(progress, maybe))

    async def _close(self, systems: Systems, progress: Progress) -> None:
        own = (progress.evidence.sent or {}).get(OWN_SESSION)
        if own is not None and OWN_SESSION not in progress.evidence.answers:
            await systems.sessions.close(OwnSession.model_validate_json(own))
            await progress.answered({OWN_SESSION: "closed"})

    async def _gone_without_answer(self, systems: Systems, progress: Progress) -> list[int]:
        """The sessions that this may have ended: they are gone, and nothing was answered."""
        is_unrecorded = progress.evidence.sent is None
        names = {str(session.pid) for session in self.backends}
        unanswered = names if is_unrecorded else names & progress.evidence.unanswered.keys()
        if not unanswered:
            return []
        return sorted({int(pid) for pid in unanswered} - set(await self._still_running(systems)))

    def _report(self, progress: Progress, maybe: Sequence[int]) -> str:
        """How many were ended, and what became of the others, each kind in one sentence."""
        results = self._results(progress)
        by_kind = {
            kind: sorted(pid for pid, result in results.items() if result is kind)
            for kind in TerminationResult
        }
        ended = by_kind[TerminationResult.TERMINATED]
        freed = sorted(by_kind[TerminationResult.GONE] + by_kind[TerminationResult.QUERY_FINISHED])
        count = plural(len(self.backends), "session")
        first = f"Ended {len(ended)} of {count}"
        if freed and len(ended) + len(freed) == len(self.backends):
            which = ("the other" if len(freed) == 1 else "the others") if ended else "they"
            return f"{first}; {which} came free before. Left alone: {_join(freed)}."
        parts = [f"{first}."]
        parts += [
            f"{_join(by_kind[kind])}: {RESULT_TEXTS[kind]}."
            for kind in RESULT_TEXTS
            if by_kind[kind]
        ]
        if maybe:
            parts.append(f"{_join(maybe)}: gone, and it is not known whether the bot ended it.")
        return " ".join(parts)

    async def verify(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict:
        """Poll until none of the sessions runs its query, or the deadline has passed."""
        report = self._report(progress, await self._gone_without_answer(systems, progress))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.deadline_seconds
        while running := await self._still_running(systems):
            if loop.time() >= deadline:
                text = f"{report} Still running that query: {_join(running)}."
                return Verdict(ok=False, text=text)
            await asyncio.sleep(POLL_SECONDS)
        return Verdict(ok=True, text=f"{report} None of them runs that query any more.")

    async def _still_running(self, systems: Systems) -> list[int]:
        """The pids of the sessions that still run the query they ran at the request."""
        params = {
            "pids": [session.pid for session in self.backends],
            "started": [session.backend_start for session in self.backends],
            "queries": [session.query_start for session in self.backends],
        }
        rows = (await systems.database.select(STILL_RUNNING, params)).rows
        return sorted(pid for (pid,) in rows)


class ProgressWitness:
    """Records what is sent to the database and what was answered, by the pids of the sessions."""

    def __init__(self, progress: Progress, now: Callable[[], datetime]) -> None:
        self._progress = progress
        self._now = now

    async def opened(self, own: OwnSession) -> None:
        """Record the bot's own session."""
        await self._progress.sending({OWN_SESSION: own.model_dump_json()}, self._now())

    async def sending(self, session: DatabaseSession) -> None:
        """Record a session that is about to be ended."""
        started = session.backend_start.isoformat()
        await self._progress.sending({str(session.pid): started}, self._now())

    async def answered(self, session: DatabaseSession, result: TerminationResult) -> None:
        """Record what became of a session."""
        await self._progress.answered({str(session.pid): result.value})


async def _check_permission(database: Database, role: str) -> None:
    """Raises UserError when the role may not end sessions."""
    [(allowed,)] = (await database.select(CAN_END_SESSIONS, {"operator": role})).rows
    if not allowed:
        raise UserError(
            f"The role {role} may not end sessions{database.inside}, so nothing was done. Grant it "
            "pg_signal_backend as in deploy/sql, and request it again."
        )


def _session(
    pid: int,
    started: datetime,
    query_started: datetime,
    seconds: int,
    user: str,
    application: str,
    waits_for: str,
    blocks: list[int],
    query: str,
) -> DatabaseSession:
    """A session from one row of LONG_QUERIES."""
    return DatabaseSession(
        pid=pid,
        backend_start=started,
        query_start=query_started,
        running_seconds=seconds,
        user=user,
        application_name=cell_format.masked(application),
        wait_event=waits_for,
        blocked_pids=tuple(blocks),
        query=truncate(" ".join(cell_format.masked(query).split()), MAX_QUERY_CHARACTERS),
    )


def _table(sessions: Sequence[DatabaseSession]) -> Table:
    """The sessions, those that block others first, then those that ran longest."""
    rows = tuple(
        (
            str(session.pid),
            cell_format.span(timedelta(seconds=session.running_seconds)),
            _join(session.blocked_pids) or "–",
            " ".join(session.query.split()),
            session.user,
            session.application_name or "–",
        )
        for session in sorted(
            sessions, key=lambda each: (-len(each.blocked_pids), -each.running_seconds, each.pid)
        )
    )
    columns = ("pid", "ran for", "blocks", "query", "user", "application")
    return Table(columns=columns, rows=rows)


def _described(session: DatabaseSession) -> str:
    """A session in four lines, for the people who decide whether to end it."""
    states = [f"active, waits for {session.wait_event}" if session.wait_event else "active"]
    if session.blocked_pids:
        states.append(f"blocks {_join(session.blocked_pids)}")
    ran = cell_format.span(timedelta(seconds=session.running_seconds))
    return "\n".join(
        (
            f"- {ran}: {session.user}, {session.application_name or 'no application name'}, "
            f"pid {session.pid}",
            f"    since {session.query_start:%H:%M:%S} UTC, counted when this was requested; "
            f"connected {session.backend_start:%Y-%m-%d %H:%M:%S} UTC",
            f"    {'; '.join(states)}",
            f"    {session.query}",
        )
    )


def _join(pids: Iterable[int]) -> str:
    return ", ".join(map(str, pids))
