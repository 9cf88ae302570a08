"""What the configuration says about a service, as far as its playbooks need it."""

from typing import Annotated

from pydantic import AfterValidator, Field

from bot.model import Model

# What every service has, whatever its configuration says.
BUILT_IN = ("id", "title")

# A word that an expression can have: `service.max_replicas`.
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]
Value = str | int | float | bool


def _check_names(values: dict[str, Value]) -> dict[str, Value]:
    """Raises ValueError for a value with the name of what every service has."""
    taken = [name for name in BUILT_IN if name in values]
    if taken:
        raise ValueError(f'"{taken[0]}" is what every service has; use another name')
    return values


Values = Annotated[dict[Name, Value], AfterValidator(_check_names)]


class ServiceValues(Model):
    """The title and the values of a service, and the places that its steps may name.

    Places that are None are not known, so what a step names is not checked.
    """

    title: str = ""
    values: Values = Field(default_factory=dict)
    clusters: frozenset[str] | None = None
    namespaces: frozenset[str] | None = None
    databases: frozenset[str] | None = None
