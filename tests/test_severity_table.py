"""The playbook's severity table: shown where it is asked for; the response clock runs by it."""

from pathlib import Path

import pytest

from bot.views import action_ids
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk
from tests.shop_playbooks import TICKETS_HEAD

WAITS = "Nobody has taken command of INC-1"
OTHER = f"""{TICKETS_HEAD}\
  - id: gates
    title: Gates
    severity: sev1
    symptoms: [Gates stay shut]
    steps:
      - {{id: walk, title: Walk there, phase: immediate, action: manual}}
"""


@pytest.fixture
def playbooks(playbooks: Path) -> Path:
    """The shipped playbook, and one of another service that has other clocks."""
    (playbooks / "tickets.yml").write_text(OTHER, encoding="utf-8")
    return playbooks


async def test_commands_show_table(walk: Walk) -> None:
    channel = await walk.declare("order-service: refunds hang", "sev3")

    for said, place in (("severity", channel), ("severity", "general"), ("help", "general")):
        await walk.say("second", f"/incident {said}", place)
        seen = walk.text(place, "second")
        assert "within 24 h" in seen
        for part in ("SEV-2", "High - Major feature broken", "within 30 min", "Refunds failing"):
            assert part in seen
    assert "INC-1 is SEV-3." in walk.text(channel, "second")
    assert "Nobody gets in" not in walk.text(channel, "second")
    assert "Nobody gets in" in walk.text("general", "second")


@pytest.mark.parametrize(
    ("severity", "minutes"), [("sev2", 30), ("sev3", 120)], ids=["sev2", "sev3"]
)
async def test_first_response_follows_table(
    walk: Walk, bot: Bot, clock: Clock, severity: str, minutes: int
) -> None:
    channel = await walk.declare("Refunds hang", severity)
    clock.forward(minutes=minutes - 1)
    await bot.tick()
    assert WAITS not in walk.text(channel)

    clock.forward(minutes=2)
    await bot.tick()

    assert WAITS in walk.text(channel)


async def test_another_severity_is_another_first_response(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare("Refunds hang", "sev3")
    await walk.say("second", "/incident severity sev2", channel)

    clock.forward(minutes=31)
    await bot.tick()

    assert WAITS in walk.text(channel)


async def test_another_playbook_is_another_first_response(
    walk: Walk, bot: Bot, clock: Clock, slack: Slack
) -> None:
    channel = await walk.declare("Nobody gets in", "sev1")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, "tickets/gates")

    assert "SEV-1: Nobody gets in · first response within 3 min" in walk.text(channel)
    clock.forward(minutes=4)
    await bot.tick()

    assert WAITS in walk.text(channel)
