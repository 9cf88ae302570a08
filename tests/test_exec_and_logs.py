"""How a command in a pod ends, and how its log becomes lines."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType

from bot.systems.kubernetes import errors, pod_exec
from bot.systems.kubernetes.errors import ApiCall, ClusterError
from bot.systems.kubernetes.logs import LineSplitter

Obj = dict[str, Any]

SUCCESS = json.dumps({"status": "Success"})


def failure(message: str, *causes: Obj) -> str:
    return json.dumps({"status": "Failure", "message": message, "details": {"causes": causes}})


class Socket:
    """The frames that a server sends, one after the other."""

    def __init__(self, *frames: bytes | str) -> None:
        self.frames = list(frames)

    async def __aiter__(self) -> AsyncIterator[WSMessage]:
        while self.frames:
            frame = self.frames.pop(0)
            kind = WSMsgType.TEXT if isinstance(frame, str) else WSMsgType.BINARY
            yield WSMessage(kind, frame, None)


EXEC = ApiCall("create", "pods/exec", "eu", "shop", "order-1")


async def run(*frames: bytes | str) -> pod_exec.ExecResult:
    socket = cast(ClientWebSocketResponse, Socket(*frames))
    return await pod_exec.read_result(socket, EXEC, "nc")


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([b"\x03" + SUCCESS.encode()], (0, "", "")),
        ([b"\x01out", b"\x02err", b"\x03" + SUCCESS.encode()], (0, "out", "err")),
        (["\x01out", f"\x03{SUCCESS}"], (0, "out", "")),
        ([b"\x01\xc3", b"\x01\xa4", f"\x03{SUCCESS}"], (0, "ä", "")),
        ([b"", b"\x01", b"\x00in", b"\x04resize", b"\xffx", f"\x03{SUCCESS}"], (0, "", "")),
        ([b"\x01a", f"\x03{SUCCESS}", b"\x01later"], (0, "a", "")),
        ([b"\x01\xff", f"\x03{SUCCESS}"], (0, "\ufffd", "")),
        (
            [b"\x02no", "\x03" + failure("exit 1", {"reason": "ExitCode", "message": "1"})],
            (1, "", "no"),
        ),
        (
            ["\x03" + failure("x", {"reason": "Other"}, {"reason": "ExitCode", "message": "137"})],
            (137, "", ""),
        ),
        (
            [b"\x01" + b"a" * 40_000, b"\x01" + b"b" * 40_000, f"\x03{SUCCESS}"],
            (0, "a" * 40_000 + "b" * 25_536, ""),
        ),
    ],
)
async def test_how_a_command_ends(
    frames: list[bytes | str], expected: tuple[int, str, str]
) -> None:
    assert await run(*frames) == pod_exec.ExecResult(*expected)


FAILED = "nc could not be run in pod order-1 in namespace shop of cluster eu:"
BROKEN = "Nothing was changed. Look at the pod, then try again."


@pytest.mark.parametrize(
    ("frames", "kind", "text"),
    [
        (
            ["\x03" + failure('exec: "nc": executable file not found in $PATH')],
            errors.CommandNotFound,
            "The container of pod order-1 in namespace shop of cluster eu has no nc. Nothing was "
            "run in it.",
        ),
        (
            ["\x03" + failure("stat /bin/nc: no such file or directory")],
            errors.CommandNotFound,
            "The container of pod order-1 in namespace shop of cluster eu has no nc. Nothing was "
            "run in it.",
        ),
        (
            ["\x03" + failure("container is not running.")],
            errors.RequestRefused,
            f"{FAILED} container is not running. {BROKEN}",
        ),
        (
            ["\x03plain words"],
            errors.RequestRefused,
            f"{FAILED} plain words. {BROKEN}",
        ),
        (
            ['\x03["a"]'],
            errors.RequestRefused,
            f'{FAILED} ["a"]. {BROKEN}',
        ),
        (
            ["\x03" + "z" * 400],
            errors.RequestRefused,
            f"{FAILED} {'z' * 300}. {BROKEN}",
        ),
        (
            [b"\x01half"],
            errors.RequestRefused,
            f"{FAILED} the connection ended before the command did. {BROKEN}",
        ),
        (
            ['\x03{"status": "Failure", "details": null}'],
            errors.RequestRefused,
            f"{FAILED} the connection ended before the command did. {BROKEN}",
        ),
    ],
)
async def test_commands_that_do_not_run(
    frames: list[bytes | str], kind: type[ClusterError], text: str
) -> None:
    with pytest.raises(ClusterError) as refused:
        await run(*frames)

    assert (type(refused.value), str(refused.value)) == (kind, text)


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b""], b""),
        ([b"a\nb\n"], b"a\nb\n"),
        ([b"a\nb"], b"a\nb\n"),
        ([b"a", b"b", b"\n"], b"ab\n"),
        ([b"\n\n"], b"\n\n"),
        ([b"a\r\nb\r\n"], b"a\r\nb\r\n"),
        ([b"\xc3", b"\xa4\n"], b"\xc3\xa4\n"),
        ([b"x" * 10_000, b"x" * 10_000, b"\ny"], b"x" * 16_384 + b"\ny\n"),
    ],
)
def test_a_log_becomes_lines(chunks: list[bytes], lines: bytes) -> None:
    splitter = LineSplitter()
    found = b"".join(map(splitter.feed, chunks))
    assert found + splitter.end() == lines
