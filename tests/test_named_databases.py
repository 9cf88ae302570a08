"""Databases that have names: sentences and targets say which one, and its URL may be in a file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot import config
from bot.actions.database.connections import DatabaseConnections
from bot.actions.database.sessions import EndQueries
from bot.clock import utc_now
from bot.config import Surroundings
from bot.model import Place, target
from bot.services import Services
from bot.settings import Settings
from bot.slack.customer_channel import CustomerChannel
from bot.systems import ChangingSystems
from bot.systems.database import Database
from bot.systems.kubernetes import Clusters
from bot.systems.postgres import ConnectionSettings, DatabaseError
from bot.systems.sessions import SessionTerminator
from sandbox.shop import Shop
from tests.cluster_fixtures import systems
from tests.sessions import Sessions, sessions

__all__ = ["sessions", "systems"]

NAME = "reporting of checkout"
READ = "CHECKOUT_REPORTING_URL"
ADMIN = "CHECKOUT_REPORTING_ADMIN_URL"


def reporting(url: str | Path | None, **settings: Any) -> Database:
    return Database(url, variable=READ, name=NAME, **settings)


async def told(url: str | Path | None, query: str = "SELECT 1", **settings: Any) -> str:
    with pytest.raises(DatabaseError) as refused:
        await reporting(url, **settings).select(query)
    return str(refused.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            None,
            f"The bot cannot connect to the database {NAME}: {READ} is not set. Nothing was read "
            "or changed. Set it to a PostgreSQL URL of the role runbolt_ro, then restart the bot.",
        ),
        (
            "hunter2",
            f"{READ} isn't a PostgreSQL URL. Nothing was read or changed. Write it as "
            "postgresql://role:password@host:5432/database, then restart the bot.",
        ),
        (
            Path("/nowhere/dsn"),
            f"The bot cannot connect to the database {NAME}: /nowhere/dsn cannot be read (No such "
            "file or directory). Nothing was read or changed. Correct the file, then try again.",
        ),
    ],
)
async def test_a_database_without_address(url: str | Path | None, expected: str) -> None:
    assert await told(url) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" \n", "The bot cannot connect to the database reporting of checkout: {} is empty."),
        (b"\xff", "The bot cannot connect to the database reporting of checkout: {} cannot be "),
        (b"hunter2", "{} isn't a PostgreSQL URL."),
    ],
)
async def test_a_file_without_address(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_bytes(content)

    sentence = await told(file)

    assert sentence.startswith(reason.format(file))
    assert sentence.endswith("then try again.")


async def test_a_database_that_is_away() -> None:
    sentence = await told("postgresql://me:hunter2@127.0.0.1:1/shop")

    assert sentence.startswith(f"The database {NAME} cannot be reached: ")
    assert sentence.endswith(f"Check the database and {READ}, then try again.")


@pytest.mark.parametrize(
    ("query", "seconds", "start"),
    [
        ("SELECT nonsense", 8.0, f"The database {NAME} refused the query: "),
        (
            "SELECT current_setting(name) FROM pg_authid, pg_settings",
            8.0,
            f"The bot's role may not read this in the database {NAME}: ",
        ),
        ("SELECT pg_sleep(60)", 0.2, f"The query in the database {NAME} was stopped after 0.2 s."),
    ],
)
async def test_a_query_that_fails(
    query: str, seconds: float, start: str, shared_shop: Shop
) -> None:
    assert (await told(shared_shop.ro_dsn, query, seconds=seconds)).startswith(start)


async def test_a_file_is_read_after_a_failed_login(shared_shop: Shop, tmp_path: Path) -> None:
    """Whoever rotates a secret replaces the file, and nobody restarts the bot."""
    file = tmp_path / "dsn"
    database = reporting(file)
    file.write_text(shared_shop.ro_dsn.replace("runbolt_ro", "nobody"))
    with pytest.raises(DatabaseError, match=f"cannot be reached: .*Check the database and {file}"):
        await database.select("SELECT 1")

    file.write_text(f"{shared_shop.ro_dsn}\n")

    assert (await database.select("SELECT 1")).rows == [(1,)]


def test_who_ends_sessions_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    terminator = SessionTerminator(file, variable=ADMIN, name=NAME)
    roles = []
    for role in ("ops", "renewed"):
        file.write_text(f"postgresql://{role}@db/x")
        roles.append((terminator.role, terminator.read_only().role))

    assert roles == [("ops", "ops"), ("renewed", "renewed")]


async def test_connections_say_of_which(systems: ChangingSystems, shared_shop: Shop) -> None:
    named = replace(systems, database=reporting(shared_shop.ro_dsn))

    found = await DatabaseConnections(database=shared_shop.database).read(named.for_reading())
    missing = await DatabaseConnections(database="nothing").read(named.for_reading())

    assert found.text.startswith(f"{shared_shop.database} ({NAME}) uses ")
    assert missing.text == f"The server has no database named nothing ({NAME})."


async def test_plans_say_which_database(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    slow = await sessions.open()
    named = replace(
        systems,
        database=reporting(shop.ro_dsn),
        sessions=SessionTerminator(shop.ops_dsn, variable=ADMIN, name=NAME),
    ).for_planning()
    change = EndQueries.model_validate({"database": shop.database, "longer_than": "1 s"})

    plan = await (await change.pin_targets(named)).plan(named)

    parts = psycopg.conninfo.conninfo_to_dict(shop.ops_dsn)
    assert plan.target == f"database/{shop.database} on {parts['host']}:{parts['port']}"
    assert target.describe(plan.target) == f"database/{shop.database}"
    assert plan.summary == (
        f"End 1 session in {shop.database} ({NAME}) that ran for more than 1 s: {slow.pid}"
    )


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgresql://ops@db.example/x", "db.example:5432"),
        ("postgresql://ops@db.example:6432/x", "db.example:6432"),
        ("postgresql://ops@one,two/x", "one,two:5432"),
        ("hostaddr=10.0.0.1 port=5433", "10.0.0.1:5433"),
        ("postgresql://ops@/x?host=/run/postgresql", "/run/postgresql:5432"),
        ("dbname=x", "localhost:5432"),
    ],
)
def test_which_server_a_url_names(url: str, server: str) -> None:
    assert ConnectionSettings(url, ADMIN, "ops").server == server


SERVICES = """\
services:
  checkout:
    approvers: {groups: [checkout]}
    databases:
      main: {read: CHECKOUT_URL}
      reporting: {read: FILE}
"""


@pytest.mark.parametrize(
    ("database", "read", "admin"),
    [
        (
            "",
            "The bot cannot connect to the database main of checkout: CHECKOUT_URL is not set.",
            "The bot cannot connect to the database main of checkout: databases.main.admin of "
            "checkout in RUNBOLT_CONFIG is not set.",
        ),
        (
            "reporting",
            "The bot cannot connect to the database reporting of checkout: FILE is empty.",
            "The bot cannot connect to the database reporting of checkout: "
            "databases.reporting.admin of checkout in RUNBOLT_CONFIG is not set.",
        ),
    ],
)
async def test_databases_of_a_service(
    database: str, read: str, admin: str, given: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "dsn"
    file.write_text("postgresql://ro@db/x")
    (tmp_path / "services.yml").write_text(SERVICES.replace("FILE", str(file)))
    clusters = Clusters(given.kubeconfig)
    found = Surroundings("shop", clusters.contexts(), {"CHECKOUT_URL": "x"}.get)
    loaded = config.load(tmp_path / "services.yml", found)
    channel = CustomerChannel(AsyncWebClient(), None)
    services = Services(loaded, given, clusters, lambda _: channel, utc_now)
    made = services.systems(Place(service="checkout", database=database))
    file.write_text("")  # it is read when somebody needs it

    for doing, expected in ((made.database.select("SELECT 1"), read), (role(made), admin)):
        with pytest.raises(DatabaseError) as refused:
            await doing
        assert str(refused.value).startswith(expected.replace("FILE", str(file)))


async def role(made: ChangingSystems) -> str:
    return made.sessions.role
