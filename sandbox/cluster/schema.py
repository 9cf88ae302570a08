"""Which fields an object may have and of what type, read from the client library's models."""

import re
from functools import cache
from typing import Any

from kubernetes.aio import client

from sandbox.cluster.errors import Obj, bad_request
from sandbox.cluster.resources import Resource

MODELS = {
    "Deployment": "V1Deployment",
    "Event": "CoreV1Event",
    "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
    "LimitRange": "V1LimitRange",
    "Pod": "V1Pod",
    "ReplicaSet": "V1ReplicaSet",
    "ResourceQuota": "V1ResourceQuota",
    "Scale": "V1Scale",
    "SelfSubjectAccessReview": "V1SelfSubjectAccessReview",
    "SelfSubjectRulesReview": "V1SelfSubjectRulesReview",
    "StatefulSet": "V1StatefulSet",
    "DaemonSet": "V1DaemonSet",
    "DeleteOptions": "V1DeleteOptions",
}
QUANTITY = re.compile(r"\.(limits|requests|hard|used)\.[^.]*$")
GENERIC = re.compile(r"(List|Dict)\[(?:str, )?(.+)\]")
PRIMITIVES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "datetime": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
}
GO_NAMES = {"str": "string", "datetime": "Time", "bool": "bool", "int": "int32", "float": "float64"}


@cache
def _parts(kind: str) -> tuple[str, str] | None:
    """Whether it is a list or a dictionary, and of what; None when it is neither."""
    match = GENERIC.fullmatch(kind)
    return match and (match[1], match[2])


@cache
def _fields(model: str) -> dict[str, str] | None:
    """The fields of a model by JSON name; None when any content is allowed."""
    model_class = getattr(client, model, None)
    if model_class is None:
        return None
    return {
        model_class.attribute_map[name]: kind for name, kind in model_class.openapi_types.items()
    }


def prune(resource: Resource, obj: Obj) -> tuple[Obj, list[str]]:
    """The object without unknown fields, and their paths; raises ApiError (400) for wrong types."""
    return prune_kind(resource.kind, resource.version, obj)


def prune_kind(kind: str, version: str, obj: Obj) -> tuple[Obj, list[str]]:
    """As `prune`, for a kind that is not a resource."""
    walk = _Pruner(kind, version)
    return walk.value(obj, MODELS[kind], ""), walk.unknown


class _Pruner:
    """One pass over an object that drops and collects unknown fields."""

    def __init__(self, kind: str, version: str) -> None:
        self.kind = kind
        self.version = version
        self.unknown: list[str] = []

    def value(self, value: Any, kind: str, path: str) -> Any:
        if value is None:
            return None
        if parts := _parts(kind):
            return self._many(value, *parts, path)
        if kind in PRIMITIVES:
            return self._primitive(value, kind, path)
        fields = _fields(kind)
        if fields is None:
            return value
        if not isinstance(value, dict):
            raise self._wrong_type(value, kind.removeprefix("V1"), path)
        return self._object(value, fields, path)

    def _object(self, value: Obj, fields: dict[str, str], path: str) -> Obj:
        known: Obj = {}
        for key, inner in value.items():
            inner_path = f"{path}.{key}" if path else key
            if key not in fields:
                self.unknown.append(inner_path)
            elif inner is not None:
                # A null is the same as nothing said, and never comes back.
                known[key] = self.value(inner, fields[key], inner_path)
        return known

    def _many(self, value: Any, shape: str, inner: str, path: str) -> Any:
        if shape == "List":
            if not isinstance(value, list):
                raise self._wrong_type(value, f"[]{inner.removeprefix('V1')}", path)
            return [
                self.value(element, inner, f"{path}[{index}]")
                for index, element in enumerate(value)
            ]
        if not isinstance(value, dict):
            raise self._wrong_type(value, f"map[string]{GO_NAMES.get(inner, inner)}", path)
        return {key: self._entry(entry, inner, f"{path}.{key}") for key, entry in value.items()}

    def _entry(self, value: Any, inner: str, path: str) -> Any:
        # Resource quantities may be written as bare numbers; labels and annotations may not.
        if type(value) in (int, float) and QUANTITY.search(path):
            return str(value)
        return self.value(value, inner, path)

    def _primitive(self, value: Any, kind: str, path: str) -> Any:
        fits = isinstance(value, PRIMITIVES[kind])
        if not fits or (isinstance(value, bool) and kind != "bool"):
            raise self._wrong_type(value, GO_NAMES[kind], path)
        return value

    def _wrong_type(self, value: Any, wanted: str, path: str) -> Exception:
        names = {str: "string", bool: "bool", list: "array", dict: "object"}
        return bad_request(
            f'{self.kind} in version "{self.version}" cannot be handled as a {self.kind}: json: '
            f"cannot unmarshal {names.get(type(value), 'number')} into Go struct field "
            f"{self.kind}.{path} of type {wanted}"
        )
