"""A container's log as it comes over the wire: pieces of bytes, handed on as lines."""

LINE_CAP = 16 * 1024


class Lines:
    """Splits a stream of bytes into lines; one longer than 16 KiB loses its end."""

    def __init__(self) -> None:
        self._open = bytearray()

    def feed(self, piece: bytes) -> list[str]:
        """Take in the next bytes; the lines that end in them, oldest first."""
        *ended, rest = piece.split(b"\n")
        lines = [self._close(part) for part in ended]
        self._grow(rest)
        return lines

    def end(self) -> list[str]:
        """The line that was begun and never ended, if any."""
        return [self._close(b"")] if self._open else []

    def _grow(self, part: bytes) -> None:
        self._open += part[: max(0, LINE_CAP - len(self._open))]

    def _close(self, part: bytes) -> str:
        self._grow(part)
        line = self._open.decode("utf-8", "replace").rstrip("\r")
        self._open.clear()
        return line
