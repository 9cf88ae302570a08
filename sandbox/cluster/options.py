"""The options of a write, read where a real API server reads them and from nowhere else.

Create, update and patch have theirs in the query. So has a delete without a body; one with a body
has them in the body alone. What stands in another place, or is misspelt, is ignored.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.cluster.errors import ApiError, FieldError, Obj, bad_request, invalid

KINDS = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "deletecollection": "DeleteOptions",
}
VALIDATION = ("", "Ignore", "Strict", "Warn")
PROPAGATION = ("Foreground", "Background", "Orphan")
MAX_MANAGER_BYTES = 128
MAX_INT64 = 2**63 - 1

# What Go calls the fields of a body, and how it names a JSON value that does not fit.
BODY: dict[str, tuple[type, str]] = {
    "dryRun": (list, "[]string"),
    "gracePeriodSeconds": (int, "int64"),
    "orphanDependents": (bool, "bool"),
    "preconditions": (dict, "v1.Preconditions"),
    "propagationPolicy": (str, "v1.DeletionPropagation"),
}
PRECONDITIONS: dict[str, tuple[type, str]] = {
    "resourceVersion": (str, "string"),
    "uid": (str, "types.UID"),
}
Values = Mapping[str, list[str]]
Readers = dict[str, Callable[[list[str]], Any]]
# As the Go code of a real server words it.
TYPE_META = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; '
    r'Kind string "json:\"kind,omitempty\"" }'
)
SCHEME = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"
JSON_NAMES = {str: "string", bool: "bool", list: "array", dict: "object"}


def options_in_query(verb: str, query: Values) -> Obj:
    """The options in a query; only `dryRun` may have several values."""
    options: Obj = {
        name: read(query[name]) for name, read in _readers(verb).items() if name in query
    }
    if KINDS[verb] == "DeleteOptions":
        sent = {name: query[name][0] for name in PRECONDITIONS if name in query}
        options["preconditions"] = {name: value for name, value in sent.items() if value}
    return options


def options_in_body(body: Any) -> Obj:
    """The options in the body of a delete; raises ApiError (400) when they do not fit."""
    if not isinstance(body, dict | None):
        message = f"json: cannot unmarshal {_json_name(body)} into Go value of type {TYPE_META}"
        raise bad_request(f"couldn't get version/kind; json parse error: {message}")
    body = body or {}
    kind, version = body.get("kind") or "DeleteOptions", body.get("apiVersion") or "meta.k8s.io/v1"
    if kind != "DeleteOptions":
        raise bad_request(
            f'no kind "{kind}" is registered for version "{version}" in scheme "{SCHEME}"'
        )
    options = _known_fields(body, BODY, "DeleteOptions", "")
    options["dryRun"] = [_dry_run(value) for value in options.get("dryRun", [])]
    preconditions = options.get("preconditions", {})
    options["preconditions"] = _known_fields(
        preconditions, PRECONDITIONS, "Preconditions", "preconditions."
    )
    return options


def check_options(verb: str, options: Obj, *, applies: bool = False) -> None:
    """Raise ApiError (422) for values that an option may not have; `applies`: on the server."""
    problems = (
        _delete_problems(options)
        if KINDS[verb] == "DeleteOptions"
        else _write_problems(options, applies=applies)
    )
    if set(options.get("dryRun", [])) - {"All"}:
        problems.append(FieldError.not_supported("dryRun", options["dryRun"], ("All",)))
    if options.get("fieldValidation", "") not in VALIDATION:
        problem = FieldError.not_supported(
            "fieldValidation", options["fieldValidation"], VALIDATION
        )
        problems.append(problem)
    if problems:
        raise invalid("meta.k8s.io", KINDS[verb], "", problems)


def _delete_problems(options: Obj) -> list[FieldError]:
    policy = options.get("propagationPolicy")
    problems = []
    if policy is not None and "orphanDependents" in options:
        message = "orphanDependents and deletionPropagation cannot be both set"
        problems.append(FieldError.invalid("propagationPolicy", policy, message))
    if policy is not None and policy not in PROPAGATION:
        allowed = (*PROPAGATION, "nil")
        problems.append(FieldError.not_supported("propagationPolicy", policy, allowed))
    return problems


def _write_problems(options: Obj, *, applies: bool) -> list[FieldError]:
    problems = []
    if applies and not options.get("fieldManager"):
        problems.append(FieldError.required("fieldManager", "is required for apply patch"))
    if "force" in options and not applies:
        message = "may not be specified for non-apply patch"
        problems.append(FieldError.forbidden("force", message))
    name = options.get("fieldManager", "")
    if len(name.encode()) > MAX_MANAGER_BYTES:
        problems.append(FieldError.too_long("fieldManager", MAX_MANAGER_BYTES))
    for index, letter in enumerate(name):
        if not letter.isprintable():
            position = len(name[:index].encode())
            message = f"invalid character U+{ord(letter):04X} (at position {position})"
            problems.append(FieldError.invalid("fieldManager", name, message))
    return problems


def _readers(verb: str) -> Readers:
    """The options in a verb's query, each with the function that reads its values."""
    if KINDS[verb] == "DeleteOptions":
        return {
            "dryRun": list,
            "gracePeriodSeconds": _number,
            "orphanDependents": _flag,
            "propagationPolicy": _first,
        }
    readers: Readers = {"dryRun": list, "fieldManager": _first, "fieldValidation": _first}
    return readers | {"force": _flag} if verb == "patch" else readers


def _first(values: list[str]) -> str:
    return values[0]


def _flag(values: list[str]) -> bool:
    return values[0].lower() not in ("0", "false")


def _number(values: list[str]) -> int:
    message = f"strconv.ParseInt: parsing {json.dumps(values[0])}"
    if not re.fullmatch(r"[-+]?[0-9]+", values[0]):
        raise bad_request(f"{message}: invalid syntax")
    if abs(int(values[0])) > MAX_INT64:
        raise bad_request(f"{message}: value out of range")
    return int(values[0])


def _known_fields(sent: Obj, fields: dict[str, tuple[type, str]], owner: str, path: str) -> Obj:
    """The known fields that are not null; raises ApiError (400) for a wrong type."""
    known = {name: sent[name] for name in fields if sent.get(name) is not None}
    for name, value in known.items():
        expected, go_name = fields[name]
        too_big = isinstance(value, int) and abs(value) > MAX_INT64
        if type(value) is not expected or too_big:
            raise _wrong_type(value, f"{owner}.{path}{name}", go_name)
    return known


def _dry_run(value: Any) -> str:
    if not isinstance(value, str | None):
        raise _wrong_type(value, "DeleteOptions.dryRun", "string")
    return value or ""


def _wrong_type(value: Any, field: str, go_name: str) -> ApiError:
    number = f" {value}" if type(value) in (int, float) and go_name == "int64" else ""
    return bad_request(
        f"json: cannot unmarshal {_json_name(value)}{number} "
        f"into Go struct field {field} of type {go_name}"
    )


def _json_name(value: Any) -> str:
    return JSON_NAMES.get(type(value), "number")
