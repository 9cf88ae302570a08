"""What people do in the simulated Slack reaches an app of the real framework, and comes back."""

from typing import Any

import pytest
from aiohttp import ClientSession
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from sandbox.slack import Refusal, Slack
from tests.slackapps import (
    FORM,
    OPTIONS,
    Body,
    actions,
    app,
    button,
    channel_of,
    client,
    collect_payloads,
    modal,
    open_form,
    plain,
    section,
    slack,
)

__all__ = ["app", "slack"]


async def test_a_signed_command_and_its_answer(slack: Slack, app: AsyncApp) -> None:
    @app.command("/help-me")
    async def help_me(ack: Any, command: Body) -> None:
        await ack(f"You said: {command['text']}")

    delivery = await slack.say("oncall", "/help-me ask @second in #random, see https://a.example")

    assert delivery.ok
    assert delivery.seconds < 3
    second, random = slack.user("second").id, slack.channel("random").id
    said = f"You said: ask <@{second}|second> in <#{random}|random>, see <https://a.example>"
    assert [message["text"] for message in slack.ephemerals("general", "oncall")] == [said]
    assert not slack.ephemerals("general", "second")
    verifier = SignatureVerifier(slack.signing_secret)
    assert verifier.is_valid_request(delivery.body, delivery.headers)
    assert not SignatureVerifier("other").is_valid_request(delivery.body, delivery.headers)


async def test_plain_names_without_escaping(slack: Slack, app: AsyncApp) -> None:
    heard = collect_payloads(app, app.command("/plain"))
    await slack.say("oncall", f"/plain <@{slack.user('second').id}> & #random")
    assert heard[0]["text"] == "@second & #random"


@pytest.mark.parametrize(
    ("text", "thread", "sentence"),
    [
        ("/unheard-of x", False, "is not a valid command"),
        ("/help-me x", True, "is not supported in threads"),
        ("  ", False, "nothing to send"),
    ],
)
async def test_what_cannot_be_said(
    slack: Slack, app: AsyncApp, text: str, thread: bool, sentence: str
) -> None:
    await slack.say("oncall", "root", "random")
    ts = slack.messages("random")[-1]["ts"] if thread else ""
    with pytest.raises(Refusal, match=sentence):
        await slack.say("oncall", text, "random", thread_ts=ts)
    assert not [delivery for delivery in slack.deliveries if delivery.kind == "slash_commands"]


async def test_a_trigger_opens_one_modal(slack: Slack, app: AsyncApp) -> None:
    heard = collect_payloads(app, app.command("/help-me"))
    await slack.say("oncall", "/help-me")
    await slack.say("oncall", "/help-me")
    first, second = (body["trigger_id"] for body in heard)
    web_client = client(slack)
    await web_client.views_open(trigger_id=first, view=modal(section("x")))
    slack.expire_triggers()
    for trigger, code in (
        (first, "exchanged_trigger_id"),
        (second, "expired_trigger_id"),
        ("1.2", "invalid_trigger_id"),
    ):
        with pytest.raises(SlackApiError) as caught:
            await web_client.views_open(trigger_id=trigger, view=modal(section("x")))
        assert caught.value.response["error"] == code
    assert len(slack.views("oncall")) == 1
    assert not slack.views("second")


async def test_each_element_arrives_as_itself(slack: Slack, app: AsyncApp) -> None:
    heard = collect_payloads(app, app.view("form"))
    view_id = await open_form(slack)
    filled: dict[str, Body] = {
        "words": {"words": "short"},
        "colour": {"colour": "green"},
        "boxes": {"boxes": ["red"]},
        "who": {"who": ["second", slack.user("lead").id]},
        "where": {"where": "#random"},
        "many": {"many": 7},
    }
    await slack.submit("oncall", view_id, filled)
    state = heard[0]["view"]["state"]["values"]
    text = {"type": "plain_text", "text": "green"}
    assert state["words"]["words"] == {"type": "plain_text_input", "value": "short"}
    assert state["colour"]["colour"]["selected_option"] == {"text": text, "value": "green"}
    assert [option["value"] for option in state["boxes"]["boxes"]["selected_options"]] == ["red"]
    people = [slack.user("second").id, slack.user("lead").id]
    assert state["who"]["who"]["selected_users"] == people
    assert state["where"]["where"]["selected_conversation"] == slack.channel("random").id
    assert state["many"]["many"]["value"] == "7"
    assert heard[0]["view"]["private_metadata"] == "kept"
    assert not slack.views("oncall")


@pytest.mark.parametrize(
    ("values", "block"),
    [
        ({}, "words"),
        ({"words": {"words": "  "}}, "words"),
        ({"words": {"words": "too long"}}, "words"),
        ({"words": {"words": "x"}, "many": {"many": "x"}}, "many"),
        ({"words": {"words": "x"}, "many": {"many": 10}}, "many"),
        ({"words": {"words": "x"}, "many": {"many": "1.5"}}, "many"),
    ],
)
async def test_slack_checks_a_form_first(
    slack: Slack, app: AsyncApp, values: dict[str, dict[str, Any]], block: str
) -> None:
    view_id = await open_form(slack)
    with pytest.raises(Refusal) as caught:
        await slack.submit("oncall", view_id, values)
    assert list(caught.value.errors) == [block]
    assert not slack.deliveries


@pytest.mark.parametrize(
    "values",
    [
        {"nowhere": {"words": "x"}},
        {"words": {"other": "x"}},
        {"colour": {"colour": "blue"}},
        {"who": {"who": ["nobody"]}},
        {"boxes": {"boxes": "red"}},
    ],
)
async def test_only_offered_options_fit(
    slack: Slack, app: AsyncApp, values: dict[str, dict[str, Any]]
) -> None:
    view_id = await open_form(slack)
    with pytest.raises(Refusal):
        await slack.submit("oncall", view_id, {"words": {"words": "x"}, **values})
    with pytest.raises(Refusal):
        await slack.submit("second", view_id, {"words": {"words": "x"}})


async def test_answers_to_a_form(slack: Slack, app: AsyncApp) -> None:
    other = modal(section("more"), callback_id="other")
    answers: list[Body] = [
        {"response_action": "errors", "errors": {"words": "Not that."}},
        {"response_action": "errors", "errors": {"elsewhere": "Not that."}},
        {"response_action": "update", "view": FORM},
        {"response_action": "push", "view": {**other, "title": plain("x" * 25)}},
        {"response_action": "push", "view": other},
    ]

    @app.view("form")
    async def form(ack: Any) -> None:
        await ack(**answers.pop(0))

    @app.view("other")
    async def other_form(ack: Any) -> None:
        await ack(response_action="clear")

    view_id = await open_form(slack)
    filled = {"words": {"words": "x"}}
    for errors in ({"words": "Not that."}, {}):
        with pytest.raises(Refusal) as caught:
            await slack.submit("oncall", view_id, filled)
        assert caught.value.errors == errors
    await slack.submit("oncall", view_id, filled)
    with pytest.raises(Refusal, match="trouble connecting"):
        await slack.submit("oncall", view_id, filled)
    await slack.submit("oncall", view_id, filled)
    below, top = slack.views("oncall")
    assert top["previous_view_id"] == below["id"]
    with pytest.raises(Refusal, match="on top"):
        await slack.submit("oncall", view_id, filled)
    await slack.submit("oncall", top["id"])
    assert not slack.views("oncall")


async def test_three_modals_and_their_hashes(slack: Slack) -> None:
    web_client = client(slack)
    view_id = await open_form(slack)
    for _ in range(2):
        trigger = slack.core.trigger(slack.user("oncall"), view_id)
        await web_client.views_push(trigger_id=trigger, view=modal(section("x")))
    trigger = slack.core.trigger(slack.user("oncall"), view_id)
    with pytest.raises(SlackApiError, match="push_limit_reached"):
        await web_client.views_push(trigger_id=trigger, view=modal(section("x")))
    top = slack.views("oncall")[-1]
    await web_client.views_update(view_id=top["id"], hash=top["hash"], view=modal(section("y")))
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await web_client.views_update(view_id=top["id"], hash=top["hash"], view=modal(section("z")))


async def test_five_answers_to_a_press(slack: Slack, app: AsyncApp) -> None:
    channel = await channel_of(slack, "oncall")
    heard = collect_payloads(app, app.action("go"))
    blocks = [actions(button("go", value="7"))]
    await client(slack).chat_postMessage(channel=channel, text="x", blocks=blocks)

    await slack.press("oncall", slack.find_button("Press", channel))

    (body,) = heard
    assert (body["actions"][0]["value"], body["message"]["text"]) == ("7", "x")
    url = body["response_url"]
    async with ClientSession() as session:
        answers: list[Body] = [{"text": str(n)} for n in range(3)]
        answers += [{"replace_original": True, "text": "done"}, {"text": ""}, {"text": "late"}]
        statuses = []
        for answer in answers:
            async with session.post(url, json=answer) as response:
                statuses.append(response.status)
    assert statuses == [200, 200, 200, 200, 400, 404]
    assert len(slack.ephemerals(channel, "oncall")) == 3
    assert "done" in slack.text(channel)
    with pytest.raises(Refusal):
        slack.find_button("go", channel)


async def test_a_press_names_its_button(slack: Slack, app: AsyncApp) -> None:
    channel = await channel_of(slack, "oncall")
    blocks = [actions(button("go", value="1")), actions(button("go", value="2"))]
    posted = await client(slack).chat_postMessage(channel=channel, text="x", blocks=blocks)
    heard = collect_payloads(app, app.action("go"))
    where = {"channel": channel, "ts": posted["ts"]}
    for wrong in ("gone", "go"):
        with pytest.raises(Refusal):
            await slack.press("oncall", action_id=wrong, **where)
    await slack.press("oncall", action_id="go", value="2", **where)
    assert heard[0]["actions"][0]["value"] == "2"


@pytest.mark.parametrize(
    ("element", "press"),
    [
        (button("go", value="1"), {"value": "1"}),
        ({"type": "overflow", "action_id": "go", "options": OPTIONS}, {"value": "red"}),
    ],
    ids=["button", "menu"],
)
@pytest.mark.parametrize("kept", [False, True], ids=["gone", "offering-less"])
async def test_a_stale_press_arrives(
    slack: Slack, app: AsyncApp, element: Body, press: Body, kept: bool
) -> None:
    channel = await channel_of(slack, "oncall")
    heard = collect_payloads(app, app.action("go"))
    web = client(slack)
    blocks = [actions(element, block_id="row")]
    posted = await web.chat_postMessage(channel=channel, text="before", blocks=blocks)
    other = {**element, "value": "2"} if "value" in element else {**element, "options": OPTIONS[1:]}
    left = [actions(other, block_id="row")] if kept else [section("done")]
    await web.chat_update(channel=channel, ts=posted["ts"], text="after", blocks=left)
    place = {"channel": channel, "ts": posted["ts"], "block_id": "row"}

    await slack.press("oncall", action_id="go", **place, **press)

    (body,) = heard
    (action,) = body["actions"]
    chosen = action.get("value") or action["selected_option"]["value"]
    assert (action["block_id"], chosen) == ("row", press["value"])
    assert body["message"]["text"] == "before"
    assert slack.messages(channel)[-1]["text"] == "after"


async def test_no_press_without_a_button(slack: Slack, app: AsyncApp) -> None:
    channel = await channel_of(slack, "oncall")
    web = client(slack)
    posted = await web.chat_postMessage(channel=channel, text="x", blocks=[actions(button("go"))])
    await web.chat_update(channel=channel, ts=posted["ts"], text="y", blocks=[section("y")])

    refused = f"There is no stop to press in the message {posted['ts']}."
    with pytest.raises(Refusal, match=refused):
        await slack.press("oncall", action_id="stop", channel=channel, ts=posted["ts"])
    # Who does not say which message means what is to be seen now.
    with pytest.raises(Refusal, match=f"There is no go to press in #{slack.channel(channel).name}"):
        await slack.press("oncall", action_id="go", channel=channel)


async def test_ephemeral_presses_lack_the_message(slack: Slack, app: AsyncApp) -> None:
    channel = await channel_of(slack, "oncall", "second")
    heard = collect_payloads(app, app.action("go"))
    oncall = slack.user("oncall").id
    await client(slack).chat_postEphemeral(
        channel=channel, user=oncall, text="x", blocks=[actions(button("go"))]
    )
    with pytest.raises(Refusal):
        await slack.press("second", action_id="go", channel=channel)
    await slack.press("oncall", action_id="go", channel=channel)
    assert "message" not in heard[0]
    assert heard[0]["container"]["is_ephemeral"]


async def test_shortcuts_the_home_and_reactions_arrive(slack: Slack, app: AsyncApp) -> None:
    channel = await channel_of(slack, "oncall")
    begun, kept = (
        collect_payloads(app, app.shortcut("begin")),
        collect_payloads(app, app.shortcut("keep")),
    )
    homes, reactions = (
        collect_payloads(app, app.event("app_home_opened")),
        collect_payloads(app, app.event("reaction_added")),
    )
    collect_payloads(app, app.event("message"))
    await slack.say("oncall", "look", channel)
    ts = slack.messages(channel)[-1]["ts"]

    await slack.shortcut("oncall", "begin")
    await slack.shortcut("oncall", "keep", channel, ts)
    await slack.react("oncall", "pushpin", channel, ts)
    await slack.open_home("oncall")

    assert begun[0]["type"] == "shortcut"
    assert kept[0]["message"]["text"] == "look"
    assert reactions[0]["event"]["item"] == {"type": "message", "channel": channel, "ts": ts}
    assert homes[0]["event"]["tab"] == "home"
    with pytest.raises(Refusal):
        await slack.shortcut("oncall", "keep")
