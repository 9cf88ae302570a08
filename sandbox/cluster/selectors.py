"""Label and field selectors, parsed as strictly as by the API server."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.cluster.errors import Obj, bad_request

LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^()]*)\)")
EQUAL = re.compile(r"([^=!\s]+)\s*(==|=|!=)\s*(\S*)")

Test = Callable[[Obj], bool]


@dataclass(frozen=True)
class Requirement:
    """One requirement of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def accepts(self, labels: dict[str, str]) -> bool:
        """Whether labels meet it; a missing label meets every negative requirement."""
        present = self.key in labels
        if self.operator == "exists":
            return present
        if self.operator == "absent":
            return not present
        inside = present and labels[self.key] in self.values
        return inside if self.operator == "in" else not inside


def label_test(text: str) -> Test:
    """The test for a `labelSelector`; raises ApiError (400)."""
    requirements = (
        [_requirement(part.strip(), text) for part in _split(text)] if text.strip() else []
    )

    def test(obj: Obj) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement.accepts(labels) for requirement in requirements)

    return test


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _requirement(part: str, whole: str) -> Requirement:
    if match := SET.fullmatch(part):
        values = tuple(value.strip() for value in match[3].split(","))
        return _checked(Requirement(match[1], match[2], values), whole)
    if match := EQUAL.fullmatch(part):
        operator = "notin" if match[2] == "!=" else "in"
        return _checked(Requirement(match[1], operator, (match[3],)), whole)
    if part.startswith("!"):
        return _checked(Requirement(part[1:].strip(), "absent"), whole)
    return _checked(Requirement(part, "exists"), whole)


def _checked(requirement: Requirement, whole: str) -> Requirement:
    if not LABEL_KEY.fullmatch(requirement.key):
        raise bad_request(
            f'unable to parse requirement: <nil>: Invalid value: "{requirement.key}": '
            f"name part must consist of alphanumeric characters, '-', '_' or '.' in {whole!r}"
        )
    for value in requirement.values:
        if not LABEL_VALUE.fullmatch(value):
            raise bad_request(
                f"unable to parse requirement: values[0][{requirement.key}]: Invalid value: "
                f'"{value}": a valid label must be an empty string or consist of alphanumeric '
                "characters, '-', '_' or '.'"
            )
    return requirement


FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "replicasets": ("status.replicas",),
    "services": ("spec.clusterIP", "spec.type"),
}


def field_test(plural: str, text: str) -> Test:
    """The test for a `fieldSelector`; raises ApiError (400) for fields that are not indexed."""
    requirements = [_field(plural, part) for part in text.split(",")] if text else []

    def test(obj: Obj) -> bool:
        return all((_value(obj, path) == value) is same for path, value, same in requirements)

    return test


def _field(plural: str, part: str) -> tuple[str, str, bool]:
    match = EQUAL.fullmatch(part.strip())
    if not match:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    allowed = ("metadata.name", "metadata.namespace", *FIELDS.get(plural, ()))
    if match[1] not in allowed:
        raise bad_request(f"field label not supported: {match[1]}")
    return match[1], match[3], match[2] != "!="


def _value(obj: Obj, path: str) -> str:
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if path == "source":
        value = (value or {}).get("component")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def selector_matches(selector: Obj | None, labels: dict[str, str]) -> bool:
    """Whether a `matchLabels` / `matchExpressions` selector matches the labels."""
    selector = selector or {}
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    exact = all(
        labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()
    )
    return exact and all(
        Requirement(
            expression["key"],
            operators[expression["operator"]],
            tuple(expression.get("values") or ()),
        ).accepts(labels)
        for expression in selector.get("matchExpressions") or []
    )


def selector_text(selector: Obj | None) -> str:
    """A selector as text, for tables and Scale objects."""
    selector = selector or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or []:
        values = ",".join(expression.get("values") or ())
        words = {"In": f" in ({values})", "NotIn": f" notin ({values})", "Exists": ""}
        sign = "!" if expression["operator"] == "DoesNotExist" else ""
        parts.append(sign + expression["key"] + words.get(expression["operator"], ""))
    return ",".join(parts)
