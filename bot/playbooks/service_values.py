"""What the configuration says about a service, as far as its playbooks need it."""

from typing import Annotated

from pydantic import Field, StrictFloat, StrictInt, StrictStr, field_validator

from bot.model import Model

# What every service has, whatever its configuration says.
BUILT_IN = ("id", "title")
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,39}$"

Value = (
    Annotated[StrictStr, Field(max_length=1000)]
    | StrictInt
    | Annotated[StrictFloat, Field(allow_inf_nan=False)]
)
ValueName = Annotated[str, Field(pattern=NAME_PATTERN)]


class ServiceValues(Model):
    """The title and the values of a service, and the places that its steps may name.

    Places that are None are not known, so what a step names is not checked.
    """

    title: str = ""
    values: dict[ValueName, Value] = Field(default={})
    namespaces: frozenset[str] | None = None
    clusters: frozenset[str] | None = None
    databases: frozenset[str] | None = None

    @field_validator("values")
    @classmethod
    def _check_names(cls, values: dict[str, Value]) -> dict[str, Value]:
        """Raises ValueError for a value with the name of what every service has."""
        if taken := [name for name in BUILT_IN if name in values]:
            raise ValueError(f'"{taken[0]}" is what every service has; use another name')
        return values
