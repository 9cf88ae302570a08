"""PostgreSQL session options that take precedence over those of the database and of the role."""

from psycopg import conninfo

# PostgreSQL returns times in the session's zone, and the bot labels all times that it shows as UTC.
TIME_ZONE_UTC = "-c TimeZone=UTC"


def with_options(url: str, *options: str, **defaults: int) -> str:
    """Convert a URL to a connection string with more session options, such as `-c TimeZone=UTC`.

    They follow the URL's own options, because PostgreSQL lets the last one win. `defaults` are
    libpq's parameters, used where the URL sets none. Raises psycopg.ProgrammingError for an invalid
    URL.
    """
    parameters = conninfo.conninfo_to_dict(url)
    own_options = str(parameters.pop("options", None) or "")
    all_options = " ".join((own_options, *options)).strip()
    return conninfo.make_conninfo("", **{**defaults, **parameters}, options=all_options)
