"""The protobuf that `kubectl auth can-i` sends, decoded into JSON."""

from collections.abc import Iterator

from sandbox.cluster.errors import Obj, bad_request

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
ATTRIBUTES = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
PATH = ("path", "verb")


def decode_review(raw: bytes) -> Obj:
    """Decode a SelfSubjectAccessReview or SelfSubjectRulesReview; raises ApiError (400)."""
    if not raw.startswith(MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message")
    try:
        envelope = dict(_fields(raw[len(MAGIC) :]))
        kind = _texts(envelope[1], ("apiVersion", "kind"))
        spec = dict(_fields(envelope[2])).get(2, b"")
        return kind | {"spec": _spec(kind["kind"], spec)}
    except (IndexError, KeyError, UnicodeDecodeError):
        raise bad_request("protobuf: unexpected end of the message") from None


def _spec(kind: str, raw: bytes) -> Obj:
    if kind == "SelfSubjectRulesReview":
        return _texts(raw, ("namespace",))
    parts = dict(_fields(raw))
    spec: Obj = {}
    if 1 in parts:
        spec["resourceAttributes"] = _texts(parts[1], ATTRIBUTES)
    if 2 in parts:
        spec["nonResourceAttributes"] = _texts(parts[2], PATH)
    return spec


def _texts(raw: bytes, names: tuple[str, ...]) -> Obj:
    """A message of strings whose fields are numbered from one; empty strings are left out."""
    strings = ((number, data) for number, data in _fields(raw) if number <= len(names) and data)
    return {names[number - 1]: data.decode() for number, data in strings}


def _fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(raw):
        tag, offset = _number(raw, offset)
        size, offset = _number(raw, offset)
        # Only strings and messages carry a length; a bare number was read as `size` already.
        if tag & 7 == 2:
            yield tag >> 3, raw[offset : offset + size]
            offset += size


def _number(raw: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (raw[offset] & 0x7F) << shift
        shift += 7
        offset += 1
        if raw[offset - 1] < 0x80:
            return value, offset
