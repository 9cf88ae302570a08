"""A container's log as it comes over the wire: chunks of bytes, cut where lines end."""

MAX_LINE_BYTES = 16 * 1024


class LineSplitter:
    """Cuts a stream of bytes into blocks of whole lines, each of which ends with a newline.

    Of a line longer than 16 KiB, the rest may be missing.
    """

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, chunk: bytes) -> bytes:
        """Add the next bytes; the lines that end in them."""
        lines, newline, rest = chunk.rpartition(b"\n")
        if not newline:
            self._partial += rest[: MAX_LINE_BYTES - len(self._partial)]
            return b""
        block = self._partial + lines + newline
        self._partial = rest[:MAX_LINE_BYTES]
        return block

    def end(self) -> bytes:
        """The last line where the stream ended without a newline, or nothing."""
        return self._partial + b"\n" if self._partial else b""
