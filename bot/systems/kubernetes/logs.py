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
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._partial += chunk[: MAX_LINE_BYTES - len(self._partial)]
            return b""
        block = b"".join((self._partial, memoryview(chunk)[:end]))
        self._partial = chunk[end : end + MAX_LINE_BYTES]
        return block

    def end(self) -> bytes:
        """The last line where the stream ended without a newline, or nothing."""
        return self._partial + b"\n" if self._partial else b""
