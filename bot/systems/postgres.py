"""What both connections to the service's database share: settings, error and error text."""

import re
from typing import NamedTuple

import psycopg
from psycopg import conninfo

from bot.model import UserError
from bot.redaction import REDACTED, redact

APPLICATION_NAME = "runbolt"
CONNECT_SECONDS = 5
NOTHING_CHANGED = "Nothing was read or changed."
QUOTED_VALUE = re.compile(r'".*"', re.DOTALL)
MESSAGE_LENGTH = 300


class DatabaseError(UserError):
    """The service's database refused a query, failed or did not answer."""


class ConnectionSettings(NamedTuple):
    """How one of the bot's two roles connects to the service's database.

    `variable` is the environment variable that the URL comes from.
    """

    url: str | None
    variable: str
    role: str

    def checked_url(self) -> str:
        """The URL; raises DatabaseError where it is not set or cannot be parsed."""
        if not self.url:
            raise DatabaseError(
                f"The bot cannot connect to the database: {self.variable} is not set. "
                f"{NOTHING_CHANGED} Set it to a PostgreSQL URL of the role {self.role}, then "
                "restart the bot."
            )
        try:
            conninfo.conninfo_to_dict(self.url)
        except psycopg.ProgrammingError:
            # psycopg's message would repeat the URL, and the password with it.
            raise DatabaseError(
                f"{self.variable} isn't a PostgreSQL URL. {NOTHING_CHANGED} Write it as "
                "postgresql://role:password@host:5432/database, then restart the bot."
            ) from None
        return self.url


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
