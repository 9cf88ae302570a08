"""An incident that was opened by an older version goes on after the upgrade."""

from pathlib import Path

import pytest
from psycopg import AsyncConnection

from bot.settings import Settings
from bot.store import db
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests import two_services
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.manual_changes import variable
from tests.pausing import approve_pause

RENAMES = (Path(db.__file__).parent / "migrations" / "0009_names.sql").read_text(encoding="utf-8")
# What that version wrote into entries of the timeline, by the kind of the entry.
FORMER_DETAILS = """
    ALTER TABLE timeline DISABLE TRIGGER timeline_append_only;
    UPDATE timeline SET detail = jsonb_build_object('was', detail -> 'old', 'is', detail -> 'new')
        WHERE kind IN ('severity_changed', 'status_changed');
    UPDATE timeline SET detail = detail - 'plan_digest' || '{"plan": "0f0f"}'
        WHERE detail ? 'plan_digest';
    ALTER TABLE timeline ENABLE TRIGGER timeline_append_only;
"""
# Its plans named a Deployment alone, so their digests are other ones.
FORMER_PLANS = """
    UPDATE executions SET plan_digest = '0f0f', undo_digest = '0e0e',
        plan = jsonb_set(plan, '{target}', '"deployment/order-service"')
        WHERE plan IS NOT NULL;
    DELETE FROM migrations WHERE name = '0009_names.sql';
"""


# The release before knew one service of an incident.
ONE_SERVICE = """
    ALTER TABLE incidents DROP COLUMN further_playbooks;
    DELETE FROM migrations WHERE name = '0024_further_playbooks.sql';
"""


def reversed_renames() -> str:
    """The statements that take back what the migration renames, the last one first."""
    backwards = []
    for statement in RENAMES.split(";"):
        words = statement.split("\n")[-1].split()
        match words:
            case ["ALTER", "TABLE", table, "RENAME", "TO", new]:
                backwards.append(f"ALTER TABLE {new} RENAME TO {table}")
            case ["ALTER", "TABLE", table, "RENAME", "COLUMN", old, "TO", new]:
                backwards.append(f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}")
            case ["ALTER", "INDEX", old, "RENAME", "TO", new]:
                backwards.append(f"ALTER INDEX {new} RENAME TO {old}")
    return ";\n".join(reversed(backwards))


@pytest.fixture
async def state(database: str) -> str:
    """A database of this test's own, since its tables get other names meanwhile."""
    await db.migrate(database)
    return database


async def test_an_open_incident_goes_on(
    walk: Walk, bot: Bot, slack: Slack, kube: Cluster, given: Settings, clock: Clock, state: str
) -> None:
    channel = await approve_pause(walk)
    await walk.say("oncall", "/incident severity sev1", channel)
    await walk.press_step("oncall", "review-orders", channel)
    before = await walk.timeline(channel)
    async with await AsyncConnection.connect(state) as conn:
        for script in (FORMER_DETAILS, FORMER_PLANS, reversed_renames()):
            await conn.execute(script.encode())

    async with start_bot(given, clock) as upgraded:
        slack.request_url = f"{upgraded.url}/slack/events"
        after = Walk(slack, upgraded)
        assert await after.timeline(channel) == before

        await after.press("oncall", action_ids.UNDO, channel)
        assert after.execution(channel).state == "Needs 1 more approval"
        await after.press("second", action_ids.APPROVE, channel)

    assert variable(kube) == "false"
    assert after.execution(channel).state == "Done and checked"


async def test_a_pause_still_ends_by_itself(
    walk: Walk, bot: Bot, slack: Slack, kube: Cluster, given: Settings, clock: Clock, state: str
) -> None:
    """Digests cover more than they did: that of the former version is no sign of a change."""
    await approve_pause(walk)
    async with await AsyncConnection.connect(state) as conn:
        await conn.execute("UPDATE executions SET undo_digest = '0e0e'")
        await conn.execute("UPDATE temporary_changes SET as_left = NULL, last_seen = NULL")
        await conn.execute("DELETE FROM migrations WHERE name = '0015_undo_digests.sql'")

    async with start_bot(given, clock) as upgraded:
        slack.request_url = f"{upgraded.url}/slack/events"
        clock.forward(seconds=5)
        await upgraded.tick()
        clock.forward(minutes=31)
        await upgraded.tick()

    assert variable(kube) == "false"


class TestSeveralServices:
    """The bot serves several services, of which an incident had one before the upgrade."""

    @pytest.fixture
    def playbooks(self, playbooks: Path) -> Path:
        return two_services.write_playbooks(playbooks)

    @pytest.fixture
    def team(self, tmp_path: Path, playbooks: Path) -> Path:
        return two_services.write_team(tmp_path, playbooks)

    async def test_an_incident_takes_in_another(
        self,
        walk: Walk,
        bot: Bot,
        slack: Slack,
        kube: Cluster,
        given: Settings,
        clock: Clock,
        state: str,
    ) -> None:
        await kube.seed_payment_service()
        channel = await two_services.declare(walk)
        await walk.press_step("oncall", "pods", channel)
        async with await AsyncConnection.connect(state) as conn:
            await conn.execute(ONE_SERVICE.encode())

        async with start_bot(given, clock) as upgraded:
            slack.request_url = f"{upgraded.url}/slack/events"
            after = Walk(slack, upgraded)
            await after.say("oncall", "/incident service add payment-service", channel)
            await after.press_step("oncall", "payment-service/pods", channel)
            await after.press_step("oncall", "pods", channel)
            timeline = await after.timeline(channel)

        for step in ("pods", "payment-service/pods"):
            assert after.step(channel, step).verdict.endswith(" ready")
        assert [line for line in timeline if " ran Pods" in line] == [
            "@oncall [order-service] ran Pods: 3 of 3 ready",
            "@oncall [payment-service] ran Pods: 2 of 2 ready",
            "@oncall [order-service] ran Pods: 3 of 3 ready",
        ]
