"""Lists in a strategic merge patch, merged and put in order as the real API server does."""

from typing import Any

import pytest

from sandbox.cluster.errors import ApiError
from sandbox.cluster.patches import STRATEGIC_PATCH, apply_patch

Env = list[dict[str, Any]]


def named(*names: str) -> Env:
    return [{"name": name} for name in names]


def merged(patch: dict[str, Any], *live: str) -> list[str]:
    """The names of the variables after a patch."""
    made = apply_patch(STRATEGIC_PATCH, {"env": named(*live)}, patch)
    return [variable["name"] for variable in made["env"]]


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        ({"env": named("X")}, "XABC"),
        ({"env": named("B")}, "ABC"),
        ({"env": named("B", "X")}, "ABXC"),
        ({"env": named("X", "B")}, "XABC"),
        ({"env": named("C", "A")}, "BCA"),
        ({"env": [{"name": "B", "$patch": "delete"}]}, "AC"),
        ({"env": [{"name": "Z", "$patch": "delete"}]}, "ABC"),
        ({"env": [{"$patch": "replace"}, *named("X", "B")]}, "XB"),
        ({"env": named("X"), "$setElementOrder/env": named("A", "B", "C", "X")}, "ABCX"),
        ({"env": named("X"), "$setElementOrder/env": named("A", "X")}, "AXBC"),
        ({"$setElementOrder/env": named("C", "B", "A")}, "CBA"),
    ],
)
def test_the_order_of_a_merged_list(patch: dict[str, Any], after: str) -> None:
    assert merged(patch, "A", "B", "C") == [*after]


def test_a_wrong_order_is_refused() -> None:
    patch = {"env": named("B", "A"), "$setElementOrder/env": named("A", "B")}

    with pytest.raises(ApiError, match="The order in patch list"):
        merged(patch, "A", "B")


def test_elements_merge_and_null_removes() -> None:
    live = {"env": [{"name": "A", "value": "1"}]}
    source = {"fieldRef": {"fieldPath": "metadata.name"}}

    made = apply_patch(
        STRATEGIC_PATCH, live, {"env": [{"name": "A", "value": None, "valueFrom": source}]}
    )

    assert made == {"env": [{"name": "A", "valueFrom": source}]}
    assert live == {"env": [{"name": "A", "value": "1"}]}
