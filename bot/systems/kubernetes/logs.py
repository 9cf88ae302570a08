"""A container's log as it comes over the wire: chunks of bytes, split into lines."""

MAX_LINE_BYTES = 16 * 1024


class LineSplitter:
    """Splits a stream of bytes into lines, each cut at 16 KiB."""

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, chunk: bytes) -> list[str]:
        """Add the next bytes; the lines that end in them, oldest first."""
        *ends, rest = chunk.split(b"\n")
        lines = [self._end_line(end) for end in ends]
        self._extend(rest)
        return lines

    def end(self) -> list[str]:
        """The last line where the stream ended without a newline, or nothing."""
        return [self._end_line(b"")] if self._partial else []

    def _extend(self, part: bytes) -> None:
        self._partial += part[: max(0, MAX_LINE_BYTES - len(self._partial))]

    def _end_line(self, part: bytes) -> str:
        self._extend(part)
        line = self._partial.decode("utf-8", "replace").rstrip("\r")
        self._partial.clear()
        return line
