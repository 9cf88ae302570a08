"""The newest end of a container's log, kept in bounded memory however much there is."""

from collections import deque

LINE_CAP = 16 * 1024


class Tail:
    """The last lines of a stream of bytes: at most `lines` of them and `cap` bytes together."""

    def __init__(self, lines: int, cap: int) -> None:
        self._kept: deque[bytes] = deque(maxlen=lines)
        self._cap = cap
        self._size = 0
        self._open = bytearray()
        self.dropped = False

    def feed(self, piece: bytes) -> None:
        """Take in the next bytes; a line longer than 16 KiB loses its end."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            self._grow(piece[start:end])
            self._close()
            start = end + 1
        self._grow(piece[start:])

    def lines(self) -> list[str]:
        """What is kept, oldest first."""
        if self._open:
            self._close()
        return [one.decode("utf-8", "replace").rstrip("\r") for one in self._kept]

    def _grow(self, part: bytes) -> None:
        room = LINE_CAP - len(self._open)
        self._open += part[: max(0, room)]
        self.dropped = self.dropped or len(part) > room

    def _close(self) -> None:
        if len(self._kept) == self._kept.maxlen:
            self._forget()
        self._kept.append(bytes(self._open))
        self._size += len(self._open)
        self._open.clear()
        while self._size > self._cap and len(self._kept) > 1:
            self._forget()

    def _forget(self) -> None:
        self._size -= len(self._kept.popleft())
        self.dropped = True
