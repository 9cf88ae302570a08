"""Ending sessions, at the doors: what is settled, what is looked at again, what is refused."""

import asyncio
from dataclasses import replace

import pytest
from psycopg import AsyncConnection
from psycopg.errors import AdminShutdown

from bot.actions.database.sessions import EndQueries
from bot.model import Evidence, UserError, Verdict
from bot.systems import ChangingSystems
from bot.systems.database import Database, DatabaseError
from bot.systems.sessions import OwnSession, SessionTerminator, TerminationResult
from sandbox.shop import Shop
from tests.cluster_fixtures import RecordedProgress, systems
from tests.sessions import SLEEP, Session, Sessions, Unrecorded, sessions, stop
from tests.silent_servers import silent_server

__all__ = ["sessions", "systems"]

# Have a worker help with every query; PostgreSQL 16 gave the setting its name of today.
PARALLEL = """
    SELECT set_config(name, 'on', false) FROM pg_settings
    WHERE name IN ('debug_parallel_query', 'force_parallel_mode')
"""


def doors(systems: ChangingSystems, shop: Shop) -> ChangingSystems:
    return replace(
        systems, database=Database(shop.ro_dsn), sessions=SessionTerminator(shop.ops_dsn)
    )


def long_ones(shop: Shop) -> EndQueries:
    return EndQueries.model_validate(
        {"database": shop.database, "longer_than": "1 s", "deadline_seconds": 0.5}
    )


async def test_hidden_sessions_are_not_none(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    await sessions.open(dsn=shop.ro_dsn)
    blind = replace(doors(systems, shop), database=Database(shop.service_dsn))

    with pytest.raises(DatabaseError, match=r"may not see .*pg_read_all_stats"):
        await long_ones(shop).pin_targets(blind.for_planning())


async def test_the_plan_outlives_its_sessions(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    slow = await sessions.open()
    change = await long_ones(shop).pin_targets(doors(systems, shop).for_planning())
    before = await change.plan(doors(systems, shop).for_planning())
    await sessions.cancel(slow)
    await sessions.open()

    again = EndQueries.model_validate(change.model_dump(mode="json"))

    assert (await again.plan(doors(systems, shop).for_planning())).digest == before.digest
    assert list(before.fingerprint) == [str(slow.pid)]
    assert before.undo is None


async def test_too_many_sessions_are_refused(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    opened = [await AsyncConnection.connect(shop.service_dsn, autocommit=True) for _ in range(51)]
    asleep = [Session(conn, SLEEP) for conn in opened]
    try:
        for session in asleep:
            await sessions.has_run(session.pid)
        with pytest.raises(UserError, match=r"51 queries .*no more than 50"):
            await long_ones(shop).pin_targets(doors(systems, shop).for_planning())
    finally:
        for session in asleep:
            await stop(session.running)
            await session.conn.close()


async def test_a_silent_server_is_left(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    await sessions.open()
    change = await long_ones(shop).pin_targets(doors(systems, shop).for_planning())
    async with silent_server() as port:
        backends = SessionTerminator(f"postgresql://u:p@127.0.0.1:{port}/orders")
        with pytest.raises(DatabaseError, match="cannot be reached to end") as caught:
            await backends.terminate(change.backends, Unrecorded())

    assert not caught.value.unsure


async def test_superusers_sessions_are_kept(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    """A role may become mightier between the plan and its end."""
    service, mighty = await sessions.open(), await sessions.open(dsn=shop.dsn)
    [seen] = (await long_ones(shop).pin_targets(doors(systems, shop).for_planning())).backends
    assert seen.pid == service.pid
    query = "SELECT backend_start, query_start FROM pg_stat_activity WHERE pid = %s"
    [(started, query_started)] = await (
        await sessions.admin.execute(query, [mighty.pid])
    ).fetchall()
    theirs = seen.model_copy(
        update={"pid": mighty.pid, "backend_start": started, "query_start": query_started}
    )

    assert await SessionTerminator(shop.ops_dsn).terminate([theirs], Unrecorded()) == [
        TerminationResult.PROTECTED
    ]
    assert await mighty.alive()


async def test_backends_without_clients_are_kept(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    """A worker that helps a query is seen as active under the same user, and goes with it."""
    slow = await sessions.open(PARALLEL, SLEEP)
    query = "SELECT backend_type FROM pg_stat_activity WHERE leader_pid = %s AND state = 'active'"
    workers = await (await sessions.admin.execute(query, [slow.pid])).fetchall()
    assert workers == [("parallel worker",)]

    change = await long_ones(shop).pin_targets(doors(systems, shop).for_planning())

    assert [session.pid for session in change.backends] == [slow.pid]


async def test_a_lost_grant_is_told(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    await shop.server.create_role("weak")
    await sessions.admin.execute("GRANT pg_read_all_stats TO weak")
    weak = shop.server.dsn(shop.database, "weak")
    slow = await sessions.open()
    change = await long_ones(shop).pin_targets(doors(systems, shop).for_planning())
    without = replace(doors(systems, shop), sessions=SessionTerminator(weak))

    plan, notes = await change.plan(doors(systems, shop).for_planning()), RecordedProgress()
    await change.execute(without, plan, notes.run)

    assert await change.settle(without, plan, notes.run) == Verdict(
        ok=False,
        was_applied=False,
        text=f"Ended 0 of 1 session. {slow.pid}: not ended, as the bot's role may not.",
    )
    assert await slow.alive()


async def test_a_lost_connection_leaves_doubt(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    slow = await sessions.open()
    [seen] = (await long_ones(shop).pin_targets(doors(systems, shop).for_planning())).backends
    gone = seen.model_copy(update={"pid": 2**31 - 1})
    ending = asyncio.create_task(
        SessionTerminator(shop.ops_dsn).terminate([seen, *[gone] * 20_000], Unrecorded())
    )
    assert await slow.ended()

    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'runbolt_ops'"
    await sessions.admin.execute(query)

    with pytest.raises(
        DatabaseError, match="stopped answering while sessions were being ended"
    ) as caught:
        await ending
    assert caught.value.unsure


async def test_sessions_that_stay_are_told(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    stays, goes = [await sessions.open() for _ in range(2)]
    change = await long_ones(shop).pin_targets(doors(systems, shop).for_planning())
    plan = await change.plan(doors(systems, shop).for_planning())
    await sessions.cancel(goes)

    verdict = await change.verify(doors(systems, shop).for_reading(), plan, RecordedProgress().run)

    assert (verdict.ok, verdict.was_applied) == (False, True)
    report = "Ended 0 of 2 sessions."
    assert verdict.text == f"{report} Still running that query: {stays.pid}."


async def test_waiting_looks_once_a_second(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    await sessions.open()
    change = await long_ones(shop).pin_targets(doors(systems, shop).for_planning())
    change = change.model_copy(update={"deadline_seconds": 2.0})
    plan = await change.plan(doors(systems, shop).for_planning())
    before = await sessions.begun()

    assert not (
        await change.verify(doors(systems, shop).for_reading(), plan, RecordedProgress().run)
    ).ok

    assert 2 <= await sessions.begun() - before <= 3


async def test_what_ended_by_itself_is_not_claimed(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    slow = await sessions.open()
    change = await long_ones(shop).pin_targets(doors(systems, shop).for_planning())
    plan = await change.plan(doors(systems, shop).for_planning())
    await sessions.cancel(slow)

    nothing_sent = await change.settle(doors(systems, shop), plan, RecordedProgress().run)
    notes = RecordedProgress()
    await change.execute(doors(systems, shop), plan, notes.run)
    sent = await change.settle(doors(systems, shop), plan, notes.run)

    none = "Ended 0 of 1 session"
    left = f"; they came free before. Left alone: {slow.pid}."
    assert nothing_sent == Verdict(ok=False, was_applied=False, text=f"{none}.")
    assert sent == Verdict(ok=False, was_applied=False, text=f"{none}{left}")


async def test_doubt_ends_with_the_bots_session(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    """A process died after it had ended one session, and while it was about to end two more."""
    ended, gone, stays = [await sessions.open() for _ in range(3)]
    change = await long_ones(shop).pin_targets(doors(systems, shop).for_planning())
    plan = await change.plan(doors(systems, shop).for_planning())
    own = await AsyncConnection.connect(shop.ops_dsn, autocommit=True)
    query = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    [(pid, started)] = await (await own.execute(query)).fetchall()
    session = OwnSession(pid=pid, backend_start=started)
    await sessions.cancel(ended)
    await sessions.cancel(gone)
    notes = RecordedProgress()
    notes.run.evidence = Evidence(
        sent={"own session": session.model_dump_json()}
        | {str(each.pid): "" for each in (ended, gone, stays)},
        answers={str(ended.pid): TerminationResult.TERMINATED},
    )

    assert await change.settle(doors(systems, shop), plan, notes.run) is None
    verdict = await change.verify(doors(systems, shop).for_reading(), plan, notes.run)

    assert verdict.text == (
        f"Ended 1 of 3 sessions. {gone.pid}: gone, and it is not known whether the bot ended it. "
        f"Still running that query: {stays.pid}."
    )
    with pytest.raises(AdminShutdown):
        await own.execute("SELECT 1")
