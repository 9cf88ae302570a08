"""The sandbox as a person starts it: a process of its own."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@asynccontextmanager
async def sandbox(folder: Path, *options: str) -> AsyncIterator[str]:
    """Its address, once it is ready; ended by Ctrl-C."""
    async with starting(folder, *options) as process:
        assert process.stdout is not None
        output = ""
        async with asyncio.timeout(60):
            while "/incident declare" not in output:
                line = await process.stdout.readline()
                if not line:
                    pytest.fail(f"the sandbox ended before it was ready: {output}")
                output += line.decode()
        [address] = re.findall(r"^ +(http://127\.0\.0\.1:\d+)$", output, re.MULTILINE)
        yield address


@asynccontextmanager
async def starting(folder: Path, *options: str, port: int = 0) -> AsyncIterator[Process]:
    """Its process, as soon as it runs; ended by Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sandbox", "--folder", str(folder), *options),
        cwd=ROOT,
        env={**os.environ, "SANDBOX_PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
