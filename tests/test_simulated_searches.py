"""Selects whose options the app looks up: the simulated Slack takes what Slack takes, no more."""

import asyncio
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from sandbox.slack import Refusal, Slack
from tests.slackapps import (
    actions,
    app,
    bolt,
    channel_of,
    client,
    collect_payloads,
    input_block,
    modal,
    open_form,
    plain,
    section,
    slack,
)

__all__ = ["app", "slack"]

SEARCH = {"type": "external_select", "action_id": "find", "placeholder": plain("Search")}
FORM = modal(input_block("what", SEARCH | {"min_query_length": 2}, optional=True))


def options(*names: str) -> list[dict[str, Any]]:
    return [{"text": plain(name), "value": name.lower()} for name in names]


@pytest.fixture
def with_options(slack: Slack, app: AsyncApp) -> None:
    """An Options Load URL, as an app over HTTP needs one."""
    slack.options_url = slack.request_url


def answering(app: AsyncApp, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Have the app answer this, and keep what came."""
    bodies: list[dict[str, Any]] = []

    @app.options("find")
    async def find(ack: Any, body: dict[str, Any]) -> None:
        bodies.append(body)
        await ack(**answer)

    return bodies


@pytest.mark.usefixtures("with_options")
async def test_what_is_typed_is_sent(slack: Slack, app: AsyncApp) -> None:
    bodies = answering(app, {"options": options("Checkout", "Cart")})
    view = await open_form(slack, FORM)

    found = await slack.suggest("oncall", "ch", action_id="find", view_id=view)

    assert found == options("Checkout", "Cart")
    [body] = bodies
    user = slack.user("oncall")
    assert body["type"] == "block_suggestion"
    assert (body["value"], body["action_id"], body["block_id"]) == ("ch", "find", "what")
    assert body["container"] == {"type": "view", "view_id": view}
    assert (body["view"]["id"], body["user"]["id"]) == (view, user.id)
    assert not body.keys() & {"trigger_id", "response_url", "actions"}


@pytest.mark.usefixtures("with_options")
async def test_only_what_was_offered_is_chosen(slack: Slack, app: AsyncApp) -> None:
    answering(app, {"options": options("Checkout")})
    sent = collect_payloads(app, app.view("form"))
    view = await open_form(slack, FORM)
    chosen = {"what": {"find": "checkout"}}
    with pytest.raises(Refusal, match="does not offer checkout"):
        await slack.submit("oncall", view, chosen)

    await slack.suggest("oncall", "che", action_id="find", view_id=view)
    await slack.submit("oncall", view, chosen)

    [option] = options("Checkout")
    assert sent[0]["view"]["state"]["values"]["what"]["find"] == {
        "type": "external_select",
        "selected_option": option,
    }


@pytest.mark.usefixtures("with_options")
async def test_a_search_in_a_message(slack: Slack, app: AsyncApp) -> None:
    bodies = answering(app, {"options": options("Checkout")})
    pressed = collect_payloads(app, app.action("find"))
    channel = await channel_of(slack, "oncall")
    row = actions(SEARCH, block_id="row")
    posted = await client(slack).chat_postMessage(
        channel=channel, text="-", blocks=[section("-"), row]
    )
    place = {"action_id": "find", "channel": "inc-1", "ts": posted["ts"]}

    await slack.suggest("oncall", "check", **place)
    await slack.press("oncall", **place, value="checkout")

    assert bodies[0]["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": channel,
        "is_ephemeral": False,
    }
    assert pressed[0]["actions"][0]["selected_option"]["value"] == "checkout"
    assert "options" not in pressed[0]["actions"][0]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"options": options(*(f"n{number}" for number in range(101)))}, "no more than 100"),
        ({"options": options("x" * 76)}, "no more than 75"),
        ({"options": [{"text": plain("a"), "value": "b" * 151}]}, "no more than 150"),
        ({"options": options("Same", "same")}, "same value"),
        ({"options": [{"text": {"type": "mrkdwn", "text": "a"}, "value": "b"}]}, "unsupported"),
        ({"options": [{"text": plain("a"), "value": "b", "colour": "red"}]}, "colour"),
        ({}, "must be an object"),
    ],
    ids=["many", "label", "value", "twice", "marks", "unknown", "nothing"],
)
@pytest.mark.usefixtures("with_options")
async def test_other_options_are_refused(
    slack: Slack, app: AsyncApp, answer: dict[str, Any], problem: str
) -> None:
    answering(app, answer)
    view = await open_form(slack, FORM)

    with pytest.raises(Refusal, match=problem):
        await slack.suggest("oncall", "che", action_id="find", view_id=view)


@pytest.mark.usefixtures("with_options")
async def test_no_options_are_an_answer(slack: Slack, app: AsyncApp) -> None:
    answering(app, {"options": []})
    view = await open_form(slack, FORM)

    assert await slack.suggest("oncall", "che", action_id="find", view_id=view) == []


@pytest.mark.usefixtures("with_options")
async def test_few_letters_ask_nobody(slack: Slack, app: AsyncApp) -> None:
    bodies = answering(app, {"options": []})
    view = await open_form(slack, FORM)
    with pytest.raises(Refusal, match="from 2 characters on"):
        await slack.suggest("oncall", "c", action_id="find", view_id=view)

    other = await open_form(slack, modal(input_block("what", SEARCH)))
    with pytest.raises(Refusal, match="from 3 characters on"):  # where the app says nothing
        await slack.suggest("oncall", "ch", action_id="find", view_id=other)

    assert bodies == []


@pytest.mark.usefixtures("with_options")
async def test_three_seconds_are_waited(slack: Slack, app: AsyncApp) -> None:
    slack.core.deliveries.acknowledge_seconds = 0.05
    released = asyncio.Event()

    @app.options("find")
    async def find(ack: Any) -> None:
        await released.wait()
        await ack(options=[])

    view = await open_form(slack, FORM)

    with pytest.raises(Refusal, match="operation_timeout"):
        await slack.suggest("oncall", "che", action_id="find", view_id=view)
    released.set()


async def test_no_address_no_options(slack: Slack, app: AsyncApp) -> None:
    bodies = answering(app, {"options": []})
    view = await open_form(slack, FORM)

    with pytest.raises(Refusal, match="no Options Load URL"):
        await slack.suggest("oncall", "che", action_id="find", view_id=view)

    assert bodies == []


async def test_options_come_through_a_socket(slack: Slack) -> None:
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

    app = bolt(slack)
    answering(app, {"options": options("Checkout")})
    handler = AsyncSocketModeHandler(app, slack.app_token, web_client=client(slack))
    await handler.connect_async()  # type: ignore[no-untyped-call]
    view = await open_form(slack, FORM)

    found = await slack.suggest("oncall", "che", action_id="find", view_id=view)

    assert found == options("Checkout")
    await handler.close_async()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "more",
    [
        {"options": options("Checkout")},
        {"min_query_length": -1},
        {"min_query_length": "2"},
        {"initial_option": "checkout"},
    ],
)
async def test_other_elements_are_refused(slack: Slack, more: dict[str, Any]) -> None:
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await open_form(slack, modal(input_block("what", SEARCH | more)))
