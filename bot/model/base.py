"""What the models share: ids, severity, status, risk, and the error that people read."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, NewType, Self

from pydantic import BaseModel, ConfigDict

from bot.masking.rules import mask
from bot.model.text import printable

IncidentId = NewType("IncidentId", int)
ExecutionId = NewType("ExecutionId", int)
EntryId = NewType("EntryId", int)
UpdateId = NewType("UpdateId", int)
ReminderId = NewType("ReminderId", int)
TaskId = NewType("TaskId", int)
UserId = NewType("UserId", str)
ChannelId = NewType("ChannelId", str)


class UserError(Exception):
    """A sentence for people: what happened, what was not done, what to do next.

    `unsure` says that the change may have been made all the same: it has to be checked. `field` is
    the parameter that another value would mend.
    """

    def __init__(self, sentence: str, *, unsure: bool = False, field: str = "") -> None:
        super().__init__(mask(printable(sentence)))
        self.unsure = unsure
        self.field = field


class Model(BaseModel):
    """Frozen, and strict about what it is made from.

    `old_keys` are what files may still call a field, each with the field's name.
    """

    old_keys: ClassVar[Mapping[str, str]] = {}

    # Defaults are validated too, or a default of 300 and a stored 300.0 would be two digests.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class OpenEnum(StrEnum):
    """Values that are read from the database, where a newer version may have written others.

    A value that this version does not know becomes a member of its own, with `known` False.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_, member._value_ = value.upper(), value
        return member

    @property
    def known(self) -> bool:
        """Whether this version knows what it means."""
        return self in list(type(self))


class Severity(StrEnum):
    """How bad it is; sev1 is the worst."""

    SEV1 = "sev1"
    SEV2 = "sev2"
    SEV3 = "sev3"
    SEV4 = "sev4"

    @property
    def label(self) -> str:
        """As people write it: SEV-1."""
        return f"SEV-{self.value[-1]}"


class Status(OpenEnum):
    """Where an incident stands."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Risk(StrEnum):
    """What an action may do to production."""

    MANUAL = "manual"
    READ = "read"
    CHANGE = "change"
    DESTRUCTIVE = "destructive"
