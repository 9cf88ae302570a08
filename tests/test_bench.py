"""The benchmark ends, whatever it waits for, and counts what the simulated Slack has forgotten."""

import asyncio

import pytest

from bench import __main__ as bench
from tests.conftest import Walk


async def test_a_part_that_hangs_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    await bench.bounded("some part", asyncio.Event().wait(), 0.01)

    assert capsys.readouterr().out == "\nsome part: given up, because it waited for too long\n"


async def test_forgotten_calls_still_count(walk: Walk) -> None:
    await walk.declare()
    walk.slack.workspace.calls.clear()

    assert len(bench.complete_channels(walk.slack)) == 1
    assert bench.duplicate_cards(walk.slack) == 0
