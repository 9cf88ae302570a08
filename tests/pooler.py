"""A pgbouncer in front of the tests' PostgreSQL: in transaction mode, otherwise its defaults."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from psycopg import AsyncConnection, OperationalError, conninfo

from sandbox.postgres import server_account
from sandbox.redis import Child, free_port
from tests.databases import open_folder
from tests.waiting import until_told

# Debian installs it where only root looks.
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SETTINGS = """
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
"""

needs_pgbouncer = pytest.mark.skipif(
    PROGRAM is None and os.environ.get("RUNBOLT_REQUIRE_PGBOUNCER") != "1",
    reason="there is no pgbouncer here",
)


@asynccontextmanager
async def pooled(*urls: str) -> AsyncIterator[list[str]]:
    """The same URLs of one server, through a pooler of their own."""
    server = conninfo.conninfo_to_dict(urls[0])
    own_port = free_port()
    with open_folder() as folder:
        users = folder / "users.txt"
        users.write_text("".join(sorted({_user(url) for url in urls})))
        settings = folder / "pgbouncer.ini"
        address = {"host": server["host"], "port": server["port"], "own_port": own_port}
        settings.write_text(SETTINGS.format(**address, users=users))
        child = Child([str(PROGRAM), str(settings)], folder / "log", server_account())
        try:
            through = [conninfo.make_conninfo(url, host="127.0.0.1", port=own_port) for url in urls]
            await _wait_until_ready(child, through[0])
            yield through
        finally:
            child.process.terminate()  # the stop below would let it wait for its clients
            await child.stop()


def _user(url: str) -> str:
    parameters = conninfo.conninfo_to_dict(url)
    return f'"{parameters["user"]}" "{parameters.get("password", "")}"\n'


async def _wait_until_ready(child: Child, url: str) -> None:
    async def is_ready() -> bool:
        assert child.running, f"pgbouncer ended: {child.log_tail()}"
        try:
            await (await AsyncConnection.connect(url)).close()
        except OperationalError:
            return False
        return True

    await until_told(is_ready)
