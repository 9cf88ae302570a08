"""A shown result of a read is final: it is neither read nor published again without a reason."""

from typing import LiteralString

from bot import __main__ as root
from bot import store
from bot.model import Incident, IncidentId
from bot.views import action_ids
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk
from tests.readers import Post
from tests.waiting import until_told

ID = IncidentId(1)
PAYMENTS = "order-service/payment-refund-failures"
OTHERWISE = "Said otherwise"
FOUND = ":warning: 23 orders stuck in PENDING for more than 30 minutes"
WORK_THROUGH = ("Work through them…",)
REWORD: LiteralString = "UPDATE executions SET outcome = 'Said otherwise'"


async def run_query(walk: Walk) -> str:
    """An incident about payments, in which somebody has looked for stuck orders."""
    channel = await walk.declare("Refunds hang", "sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PAYMENTS)
    await walk.press_step("oncall", "stuck-orders", channel)
    return channel


async def reword(bot: Bot) -> None:
    """Change the words of a result behind the bot's back, and publish the incident again."""
    async with bot.world.pool.connection() as conn:
        await conn.execute(REWORD)
        await store.publications.mark_stale(conn, ID)
    await bot.tick()


async def _published(bot: Bot) -> None:
    """Wait until the scheduler has published all that is stale."""

    async def is_shown() -> bool:
        async with bot.world.pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT FROM publications WHERE published_version < wanted_version"
            )
            return await cursor.fetchone() is None

    await until_told(is_shown)


def results(walk: Walk, channel: str) -> list[Post]:
    """The results in the playbook's thread, without their files."""
    return [reply for reply in walk.replies(channel) if reply.lines]


def verdicts(walk: Walk, channel: str) -> list[str]:
    """What each result says below its heading."""
    return [result.lines[1] for result in results(walk, channel)]


async def unread(bot: Bot) -> list[bool]:
    """Of each execution, whether publishing leaves its result in the database."""
    async with bot.world.pool.connection() as conn:
        incident = await store.incidents.get(conn, ID)
        assert isinstance(incident, Incident)
        final = await store.messages.final_keys(conn, ID, is_open=incident.open)
        runs = await store.executions.for_publishing(conn, ID, final)
    return [run.read_result is None for run in runs]


async def test_shown_results_are_not_read(walk: Walk, bot: Bot) -> None:
    channel = await run_query(walk)
    assert await unread(bot) == [True]

    await walk.press_step("oncall", "stuck-orders", channel)
    await reword(bot)

    assert await unread(bot) == [True, True]
    assert verdicts(walk, channel) == [FOUND, FOUND]
    assert [result.buttons for result in results(walk, channel)] == [WORK_THROUGH, WORK_THROUGH]


async def test_new_versions_publish_their_words(walk: Walk, bot: Bot) -> None:
    channel = await run_query(walk)
    await reword(bot)

    async with root.running_scheduler(bot.world):
        await _published(bot)

    assert verdicts(walk, channel) == [OTHERWISE]
    assert await unread(bot) == [True]


async def test_new_versions_send_only_differences(walk: Walk, bot: Bot) -> None:
    await run_query(walk)
    sent = len(walk.calls("chat.update"))

    async with root.running_scheduler(bot.world):
        await _published(bot)

    assert len(walk.calls("chat.update")) == sent
    assert await unread(bot) == [True]


async def test_resolving_removes_the_button(walk: Walk, bot: Bot) -> None:
    channel = await run_query(walk)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="over")

    assert [result.buttons for result in results(walk, channel)] == [()]
    assert verdicts(walk, channel) == [FOUND]
    assert await unread(bot) == [True]


async def test_shown_notes_are_not_read(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    for note in ("It is DNS", "It was DNS"):
        await walk.say("oncall", f"/incident note {note}", channel)

    async with bot.world.pool.connection() as conn:
        entries = await store.timeline.for_publishing(conn, ID)
    assert [entry.kind.value for entry in entries] == ["declared"]

    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="over")
    threads = [shown.get("replies", []) for shown in walk.slack.messages(channel, "oncall")]
    [file] = [file for thread in threads for reply in thread for file in reply["files"]]
    whole = walk.slack.file(file["id"]).decode()
    assert [whole.count(f"noted: {note}") for note in ("It is DNS", "It was DNS")] == [1, 1]
    assert [walk.text(channel).count(note) for note in ("It is DNS", "It was DNS")] == [1, 1]


async def test_a_deleted_result_comes_back(walk: Walk, bot: Bot, slack: Slack) -> None:
    channel = await run_query(walk)
    place = slack.workspace.channel(channel)
    place.messages = [
        message for message in place.messages if "Stuck orders* ·" not in str(message.text)
    ]
    assert results(walk, channel) == []

    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="over")

    assert verdicts(walk, channel) == [FOUND]


async def test_a_refused_result_is_read(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare("Refunds hang", "sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PAYMENTS)
    walk.slack.fail("chat.postMessage", error="restricted_action", times=1)
    await walk.press_step("oncall", "stuck-orders", channel)
    assert await unread(bot) == [False]
    assert results(walk, channel) == []

    clock.forward(minutes=6)
    await bot.tick()

    assert verdicts(walk, channel) == [FOUND]
    assert await unread(bot) == [True]


async def test_meanwhile_changed_items_stay_open(walk: Walk, bot: Bot) -> None:
    await run_query(walk)
    async with bot.world.pool.connection() as conn:
        before = (await store.messages.of_incident(conn, ID))["execution:1"]
        other = before.model_copy(update={"digest": "of another publisher"})
        await store.messages.save(conn, ID, other)
        await store.messages.mark_final(conn, ID, [before], is_open=True)

    assert await unread(bot) == [False]
