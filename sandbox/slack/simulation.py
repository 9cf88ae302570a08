"""The simulated Slack's interface for tests and the sandbox."""

import asyncio
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from sandbox.slack import manifest as manifests
from sandbox.slack.api import Api
from sandbox.slack.conditions import Conditions
from sandbox.slack.control import Control
from sandbox.slack.core import Core
from sandbox.slack.deliveries import Delivery
from sandbox.slack.errors import Obj
from sandbox.slack.model import Call
from sandbox.slack.reader import Button, Reader
from sandbox.slack.server import Server
from sandbox.slack.users import Press, Users
from sandbox.slack.values import Values
from sandbox.slack.workspace import BOT_USER_ID


class Slack(Reader, Conditions):
    """One workspace with one app in it. Use as `async with Slack(manifest=...) as slack`.

    `routes` are served beside those of the control interface, for what else the page shows.
    """

    def __init__(
        self,
        *,
        manifest: Path,
        port: int = 0,
        page: Path | None = None,
        latency: float = 0.0,
        rate_limits: bool = True,
        pace: float = 1.0,
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        self.core = Core(manifests.read(manifest), rate_limits=rate_limits, pace=pace)
        self.workspace = self.core.workspace
        self._users = Users(self.core)
        self._api = Api(self.core, latency)
        self._control = Control(self.core, self._users)
        self._page = page
        self._routes = tuple(routes)
        self._port = port
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        routes = (*self._control.routes(), *self._routes)
        self._server = Server(self.core, self._api, routes, self._page)
        self.workspace.url = await self._server.start(self._port)
        await self.core.deliveries.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.core.faults.heal()
        await self.core.deliveries.close()
        assert self._server is not None
        await self._server.stop()

    async def open(self, listener: socket.socket) -> None:
        """Listen on one more port for people; from now on that is the address."""
        assert self._server is not None
        self.workspace.url = await self._server.open(listener)

    # How to reach it.

    @property
    def url(self) -> str:
        """The address of everything."""
        return self.workspace.url

    @property
    def api_url(self) -> str:
        """The address of the Web API."""
        return f"{self.url}/api/"

    @property
    def bot_token(self) -> str:
        """The token for the Web API."""
        return self.core.bot_token

    @property
    def app_token(self) -> str:
        """The token for Socket Mode."""
        return self.core.app_token

    @property
    def signing_secret(self) -> str:
        """The secret that proves a request comes from here."""
        return self.core.signing_secret

    @property
    def bot_user(self) -> str:
        """The id of the bot."""
        return BOT_USER_ID

    @property
    def request_url(self) -> str | None:
        """The app's address for deliveries; without it, its sockets are used."""
        return self.core.deliveries.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.core.deliveries.request_url = url

    @property
    def options_url(self) -> str | None:
        """The app's Options Load URL; without it, an app that is called over HTTP has none."""
        return self.core.deliveries.options_url

    @options_url.setter
    def options_url(self, url: str | None) -> None:
        self.core.deliveries.options_url = url

    @property
    def info(self) -> Obj:
        """What `GET /sandbox/info` says: `kubeconfig` and `lines`, as the sandbox fills them in."""
        return self._control.info

    @info.setter
    def info(self, info: Obj) -> None:
        self._control.info = info

    @property
    def latency(self) -> float:
        """Seconds that each Web API call takes."""
        return self._api.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._api.latency = seconds

    @property
    def rate_limits(self) -> bool:
        """Whether calls are counted and refused when there are too many."""
        return self.core.limits.enabled

    @rate_limits.setter
    def rate_limits(self, enabled: bool) -> None:
        self.core.limits.enabled = enabled

    # What people do.

    async def say(
        self, user: str, text: str, channel: str = "general", thread_ts: str = ""
    ) -> Delivery:
        """Write a message or a slash command."""
        return await self._users.say(user, text, channel, thread_ts)

    async def press(
        self,
        user: str,
        button: Button | None = None,
        *,
        action_id: str = "",
        channel: str | None = None,
        ts: str | None = None,
        view_id: str | None = None,
        block_id: str | None = None,
        value: Any = None,
        values: Values | None = None,
    ) -> Delivery:
        """Press or choose something; without `ts`, in the newest message that has it."""
        if button is not None:
            place = (button.channel, button.ts, button.view_id, button.block_id)
            chosen = button.value if value is None else value
            press = Press(button.action_id, *place, chosen, values)
        else:
            press = Press(action_id, channel, ts, view_id, block_id, value, values)
        return await self._users.press(user, press)

    async def suggest(
        self,
        user: str,
        typed: str,
        *,
        action_id: str,
        channel: str | None = None,
        ts: str | None = None,
        view_id: str | None = None,
        block_id: str | None = None,
    ) -> list[Obj]:
        """Type in a select whose options the app looks up, and return these; raises Refusal."""
        press = Press(action_id, channel, ts, view_id, block_id)
        return await self._users.suggest(user, press, typed)

    async def submit(self, user: str, view_id: str, values: Values | None = None) -> Delivery:
        """Send a form; raises Refusal with `errors` when fields are refused."""
        return await self._users.submit(user, view_id, values or {})

    async def close(self, user: str, view_id: str) -> Delivery | None:
        """Close a form."""
        return await self._users.close(user, view_id)

    async def shortcut(
        self, user: str, callback_id: str, channel: str | None = None, ts: str | None = None
    ) -> Delivery:
        """Use a shortcut."""
        return await self._users.shortcut(user, callback_id, channel, ts)

    async def react(self, user: str, name: str, channel: str, ts: str) -> Delivery:
        """Put an emoji on a message, or take it back."""
        return await self._users.react(user, name, channel, ts)

    async def open_home(self, user: str) -> Delivery:
        """Open the app's Home."""
        return await self._users.open_home(user)

    def join(self, user: str, channel: str) -> None:
        """Join a public channel."""
        self._users.join(user, channel)

    def reload(self, user: str) -> None:
        """Load the client anew: ephemeral messages and forms are gone."""
        self._users.reload(user)

    # What went over the wire.

    @property
    def calls(self) -> list[Call]:
        """Every call of the Web API."""
        return self.workspace.calls

    def called(self, method: str) -> list[Call]:
        """The calls of one method."""
        return [call for call in self.calls if call.method == method]

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything that was delivered to the app."""
        return self.core.deliveries.sent

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Deliver the same payload again."""
        return await self.core.deliveries.redeliver(delivery)

    async def verify_url(self) -> Delivery:
        """Send the challenge that Slack sends when a request URL is entered."""
        challenge = self.workspace.ids.secret(40)
        payload = {
            "token": self.core.verification_token,
            "challenge": challenge,
            "type": "url_verification",
        }
        delivery = await self.core.deliveries.deliver("events_api", payload)
        answer = delivery.answer
        echoed = answer.get("challenge") if isinstance(answer, dict) else answer
        if echoed != challenge:
            delivery.error = delivery.error or "challenge_failed"
        return delivery

    async def refresh_sockets(self) -> None:
        """Ask the app to reconnect, as Slack does from time to time."""
        await self.core.deliveries.sockets.refresh()

    @property
    def sockets(self) -> int:
        """How many Socket Mode connections the app holds."""
        return self.core.deliveries.sockets.count

    async def settled(self, *, retries: bool = False) -> None:
        """Wait until no event and no file is under way; with `retries`, no retry either."""
        await self.core.deliveries.settled(retries=retries)

    async def wait_for(self, condition: Callable[[], Any], seconds: float = 5.0) -> Any:
        """Wait until a condition returns something true, and return that; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not (result := condition()):
                changed = self.workspace.changed_event
                try:
                    await asyncio.wait_for(changed.wait(), 0.05)
                except TimeoutError:
                    continue
        return result
