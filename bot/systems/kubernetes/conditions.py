"""The conditions in the status of an object."""

from typing import Any


def has_condition(status: dict[str, Any], kind: str) -> bool:
    """Whether the condition of that type is True."""
    return any(
        condition["type"] == kind and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )
