"""The doors from Slack: who may come in, what foreign text becomes, and always an answer."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from bot import store
from bot.model import ExecutionId, IncidentId, State
from bot.views import presses
from commands.asks import plain
from sandbox.cluster import Cluster
from sandbox.slack import Delivery, Refusal, User
from tests.conftest import Bot, Clock, Walk

GUEST = "Guests may not do this"


@pytest.fixture
async def broken(kube: Cluster) -> Cluster:
    """The cluster after a release that crash-loops."""
    await kube.scenario("crash-loop")
    return kube


Forget = Callable[[], Awaitable[None]]


@pytest.fixture
def redis_forgets(redis_url: str) -> Forget:
    """Empties Redis, as may happen at any moment."""

    async def forget() -> None:
        async with Redis.from_url(redis_url) as client:
            await client.flushall()

    return forget


async def raw(walk: Walk, delivery: Delivery, **changed: Any) -> Delivery:
    """The same payload, changed as no client of Slack would, and signed."""
    payload = {**delivery.payload, **changed}
    sent = await walk.slack.core.deliveries.deliver(delivery.kind, payload)
    await walk.bot.quiet()
    return sent


def guest(walk: Walk, channel: str) -> None:
    """Somebody from outside, invited into the channel."""
    walk.slack.add_user(User("guest", "Guest", kind="guest"))
    walk.slack.add_to(channel, "guest")


async def entries(bot: Bot) -> list[str]:
    """The kinds of what the first incident's timeline tells."""
    async with bot.world.pool.connection() as conn:
        return [entry.kind.value for entry in await store.timeline.of_incident(conn, IncidentId(1))]


def filled(delivery: Delivery, **values: str) -> dict[str, Any]:
    """The view of a form that was sent, with other words in its fields."""
    view = json.loads(json.dumps(delivery.payload["view"]))
    for name, value in values.items():
        view["state"]["values"].setdefault(name, {name: {}})[name]["value"] = value
    return dict(view)


# Who may come in.


@pytest.mark.parametrize(
    "words", ["role ic @guest", "severity sev2", "status identified", "note x", "timeline"]
)
async def test_a_guest_may_not_say_it(walk: Walk, bot: Bot, words: str) -> None:
    channel = await walk.declare()
    guest(walk, channel)
    before = await entries(bot)

    await walk.say("guest", f"/incident {words}", channel)

    assert GUEST in walk.text(channel, "guest")
    assert await entries(bot) == before


@pytest.mark.parametrize("word", ["update", "resolve"])
async def test_a_guest_gets_no_form(walk: Walk, word: str) -> None:
    channel = await walk.declare()
    guest(walk, channel)

    await walk.say("guest", f"/incident {word}", channel)

    assert GUEST in walk.text(channel, "guest")
    assert walk.slack.views("guest") == []


@pytest.mark.parametrize(
    ("press", "value"),
    [
        (presses.TAKE_COMMAND, None),
        (presses.POST_UPDATE, None),
        (presses.RESOLVE, None),
        (presses.CHANGE_SEVERITY, "sev3"),
        (presses.CHANGE_STATUS, "monitoring"),
        (presses.RUN_STEP, "pods"),
        (presses.RUN_STEP, "roll-back"),
    ],
)
async def test_a_guest_may_not_press_it(
    walk: Walk, bot: Bot, press: str, value: str | None
) -> None:
    channel = await walk.declare()
    guest(walk, channel)
    before = await entries(bot)

    await walk.press("guest", press, channel, value)

    assert GUEST in walk.text(channel, "guest")
    assert await entries(bot) == before
    assert walk.slack.views("guest") == []


async def test_a_form_is_refused_to_who_became_a_guest(
    walk: Walk, bot: Bot, redis_forgets: Forget
) -> None:
    channel = await walk.declare()
    await walk.say("second", "/incident resolve", channel)
    walk.slack.user("second").kind = "guest"
    await redis_forgets()

    await walk.submit("second", resolution="I say so")

    assert GUEST in walk.text(channel, "second")
    assert "resolved" not in await entries(bot)


async def test_a_guest_may_not_pin_and_hears_nothing_of_other_reactions(
    walk: Walk, bot: Bot
) -> None:
    channel = await walk.declare()
    guest(walk, channel)
    await walk.say("second", "the deploy was at 02:55", channel)
    ts = walk.slack.messages(channel, "second")[-1]["ts"]

    taken = await walk.slack.react("guest", "eyes", channel, ts)
    await bot.quiet()
    assert taken.ok
    assert GUEST not in walk.text(channel, "guest")
    await walk.slack.react("guest", "pushpin", channel, ts)
    await bot.quiet()

    assert GUEST in walk.text(channel, "guest")
    assert "pinned" not in await entries(bot)


async def test_a_guest_is_told_what_can_be_said_and_gets_the_form_to_declare(walk: Walk) -> None:
    walk.slack.add_user(User("guest", "Guest", kind="guest"))
    walk.slack.add_to("general", "guest")

    await walk.say("guest", "/incident", "general")
    await walk.say("guest", "/incident declare", "general")

    assert "What you can say" in walk.text("general", "guest")
    assert walk.slack.views("guest")


async def test_nobody_comes_in_while_slack_does_not_say_who_they_are(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    walk.slack.join("lead", channel)
    before = await entries(bot)
    walk.slack.fail("users.info", error="fatal_error", times=None)

    await walk.say("lead", "/incident severity sev2", channel)

    assert "Slack did not say who you are" in walk.text(channel, "lead")
    assert await entries(bot) == before


# What foreign text becomes.


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("ask <@U123|maya> or <@W9>", "ask @maya or @W9"),
        ("ask <@U5>", "ask @Maya Okafor"),
        ("in <#C1|general>, <#C2>, <#C3|>", "in #general, #C2, #C3"),
        (
            "<!channel> <!here|here> <!subteam^S1|@oncall> <!subteam^S2>",
            "@channel @here @oncall @S2",
        ),
        ("<!date^1700000000^{time}|14 Nov>", "14 Nov"),
        ("<https://a.b/?x=1&amp;y=2>", "https://a.b/?x=1&y=2"),
        ("<https://a.b|the graph> <http://a.b|a.b>", "the graph (https://a.b) a.b"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("<b> <since> 03:00", "<b> <since> 03:00"),
        ("&lt;@U123|maya&gt;", "<@U123|maya>"),
    ],
)
def test_what_slack_wrote_is_read_as_plain_words(written: str, words: str) -> None:
    assert plain(written, {"U5": "Maya Okafor"}) == words


async def test_a_pinned_message_is_shown_as_it_was_written(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("second", "a < b & c, ask @lead in #general: https://a.b/?x=1&y=2", channel)
    ts = walk.slack.messages(channel, "second")[-1]["ts"]
    pings = len(walk.slack.notifications("lead"))

    await walk.slack.react("oncall", "pushpin", channel, ts)
    await walk.bot.quiet()
    await walk.say("oncall", "/incident timeline", channel)

    # Escaped once, so that Slack shows what was written.
    seen = walk.text(channel, "oncall")
    assert "a &lt; b &amp; c, ask @Priya Raman in #general: https://a.b/?x=1&amp;y=2" in seen
    assert len(walk.slack.notifications("lead")) == pings


async def test_a_note_names_people_and_channels_and_pings_nobody(walk: Walk) -> None:
    channel = await walk.declare()
    pings = len(walk.slack.notifications("lead"))

    await walk.say("second", "/incident note ask @lead & look at #general <!channel>", channel)

    seen = walk.text(channel)
    assert "ask @lead &amp; look at #general @channel" in seen
    assert len(walk.slack.notifications("lead")) == pings


async def test_a_title_names_people_in_plain_words(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 R&D: @lead broke <checkout>")

    name = next(c["name"] for c in walk.slack.channels("oncall") if c["name"].startswith("inc-1"))
    found = walk.slack.channel(name)
    assert "U0A" not in name.upper()
    assert "@lead broke" in found.topic
    announced = walk.text("incidents")
    assert "@lead broke" in announced
    assert "&amp;amp;" not in announced
    assert "&amp;lt;" not in announced


async def test_the_form_from_a_message_is_filled_with_plain_words(walk: Walk) -> None:
    await walk.say("second", "a & b <since> 03:00, ask @lead", "incidents")
    ts = walk.slack.messages("incidents", "oncall")[-1]["ts"]

    await walk.slack.shortcut("oncall", presses.DECLARE_FROM_MESSAGE, channel="incidents", ts=ts)
    await walk.bot.quiet()

    fields = {one["block_id"]: one for one in walk.slack.views("oncall")[-1]["blocks"]}
    assert fields["title"]["element"]["initial_value"] == ("a & b <since> 03:00, ask @Priya Raman")


async def test_the_form_from_a_message_does_not_wait_for_names(walk: Walk) -> None:
    await walk.say("second", "ask @lead", "incidents")
    ts = walk.slack.messages("incidents", "oncall")[-1]["ts"]
    walk.slack.fail("users.info", hang=True, times=None)

    await walk.slack.shortcut("oncall", presses.DECLARE_FROM_MESSAGE, channel="incidents", ts=ts)
    await walk.bot.quiet()

    assert walk.slack.views("oncall")


@pytest.mark.parametrize("words", ["role ic @second", "role commander @second"])
async def test_a_mention_puts_somebody_in_command(walk: Walk, words: str) -> None:
    channel = await walk.declare()

    await walk.say("oncall", f"/incident {words}", channel)

    second = walk.slack.user("second").id
    assert f"<@{second}> is the incident commander" in walk.text(channel)


@pytest.mark.parametrize("words", ["role ic @second @lead", "role ic Maya and @second", "role ic"])
async def test_who_is_to_command_is_said_by_one_mention(walk: Walk, words: str) -> None:
    channel = await walk.declare()

    await walk.say("oncall", f"/incident {words}", channel)

    assert "nobody was put in command" in walk.text(channel, "oncall")


@pytest.mark.parametrize("between", ["\n", "\t", "  ", "\u00a0"])
async def test_any_white_space_ends_the_first_word(walk: Walk, between: str) -> None:
    channel = await walk.declare()

    await walk.say("second", f"/incident note{between}the queue\ngrows", channel)

    assert "the queue\ngrows" in walk.text(channel)


# What an older version of the bot drew.


async def test_an_old_form_is_answered(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    sent = await walk.submit("oncall", resolution="over")

    view = {**sent.payload["view"], "callback_id": "form.of_yore", "hash": "another"}
    old = await raw(walk, sent, view=view)

    assert old.ok
    assert not old.answer
    assert "is from an older version of the bot, so nothing was done" in walk.text(
        channel, "oncall"
    )


async def test_an_old_form_that_remembers_something_else_is_answered(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    sent = await walk.submit("oncall", severity="sev3", title="Slow")

    view = {**sent.payload["view"], "callback_id": "form.of_yore", "hash": "another"}
    old = await raw(walk, sent, view={**view, "private_metadata": "INC-7"})

    assert old.ok
    assert "is from an older version" in walk.text("runbolt", "oncall")


async def test_a_form_that_lacks_a_field_is_answered(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    fields = {"status": "identified", "impact": "None", "current": "Looking"}
    sent = await walk.submit("oncall", **fields)
    view = json.loads(json.dumps(sent.payload["view"]))
    view["blocks"] = [one for one in view["blocks"] if one["block_id"] != "impact"]
    del view["state"]["values"]["impact"]

    old = await raw(walk, sent, view=view)

    assert old.ok
    assert not old.answer
    assert "This form no longer fits, so nothing was done (impact: Fill this in.)" in walk.text(
        channel, "oncall"
    )


async def test_an_old_shortcut_is_answered(walk: Walk) -> None:
    sent = await walk.slack.shortcut("oncall", presses.DECLARE_SHORTCUT)
    await walk.bot.quiet()

    old = await raw(walk, sent, callback_id="shortcut.of_yore", trigger_id="1.2")

    assert old.ok
    assert "is from an older version" in walk.text("runbolt", "oncall")


async def test_an_old_button_is_answered(walk: Walk) -> None:
    channel = await walk.declare()
    sent = await walk.press("oncall", presses.TAKE_COMMAND, channel)

    action = {**sent.payload["actions"][0], "action_id": "incident.of_yore"}
    old = await raw(walk, sent, actions=[action], trigger_id="1.2")

    assert old.ok
    assert "is from an older version" in walk.text(channel, "oncall")


@pytest.mark.parametrize(("step", "action"), [("pods", "pods"), ("roll-back", "rollback")])
async def test_a_step_whose_action_is_gone_is_answered(
    walk: Walk, bot: Bot, step: str, action: str
) -> None:
    channel = await walk.declare()
    await rewrite(bot, f'"action": "{action}"', '"action": "of-yore"')

    await walk.step("oncall", step, channel)

    assert "has no action “of-yore”, so nothing was done" in walk.text(channel, "oncall")


async def test_a_form_whose_action_is_gone_is_answered(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await walk.step("oncall", "roll-back", channel)
    sent = await walk.submit("oncall", reason="It crash-loops")
    await rewrite(bot, '"action": "rollback"', '"action": "of-yore"')
    kept = json.loads(sent.payload["view"]["private_metadata"])
    view = {**filled(sent, to_revision="6"), "hash": "another"}
    view["private_metadata"] = json.dumps({**kept, "action": "of-yore"})

    old = await raw(walk, sent, view=view)

    assert old.ok
    assert not old.answer
    assert "has no action “of-yore”, so nothing was done" in walk.text(channel, "oncall")


async def test_a_step_whose_parameters_no_longer_fit_is_answered(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await rewrite(bot, '"selector"', '"selector_of_yore"')

    await walk.step("oncall", "pods", channel)

    seen = walk.text(channel, "oncall")
    assert "Nothing was done, because selector of “pods” is not right" in seen
    assert "Something went wrong" not in seen


async def test_a_parameter_that_is_gone_is_not_asked_for(
    walk: Walk, bot: Bot, broken: Cluster
) -> None:
    channel = await walk.declare()
    await rewrite(bot, '"to_revision"', '"of_yore"')

    await walk.ask_for_rollback(channel)

    assert "Needs 1 more approval" in walk.text(channel)


async def rewrite(bot: Bot, was: str, now: str) -> None:
    """Make the stored playbook one that another version of the bot wrote."""
    query = "UPDATE incidents SET playbook = replace(playbook::text, %s, %s)::jsonb"
    async with bot.world.pool.connection() as conn:
        done = await conn.execute(query, [was, now])
        assert done.rowcount == 1


# Words that are none.


@pytest.mark.parametrize(
    ("word", "values", "blank"),
    [
        ("resolve", {"resolution": "over"}, "resolution"),
        ("update", {"status": "identified", "impact": "x", "current": "x"}, "impact"),
        ("update", {"status": "identified", "impact": "x", "current": "x"}, "current"),
    ],
)
async def test_blank_words_are_answered_in_the_form(
    walk: Walk, word: str, values: dict[str, str], blank: str
) -> None:
    channel = await walk.declare()
    await walk.say("oncall", f"/incident {word}", channel)
    sent = await walk.submit("oncall", **values)

    for words in ("   ", " \n\t", "\u00a0"):
        answer = (await raw(walk, sent, view=filled(sent, **{blank: words}))).answer
        sentence = "Write something here; spaces alone say nothing."
        assert answer == {"response_action": "errors", "errors": {blank: sentence}}


async def test_a_blank_reason_to_deny_is_answered_in_the_form(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.press("lead", presses.DENY, channel)

    with pytest.raises(Refusal) as refused:
        await walk.submit("lead", reason="  ")

    assert list(refused.value.errors) == ["reason"]
    assert "Needs 1 more approval" in walk.text(channel)


@pytest.mark.parametrize(
    ("replicas", "sentence"), [("0", "Write 1 or more."), ("six", "Write a whole number.")]
)
async def test_a_wrong_number_is_answered_for_people(
    walk: Walk, replicas: str, sentence: str
) -> None:
    channel = await walk.declare(severity="sev3")
    await walk.step("oncall", "scale-up", channel)
    sent = await walk.submit("oncall", reason="The pods are busy")

    answer = (await raw(walk, sent, view=filled(sent, replicas=replicas))).answer

    assert answer["errors"] == {"replicas": sentence}


async def test_a_choice_that_is_none_is_answered_for_people(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    sent = await walk.submit("oncall", severity="sev3", title="Slow")
    view = filled(sent)
    view["state"]["values"]["severity"]["severity"]["selected_option"]["value"] = "sev9"

    answer = (await raw(walk, sent, view=view)).answer

    assert answer["errors"] == {"severity": "Choose one of 'sev1', 'sev2', 'sev3' or 'sev4'."}


# An answer reaches people whichever way is left.


async def test_who_only_looks_into_a_channel_is_answered(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)

    await walk.press("outsider", presses.APPROVE, channel)

    assert "not in the approver group" in walk.text(channel, "outsider")


async def late(walk: Walk, sent: Delivery) -> None:
    """The same again as something new, when its address answers no more."""
    walk.slack.expire_response_urls()
    await raw(walk, sent, trigger_id="1.2")


async def test_when_the_address_expired_the_answer_is_in_the_channel(walk: Walk) -> None:
    channel = await walk.declare()
    sent = await walk.press("second", presses.TAKE_COMMAND, channel)

    await late(walk, sent)

    told = walk.slack.ephemerals(channel, "second")
    assert "is in command already" in str(told)


async def test_who_only_looks_in_is_answered_directly_when_the_address_expired(
    walk: Walk, broken: Cluster
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    sent = await walk.press("outsider", presses.APPROVE, channel)
    assert "not in the approver group" not in walk.text("runbolt", "outsider")

    await late(walk, sent)

    assert "not in the approver group" in walk.text("runbolt", "outsider")


async def test_where_the_bot_is_not_the_answer_comes_directly_when_the_address_expired(
    walk: Walk,
) -> None:
    sent = await walk.say("oncall", "/incident note x", "random")

    await late(walk, sent)

    assert "not an incident's channel" in walk.text("runbolt", "oncall")


async def test_an_address_that_is_used_up_is_no_reason_to_be_silent(walk: Walk) -> None:
    sent = await walk.say("oncall", "/incident note x", "random")
    assert "not an incident's channel" not in walk.text("runbolt", "oncall")

    for use in range(5):
        await raw(walk, sent, trigger_id=f"{use}.2")

    assert "not an incident's channel" in walk.text("runbolt", "oncall")


async def test_the_home_tab_offers_to_declare_without_alarm(walk: Walk) -> None:
    await walk.slack.open_home("oncall")
    await walk.bot.quiet()

    button = walk.slack.find_button(presses.OPEN_DECLARE, user="oncall")
    assert button.element["style"] == "primary"


# Slack delivers at least once.


async def again(walk: Walk, delivery: Delivery) -> None:
    """The very same delivery, twice more."""
    for _ in range(2):
        assert (await walk.slack.redeliver(delivery)).ok
        await walk.bot.quiet()


async def test_a_press_delivered_again_does_nothing(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    sent = await walk.step("oncall", "pods", channel)
    before, seen = await entries(bot), walk.text(channel, "oncall")

    await again(walk, sent)

    assert await entries(bot) == before
    assert walk.text(channel, "oncall") == seen


async def test_an_approval_delivered_again_does_nothing(
    walk: Walk, bot: Bot, broken: Cluster
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    sent = await walk.press("second", presses.APPROVE, channel)
    before = await entries(bot)

    await again(walk, sent)

    assert await entries(bot) == before
    assert len([one for one in broken.writes if one.verb == "patch"]) == 1


async def test_a_snooze_delivered_again_does_nothing(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.press("second", presses.TAKE_COMMAND, channel)
    clock.forward(minutes=15.1)
    await bot.tick()
    sent = await walk.press("second", presses.SNOOZES[0], channel)
    before = await entries(bot)
    assert before.count("snoozed") == 1

    await again(walk, sent)

    assert await entries(bot) == before


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("resolve", {"resolution": "over"}),
        ("update", {"status": "identified", "impact": "x", "current": "x"}),
    ],
)
async def test_a_form_delivered_again_does_nothing(
    walk: Walk, bot: Bot, word: str, values: dict[str, str]
) -> None:
    channel = await walk.declare()
    await walk.say("oncall", f"/incident {word}", channel)
    sent = await walk.submit("oncall", **values)
    before, seen = await entries(bot), walk.text(channel, "oncall")

    await again(walk, sent)

    assert await entries(bot) == before
    assert walk.text(channel, "oncall") == seen


async def test_a_request_delivered_again_is_one_request(
    walk: Walk, bot: Bot, broken: Cluster
) -> None:
    channel = await walk.declare()
    sent = await walk.ask_for_rollback(channel)

    await again(walk, sent)

    async with bot.world.pool.connection() as conn:
        assert await store.executions.get(conn, ExecutionId(2)) is None
        run = await store.executions.get(conn, ExecutionId(1))
    assert run is not None
    assert run.state is State.PROPOSED


async def test_an_event_delivered_again_does_nothing(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await walk.say("second", "the deploy was at 02:55", channel)
    ts = walk.slack.messages(channel, "second")[-1]["ts"]
    sent = await walk.slack.react("oncall", "pushpin", channel, ts)
    await bot.quiet()
    before, seen = await entries(bot), walk.text(channel, "oncall")

    await again(walk, sent)

    assert before.count("pinned") == 1
    assert await entries(bot) == before
    assert walk.text(channel, "oncall") == seen


async def test_a_mention_delivered_again_is_answered_once(walk: Walk) -> None:
    channel = await walk.declare()
    sent = await walk.say("oncall", f"<@{walk.slack.bot_user}> hello?", channel)

    await again(walk, sent)

    assert walk.text(channel, "oncall").count("What you can say") == 1


async def test_a_note_delivered_again_is_one_note(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    sent = await walk.say("oncall", "/incident note it is DNS", channel)

    await again(walk, sent)

    assert (await entries(bot)).count("noted") == 1


async def test_a_channel_that_slack_refuses_is_said(walk: Walk) -> None:
    walk.slack.fail("conversations.create", error="restricted_action", times=None)

    for who in ("oncall", "second"):
        await walk.say(who, "/incident declare sev1 It burns")

    first, second = walk.text("general", "oncall"), walk.text("general", "second")
    assert "Declared SEV-1 INC-1. Slack does not let its channel through yet" in first
    assert "INC-1 was declared in the same words just now. Slack does not let" in second
