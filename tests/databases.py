"""Real servers for tests, one set in each test process. Import the fixtures in tests/conftest.py:

    from tests.databases import database, postgres, redis, redis_client, redis_url
    from tests.databases import shop, shop_template

and name them as arguments. Those of the session are synchronous, since every test has its own
event loop. RUNBOLT_TEST_POSTGRES may hold a superuser's URL of a PostgreSQL to use instead of
starting one; its databases are removed again, its roles stay. SANDBOX_POSTGRES may hold the
folder of another PostgreSQL's binaries, to be started here and in the sandbox.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from redis import Redis as Client

from sandbox.postgres import Postgres, Server
from sandbox.redis import Redis
from sandbox.shop import Shop, build

__all__ = [
    "database",
    "fresh_database",
    "new_name",
    "open_folder",
    "postgres",
    "redis",
    "redis_client",
    "redis_url",
    "run_sync",
    "shop",
    "shop_template",
]

T = TypeVar("T")
MEMORY = Path("/dev/shm")
ENOUGH = 2 * 1024**3


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end from synchronous code, whether or not this thread has a loop running."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


def new_name(prefix: str = "test") -> str:
    """A database name that nobody else uses, on a shared server either."""
    return f"{prefix}_{secrets.token_hex(6)}"


async def fresh_database(postgres: Server, template: str | None = None) -> str:
    """The superuser's DSN of a new database, empty or a copy of a template."""
    return await postgres.create_database(new_name(), template)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL server."""
    if url := os.environ.get("RUNBOLT_TEST_POSTGRES"):
        yield Server(url)
        return
    with place_for_data(tmp_path_factory) as folder:
        server = Postgres(folder)
        run_sync(server.start())
        yield server
        run_sync(server.stop())


@contextmanager
def place_for_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Memory where there is enough of it: a database is 300 files, which some disks make slowly."""
    if not MEMORY.is_dir() or disk_usage(MEMORY).free < ENOUGH:
        yield tmp_path_factory.mktemp("postgres")
        return
    with open_folder(MEMORY) as folder:
        yield folder


@contextmanager
def open_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder that root's server, which runs as nobody, can enter; pytest's own are closed."""
    with TemporaryDirectory(prefix="runbolt-test-", dir=parent) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


@pytest.fixture
async def database(postgres: Server) -> AsyncIterator[str]:
    """The superuser's DSN of an empty database that is removed after the test."""
    name = new_name()
    yield await postgres.create_database(name)
    await postgres.drop_database(name)


@pytest.fixture(scope="session")
def shop_template(postgres: Server) -> Iterator[Shop]:
    """The ticket shop's database, to be cloned; connect to a clone, never to this one."""
    shop = run_sync(build(postgres, new_name("shop")))
    yield shop
    run_sync(postgres.drop_database(shop.database))


@pytest.fixture
async def shop(shop_template: Shop) -> AsyncIterator[Shop]:
    """A shop of the test's own; `async with shop:` lets order-service connect to it."""
    clone = await shop_template.clone(new_name())
    yield clone
    await clone.server.drop_database(clone.database)


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis-compatible server."""
    server = Redis(tmp_path_factory.mktemp("redis"))
    run_sync(server.start())
    yield server
    run_sync(server.stop())


@pytest.fixture(scope="session")
def redis_client(redis: Redis) -> Iterator[Client]:
    """A connection to the Redis."""
    with Client.from_url(redis.url) as client:
        yield client


@pytest.fixture
def redis_url(redis: Redis, redis_client: Client) -> str:
    """The URL of the Redis, emptied."""
    redis_client.flushall()
    return redis.url
