"""The conditions in the status of an object."""

from datetime import datetime
from typing import Any


def has_condition(status: dict[str, Any], kind: str) -> bool:
    """Whether the condition of that type is True."""
    return any(
        condition["type"] == kind and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )


def condition_since(status: dict[str, Any], kind: str) -> datetime | None:
    """Since when the condition of that type is True; None when it is not, or that is not said."""
    for condition in status.get("conditions") or []:
        if condition["type"] == kind and condition["status"] == "True":
            since = condition.get("lastTransitionTime")
            return None if since is None else datetime.fromisoformat(since)
    return None
