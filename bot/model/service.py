"""A service by its names, as people type and choose it."""

from typing import NamedTuple


class ServiceName(NamedTuple):
    """A service's id, and the title that people call it by."""

    id: str
    title: str
