"""How the simulated Slack reaches an app: over HTTP or a socket, late, twice, or not at all."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientSession, WSServerHandshakeError, web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

from sandbox.slack import Delivery, Refusal, Slack
from tests.slackapps import (
    app,
    bolt,
    channel_of,
    client,
    collect_payloads,
    listening,
    open_form,
    slack,
)

__all__ = ["app", "slack"]


async def test_person_learns_that_app_failed(
    slack: Slack,
) -> None:
    slack.core.deliveries.acknowledge_seconds = 0.05
    statuses = iter([None, 500, 404])

    async def handle(request: web.Request) -> web.Response:
        status = next(statuses)
        if status is None:
            await asyncio.Event().wait()
        return web.Response(status=status or 200)

    async with listening(handle, slack):
        for _ in range(3):
            await slack.say("oncall", "/help-me")
    await slack.say("oncall", "/help-me")

    codes = ("operation_timeout", "http_service_error", "http_client_error", "dispatch_failed")
    expected = [f'/help-me failed with the error "{code}"' for code in codes]
    assert [message["text"] for message in slack.ephemerals("general", "oncall")] == expected


async def test_app_hears_only_its_channels(slack: Slack, app: AsyncApp) -> None:
    channel = await channel_of(slack, "oncall")
    heard, mentions = (
        collect_payloads(app, app.event("message")),
        collect_payloads(app, app.event("app_mention")),
    )
    await slack.say("oncall", "unheard", "random")
    await slack.say("oncall", f"<@{slack.bot_user}> 1 < 2 & @lead", channel)
    lead = slack.user("lead").id
    said = [delivery["event"]["text"] for delivery in heard if "subtype" not in delivery["event"]]
    assert said == [f"<@{slack.bot_user}> 1 &lt; 2 &amp; <@{lead}>"]
    assert len(mentions) == 1
    assert len(slack.notifications("lead")) == 1


async def test_without_its_scope_nothing_arrives(slack: Slack, app: AsyncApp) -> None:
    channel = await channel_of(slack, "oncall")
    slack.revoke("channels:history", "reactions:read", "commands")
    heard = len(slack.deliveries)
    await slack.say("oncall", "hello", channel)
    await slack.react("oncall", "eyes", channel, slack.messages(channel)[-1]["ts"])
    for refused in (slack.say("oncall", "/help-me"), slack.shortcut("oncall", "begin")):
        with pytest.raises(Refusal):
            await refused
    await slack.settled()
    assert len(slack.deliveries) == heard


async def test_event_repeats_until_accepted(slack: Slack) -> None:
    seen: list[tuple[str | None, str | None]] = []

    async def handle(request: web.Request) -> web.Response:
        headers = request.headers
        seen.append((headers.get("x-slack-retry-num"), headers.get("x-slack-retry-reason")))
        return web.Response(status=200 if len(seen) == 3 else 500)

    async with listening(handle, slack):
        delivery = await slack.open_home("oncall")
        assert not delivery.ok
        await slack.settled(retries=True)
    assert seen == [(None, None), ("1", "http_error"), ("2", "http_error")]
    assert delivery.ok


async def test_the_same_delivery_again(slack: Slack, app: AsyncApp) -> None:
    heard = collect_payloads(app, app.command("/help-me"))
    first = await slack.say("oncall", "/help-me x")
    again: Delivery = await slack.redeliver(first)
    assert again.ok
    assert heard[0] == heard[1]
    assert first.headers == again.headers
    assert (await slack.verify_url()).ok


async def test_socket_and_ticket_limits_hold(slack: Slack) -> None:
    async with ClientSession() as session, AsyncExitStack() as open_ones:

        async def connect() -> dict[str, Any]:
            opened = await client(slack).apps_connections_open(app_token=slack.app_token)
            address = opened["url"]
            socket = await open_ones.enter_async_context(session.ws_connect(address))
            first: dict[str, Any] = await socket.receive_json()
            with pytest.raises(WSServerHandshakeError):
                await session.ws_connect(address)
            return first

        slack.rate_limits = False
        hellos = [await connect() for _ in range(10)]
        assert [hello["num_connections"] for hello in hellos] == list(range(1, 11))
        assert (await connect())["reason"] == "too_many_websockets"


async def test_socket_mode_carries_everything(slack: Slack) -> None:
    app = bolt(slack)
    commands, forms = (
        collect_payloads(app, app.command("/help-me")),
        collect_payloads(app, app.view("form")),
    )
    homes = collect_payloads(app, app.event("app_home_opened"))
    handler = AsyncSocketModeHandler(app, slack.app_token, web_client=client(slack))
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]
        await slack.wait_for(lambda: slack.sockets == 1)
        assert (await slack.say("oncall", "/help-me x")).ok
        view_id = await open_form(slack)
        await slack.submit("oncall", view_id, {"words": {"words": "x"}})
        assert (await slack.open_home("oncall")).ok
        await slack.refresh_sockets()
        await slack.wait_for(lambda: slack.sockets == 1)
        assert (await slack.say("oncall", "/help-me y")).ok
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]
    assert [body["text"] for body in commands] == ["x", "y"]
    assert len(forms) == len(homes) == 1
