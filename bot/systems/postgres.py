"""What both connections to a service's database share: settings, error and error text."""

import re
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import conninfo

from bot.model import UserError
from bot.redaction import REDACTED, redact

APPLICATION_NAME = "runbolt"
CONNECT_SECONDS = 5
PORT = 5432
NOTHING_CHANGED = "Nothing was read or changed."
QUOTED_VALUE = re.compile(r'".*"', re.DOTALL)
MESSAGE_LENGTH = 300


class DatabaseError(UserError):
    """A service's database refused a query, failed or did not answer."""


class ConnectionSettings(NamedTuple):
    """How one of the bot's two roles connects to a service's database.

    `source` is the URL, or the file that has it; `variable` is the environment variable that it
    comes from. `name` is what people call the database, such as `reporting of checkout`; empty
    where there is only one.
    """

    source: str | Path | None
    variable: str
    role: str
    name: str = ""

    @property
    def label(self) -> str:
        """Like `the database reporting`."""
        return f"the database {self.name}" if self.name else "the database"

    @property
    def inside(self) -> str:
        """Like ` in the database reporting`; nothing where there is only one."""
        return f" in {self.label}" if self.name else ""

    @property
    def origin(self) -> str:
        """Where people correct the URL: the variable, or the file."""
        return str(self.source) if isinstance(self.source, Path) else self.variable

    @property
    def server(self) -> str:
        """The server as `host:port`, as the URL writes it. Raises DatabaseError."""
        parts = conninfo.conninfo_to_dict(self.checked_url())
        host = parts.get("host") or parts.get("hostaddr") or "localhost"
        # Of several hosts without ports, libpq makes commas alone.
        port = str(parts.get("port") or "").strip(",") or PORT
        return f"{host}:{port}"

    def checked_url(self) -> str:
        """The URL; raises DatabaseError where it is not set, not readable or cannot be parsed.

        A file is read each time: whoever renews a password need not restart the bot.
        """
        url = self._read_file(self.source) if isinstance(self.source, Path) else self.source
        if not url:
            raise DatabaseError(
                f"The bot cannot connect to {self.label}: {self.origin} is "
                f"{'empty' if isinstance(self.source, Path) else 'not set'}. {NOTHING_CHANGED} "
                f"Set it to a PostgreSQL URL of the role {self.role}, then {self._retry}."
            )
        try:
            conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # psycopg's message would repeat the URL, and the password with it.
            raise DatabaseError(
                f"{self.origin} isn't a PostgreSQL URL. {NOTHING_CHANGED} Write it as "
                f"postgresql://role:password@host:5432/database, then {self._retry}."
            ) from None
        return url

    @property
    def _retry(self) -> str:
        return "try again" if isinstance(self.source, Path) else "restart the bot"

    def _read_file(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise DatabaseError(
                f"The bot cannot connect to {self.label}: {path} cannot be read ({reason}). "
                f"{NOTHING_CHANGED} Correct the file, then try again."
            ) from error


def capitalized(label: str) -> str:
    """A label at the beginning of a sentence."""
    return label[:1].upper() + label[1:]


def error_text(error: psycopg.Error) -> str:
    """The server's message, or else the client's, without hints and without values of rows."""
    lines = str(error).strip().splitlines() or [""]
    unindented = [line for line in lines if not line.startswith("\t")]
    message = error.diag.message_primary or unindented[-1]
    if isinstance(error, psycopg.DataError):
        # As in: invalid input syntax for type integer: "Alice".
        message = QUOTED_VALUE.sub(f'"{REDACTED}"', message)
    return redact(message).strip().rstrip(".")[:MESSAGE_LENGTH]


def milliseconds(seconds: float) -> str:
    """The value of a time limit among PostgreSQL's settings."""
    return str(int(seconds * 1000))
