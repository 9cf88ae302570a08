"""The second playbook that is shipped: a release is taken back, whichever it was."""

from pathlib import Path

import pytest

from bot.actions.registry import ACTIONS
from bot.model import Playbook, Severity
from bot.playbooks import loader as loading
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import SHIPPED, Walk

FILE = SHIPPED.with_name("deployment-rollback.yml")
PLAY = "order-service/deployment-rollback"


@pytest.fixture
def playbooks(playbooks: Path) -> Path:
    """Both playbooks, with checks that watch for a moment."""
    words = FILE.read_text(encoding="utf-8").replace(
        "        action: rollback\n        params:\n",
        "        action: rollback\n        params:\n          watch_seconds: 0.4\n",
    )
    (playbooks / FILE.name).write_text(words, encoding="utf-8")
    return playbooks


async def declare(walk: Walk) -> str:
    """Declare, and choose the playbook."""
    channel = await walk.declare("Errors since the release", "sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PLAY)
    return channel


@pytest.mark.parametrize(
    ("severity", "title"),
    [("sev1", "Complete Service Outage"), ("sev3", "Slow Response Times")],
)
async def test_the_other_playbook_keeps_its_incidents(
    severity: str, title: str, walk: Walk
) -> None:
    channel = await walk.declare("Something", severity)

    assert f":notebook: {title}" in walk.text(channel)


@pytest.mark.parametrize("severity", ["sev2", "sev4"])
async def test_where_several_fit_people_choose(severity: str, walk: Walk) -> None:
    channel = await walk.declare("Something", severity)
    assert "Which playbook fits?" in walk.text(channel)

    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PLAY)

    assert ":notebook: Deployment Rollback" in walk.text(channel)


async def test_one_service_has_one_severity_table(walk: Walk) -> None:
    await walk.say("oncall", "/incident severity")

    assert walk.text("general", "oncall").count("High - Major feature broken") == 1


async def test_from_history_to_last_release(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    channel = await declare(walk)
    await walk.press_step("oncall", "rollout-history", channel)
    seen = walk.text(channel)
    assert "Revision 7 (v2.4.0) runs, first rolled out" in seen
    assert "A rollback would go to revision 6 (v2.3.1)" in seen
    assert "runs now" in seen

    await walk.press_step("oncall", "roll-back", channel)
    await walk.submit("oncall", reason="It began with v2.4.0", to_revision="5")
    await walk.press("second", action_ids.APPROVE, channel)

    assert "Done and checked" in walk.text(channel)
    assert kube.image().endswith(":v2.3.0")


async def test_an_unreadable_history_is_said(walk: Walk, kube: Cluster) -> None:
    channel = await declare(walk)
    kube.forbid("runbolt", "list", "replicasets")
    await walk.press_step("oncall", "rollout-history", channel)

    assert "The bot may not list replicasets" in walk.text(channel)


def books() -> tuple[Playbook, Playbook]:
    [rollback] = loading.load(FILE, ACTIONS)
    [service] = loading.load(SHIPPED, ACTIONS)
    return rollback, service


def test_both_playbooks_name_one_team() -> None:
    """While nobody has chosen, it makes no difference which of them an incident has."""
    rollback, service = books()
    mine = {"overview", "scenarios"}

    assert set(rollback.severities) == set(Severity)
    assert rollback.model_dump(exclude=mine) == service.model_dump(exclude=mine)
