"""No secret is stored, sent or logged, whichever way it came in; each door masks by itself."""

import subprocess
import sys

from psycopg import AsyncConnection, sql

from bot.model import Plan, UserError
from bot.settings import Settings
from bot.store import db
from sandbox.cluster import Cluster
from tests.conftest import Bot, Walk
from tests.manual_changes import set_env
from tests.masking_texts import WORD

SECRET = f"password={WORD}"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


async def stored(url: str) -> str:
    """Every row of every table."""
    async with await AsyncConnection.connect(url) as conn:
        tables = await (await conn.execute(TABLES)).fetchall()
        rows = [
            await (
                await conn.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)))
            ).fetchall()
            for (name,) in tables
        ]
    return str(rows)


def sent(walk: Walk) -> str:
    """What the bot sent to Slack: calls, private answers, and the files."""
    files = [
        walk.slack.file(file["id"]).decode()
        for channel in walk.slack.channels("oncall")
        for message in walk.slack.messages(str(channel["name"]), "oncall")
        for part in [message, *message.get("replies", [])]
        for file in part.get("files", [])
    ]
    calls = [call.arguments for call in walk.slack.calls]
    return str([calls, files, walk.answers("oncall", "general")])


async def test_nothing_typed_is_stored_or_sent(walk: Walk, given: Settings) -> None:
    channel = await walk.declare(f"Orders fail with {SECRET}")
    await walk.say("oncall", f"/incident note use {SECRET}", channel)
    await walk.say("second", f"mysql -u root -p{WORD}", channel)
    await walk.slack.react("oncall", "pushpin", channel, walk.posts(channel)[-1].ts)
    await walk.bot.drain()
    await walk.say("oncall", f"/incident severity {SECRET}", channel)
    await walk.say("oncall", "/incident update", channel)
    await walk.submit("oncall", impact=f"{SECRET} is out", current=f"Bearer {WORD}", minutes="10")
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution=f"Changed {SECRET}")

    assert (WORD in await stored(given.database_url), WORD in sent(walk)) == (False, False)
    assert (await walk.timeline(channel))[1:3] == [
        "@oncall noted: use password=[masked]",
        "@oncall pinned a message by @second: mysql -u root -p[masked]",
    ]


async def test_titles_of_files_are_masked(walk: Walk) -> None:
    channel = await walk.declare("Orders fail")
    found = await walk.bot.world.slack.conversations_list()
    [id_] = [listed["id"] for listed in found["channels"] if listed["name"] == channel]
    await walk.bot.world.slack.files_upload_v2(
        channel=id_, filename="orders.log", title=f"Log with {SECRET}", content="x"
    )
    assert WORD not in sent(walk)


async def test_the_database_door_masks(bot: Bot) -> None:
    """A statement that forgets the gate passes it all the same."""
    async with bot.world.pool.connection() as conn:
        values = {"text": SECRET, "json": db.json({"a": [SECRET], "token": WORD})}
        cursor = await conn.execute("SELECT %(text)s, %(json)s", values)
        assert await cursor.fetchone() == (
            "password=[masked]",
            {"a": ["password=[masked]"], "token": "[masked]"},
        )
        cursor = await conn.execute("SELECT %s", [db.exact_json({"value": SECRET})])
        assert await cursor.fetchone() == ({"value": SECRET},)


async def test_the_slack_door_masks(walk: Walk) -> None:
    """A call that forgets the gate passes it all the same, and keeps what only programs read."""
    client = walk.bot.world.slack
    channel = await walk.declare()
    [id_] = [found["id"] for found in walk.slack.channels("oncall") if found["name"] == channel]
    section = {"type": "section", "text": {"type": "mrkdwn", "text": SECRET}, "block_id": SECRET}
    await client.chat_postMessage(channel=id_, text=f"x {SECRET}", blocks=[section])
    await client.files_upload_v2(channel=id_, filename="a.txt", title=SECRET, content=SECRET * 9)

    posted = walk.calls("chat.postMessage")[-1].arguments
    assert posted["text"] == "x password=[masked]"
    assert "password=[masked]" in str(posted["blocks"])
    assert f"'block_id': '{SECRET}'" in str(posted["blocks"]).replace('"', "'")
    [completed] = walk.calls("files.completeUploadExternal")
    [file] = completed.answer["files"]
    assert (file["title"], walk.slack.file(file["id"]).decode()) == (
        "password=[masked]",
        "password=[masked]",
    )


def test_refusals_and_plans_are_masked() -> None:
    plan = Plan(
        target="x", summary=SECRET, blast_radius={"text": SECRET}, check=SECRET, warnings=[SECRET]
    )
    assert WORD not in str(UserError(f"Kubernetes says: {SECRET}"))
    assert WORD not in plan.model_dump_json()
    assert plan.digest == Plan.model_validate(plan.model_dump(mode="json")).digest


LOGGING = f"""
import logging, warnings
from bot import redaction
redaction.log_redacted()
log = logging.getLogger("x")
log.info("connect to %s", "postgres://app:{WORD}@db/orders")
log.info("%d", "{SECRET}")
warnings.warn("{SECRET}")
try:
    raise ValueError("{SECRET}")
except ValueError:
    log.exception("failed")
raise KeyError("{SECRET}")
"""


def test_the_log_has_no_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOGGING], capture_output=True, text=True, check=False
    )
    lines = done.stderr.splitlines()
    assert WORD not in done.stderr + done.stdout
    assert lines[0].endswith("INFO x connect to postgres://app:[masked]@db/orders")
    assert "ValueError: password=[masked]" in lines
    assert lines[-1] == "KeyError: 'password=[masked]'"


async def test_diffs_hide_values(walk: Walk, kube: Cluster) -> None:
    await set_env(kube, "kubectl-set", GREETING="quite plain", ORDERS_PAUSED="false")
    await set_env(kube, "kubectl-set", GREETING="a bit longer one", ORDERS_PAUSED="maybe")
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)

    diff = walk.execution(channel).diff
    assert "quite plain" not in sent(walk)
    assert "a bit longer one" not in sent(walk)
    assert [line.split() for line in diff.splitlines() if line[0] in "+-"][2:] == [
        ["-", "value:", "hidden", "(16", "characters)"],
        ["+", "value:", "hidden", "(changed,", "16", "→", "11", "characters)"],
        ["-", "value:", "maybe"],
        ["+", "value:", "'false'"],
    ]
