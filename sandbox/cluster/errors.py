"""The errors of an API server, each as the Status object that a real server sends."""

import json
from collections.abc import Sequence
from typing import Any

Obj = dict[str, Any]


class ApiError(Exception):
    """A request that was refused."""

    def __init__(self, code: int, reason: str, message: str, details: Obj | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> Obj:
        """The Status object, with its keys in the order of the real one."""
        status: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status |= {"message": self.message, "reason": self.reason}
        if self.details:
            status["details"] = self.details
        return status | {"code": self.code}


def qualified_name(group: str, plural: str) -> str:
    """The name of a resource in messages: `pods`, `deployments.apps`."""
    return f"{plural}.{group}" if group else plural


def status_details(group: str, kind: str, name: str = "", **more: Any) -> Obj:
    """The details of a Status, without empty fields."""
    details = {"name": name, "group": group, "kind": kind} | more
    return {key: value for key, value in details.items() if value}


def not_found(group: str, plural: str, name: str) -> ApiError:
    """There is no object of this name."""
    message = f'{qualified_name(group, plural)} "{name}" not found'
    return ApiError(404, "NotFound", message, status_details(group, plural, name))


def already_exists(group: str, plural: str, name: str) -> ApiError:
    """An object of this name exists already."""
    message = f'{qualified_name(group, plural)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, status_details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str = "") -> ApiError:
    """The object was changed meanwhile, or a precondition failed."""
    why = why or (
        "the object has been modified; "
        "please apply your changes to the latest version and try again"
    )
    message = f'Operation cannot be fulfilled on {qualified_name(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", message, status_details(group, plural, name))


def forbidden(group: str, plural: str, name: str, reason: str) -> ApiError:
    """The user may not do this, or admission refuses it."""
    resource = (
        f'{qualified_name(group, plural)} "{name}"' if name else qualified_name(group, plural)
    )
    message = f"{resource} is forbidden: {reason}"
    return ApiError(403, "Forbidden", message, status_details(group, plural, name))


def bad_request(message: str) -> ApiError:
    """The request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """The request has no valid token."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    """The path exists, but not for this method."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def not_acceptable() -> ApiError:
    """The client accepts no media type of this server."""
    message = (
        "only the following media types are accepted: application/json, "
        "application/json;as=Table;v=v1;g=meta.k8s.io"
    )
    return ApiError(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """The body has a media type that this path does not read."""
    message = (
        "the body of the request was in an unknown format - "
        f"accepted media types include: {', '.join(accepted)}"
    )
    return ApiError(415, "UnsupportedMediaType", message)


def rejected_patch() -> ApiError:
    """A JSON patch did not apply: a test failed, or a path does not exist."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", message, {})


def expired(version: int, oldest: int) -> ApiError:
    """The requested resource version is older than the kept history."""
    return ApiError(410, "Expired", f"too old resource version: {version} ({oldest})")


class FieldError:
    """One invalid field, in the API server's words."""

    def __init__(self, field: str, reason: str, message: str) -> None:
        self.field = field
        self.reason = reason
        self.message = message

    @classmethod
    def invalid(cls, field: str, value: Any, why: str) -> "FieldError":
        """A value that is not allowed."""
        return cls(field, "FieldValueInvalid", f"Invalid value: {_as_json(value)}: {why}")

    @classmethod
    def required(cls, field: str, why: str = "") -> "FieldError":
        """A missing value."""
        tail = f": {why}" if why else ""
        return cls(field, "FieldValueRequired", f"Required value{tail}")

    @classmethod
    def not_supported(cls, field: str, value: Any, allowed: Sequence[str]) -> "FieldError":
        """A value that is not in the list of allowed values."""
        listed = ", ".join(f'"{choice}"' for choice in allowed)
        message = f"Unsupported value: {_as_json(value)}: supported values: {listed}"
        return cls(field, "FieldValueNotSupported", message)

    @classmethod
    def too_long(cls, field: str, most: int) -> "FieldError":
        """A text of too many bytes; the message does not repeat it."""
        return cls(field, "FieldValueTooLong", f"Too long: may not be more than {most} bytes")

    @classmethod
    def forbidden(cls, field: str, why: str) -> "FieldError":
        """A field that may not be set or changed."""
        return cls(field, "FieldValueForbidden", f"Forbidden: {why}")


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def invalid(group: str, kind: str, name: str, problems: Sequence[FieldError]) -> ApiError:
    """The object is well formed but has invalid fields."""
    messages = [f"{problem.field}: {problem.message}" for problem in problems]
    text = messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
    causes = [
        {"reason": problem.reason, "message": problem.message, "field": problem.field}
        for problem in problems
    ]
    resource = f"{kind}.{group}" if group else kind
    message = f'{resource} "{name}" is invalid: {text}'
    return ApiError(422, "Invalid", message, status_details(group, kind, name, causes=causes))
