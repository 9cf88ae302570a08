"""Databases that live in another time zone: what people read is UTC all the same."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection, conninfo, sql

from bot.systems.database import Database
from sandbox.shop import Shop
from tests.conftest import Walk
from tests.pausing import PAUSED, approve_pause
from tests.sessions import Sessions, sessions

__all__ = ["sessions"]


async def to_tokyo(url: str) -> None:
    """Let every session of this database begin nine hours ahead of UTC."""
    async with await AsyncConnection.connect(url, autocommit=True) as conn:
        moved = sql.SQL("ALTER DATABASE {} SET timezone TO 'Asia/Tokyo'")
        await conn.execute(moved.format(sql.Identifier(conn.info.dbname)))


class TestWhereTheServiceIsElsewhere:
    @pytest.fixture
    async def shared_shop(self, shop: Shop) -> Shop:
        await to_tokyo(shop.dsn)
        return shop

    async def test_a_query_began_in_utc(self, walk: Walk, sessions: Sessions) -> None:
        await sessions.open()
        channel = await walk.declare(severity="sev3")
        await walk.press_step("oncall", "end-queries", channel)
        await walk.submit("oncall", longer_than="1 s", reason="Orders wait for a lock")

        began = re.search(r"connected (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", walk.text(channel))

        assert began is not None
        ago = datetime.now(UTC) - datetime.fromisoformat(f"{began[1]}+00:00")
        assert timedelta(0) <= ago < timedelta(minutes=5)


class TestWhereTheBotIsElsewhere:
    @pytest.fixture
    async def state(self, database: str) -> str:
        await to_tokyo(database)
        return database

    async def test_a_pause_ends_in_utc(self, walk: Walk) -> None:
        channel = await approve_pause(walk)

        [line] = [line for line in walk.text(channel).splitlines() if line.startswith(PAUSED)]
        assert "10:30 UTC" in line


async def test_options_of_the_url_stay(shop: Shop) -> None:
    url = conninfo.make_conninfo(shop.ro_dsn, options="-c TimeZone=Asia/Tokyo -c work_mem=5MB")

    found = await Database(url).select(
        "SELECT current_setting('work_mem'), current_setting('TimeZone')"
    )

    assert found.rows == [("5MB", "UTC")]
