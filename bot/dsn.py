"""What a session with PostgreSQL begins with, whatever its database or its role has set."""

from psycopg import conninfo

# Times come in the session's zone, and are labelled UTC where people read them.
UTC = "-c TimeZone=UTC"


def with_options(url: str, *options: str, **defaults: int) -> str:
    """The URL with options after those that it has, since the last one counts.

    `defaults` are libpq's parameters, for what the URL does not say. Raises psycopg's
    ProgrammingError when it is no URL.
    """
    given = conninfo.conninfo_to_dict(url)
    ours = " ".join((str(given.pop("options", None) or ""), *options)).strip()
    return conninfo.make_conninfo("", **{**defaults, **given}, options=ours)
