"""Slack, simulated at the wire: what tests and the sandbox hold in their hands."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sandbox.slack import manifest as manifests
from sandbox.slack import views
from sandbox.slack.api import Api
from sandbox.slack.blocks import every_block, interactive
from sandbox.slack.control import Control
from sandbox.slack.core import Core
from sandbox.slack.deliveries import Delivery
from sandbox.slack.errors import Obj, Refusal
from sandbox.slack.faults import Fault
from sandbox.slack.methods.conversations import close_channel
from sandbox.slack.model import Call, Channel, User
from sandbox.slack.persons import Persons, Press
from sandbox.slack.server import Server
from sandbox.slack.values import Values
from sandbox.slack.workspace import BOT_USER_ID, identity


@dataclass(frozen=True)
class Button:
    """Something to press, and where it is."""

    action_id: str
    block_id: str
    element: Obj
    channel: str | None = None
    ts: str | None = None
    view_id: str | None = None

    @property
    def value(self) -> str | None:
        """What comes back with the press."""
        return self.element.get("value")

    @property
    def text(self) -> str:
        """What is written on it."""
        return str(self.element.get("text", {}).get("text", ""))


class Slack:
    """One workspace with one app in it. Use as `async with Slack(manifest=...) as slack`."""

    def __init__(
        self,
        *,
        manifest: Path,
        port: int = 0,
        page: Path | None = None,
        latency: float = 0.0,
        rate_limits: bool = True,
        pace: float = 1.0,
    ) -> None:
        self.core = Core(manifests.read(manifest), rate_limits=rate_limits, pace=pace)
        self.workspace = self.core.workspace
        self._persons = Persons(self.core)
        self._api = Api(self.core, latency)
        self._control = Control(self.core, self._persons)
        self._page = page
        self._port = port
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = Server(self.core, self._api, self._control, self._page)
        self.workspace.url = await self._server.start(self._port)
        await self.core.deliveries.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.core.faults.heal()
        await self.core.deliveries.close()
        assert self._server is not None
        await self._server.stop()

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
        """Where the app is told; without it, over its sockets."""
        return self.core.deliveries.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.core.deliveries.request_url = url

    @property
    def info(self) -> Obj:
        """What `GET /sandbox/info` says: `kubeconfig` and `lines`, as the sandbox fills them in."""
        return self._control.info

    @info.setter
    def info(self, told: Obj) -> None:
        self._control.info = told

    @property
    def latency(self) -> float:
        """Seconds that each Web API call takes."""
        return self._api.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._api.latency = seconds

    # What people do.

    async def say(
        self, user: str, text: str, channel: str = "general", thread_ts: str = ""
    ) -> Delivery:
        """Write a message or a slash command."""
        return await self._persons.say(user, text, channel, thread_ts)

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
            press = Press(button.action_id, *place, value, values)
        else:
            press = Press(action_id, channel, ts, view_id, block_id, value, values)
        return await self._persons.press(user, press)

    async def submit(self, user: str, view_id: str, values: Values | None = None) -> Delivery:
        """Send a form; raises Refusal with `errors` when fields are refused."""
        return await self._persons.submit(user, view_id, values or {})

    async def close(self, user: str, view_id: str) -> Delivery | None:
        """Close a form."""
        return await self._persons.close(user, view_id)

    async def shortcut(
        self, user: str, callback_id: str, channel: str | None = None, ts: str | None = None
    ) -> Delivery:
        """Use a shortcut."""
        return await self._persons.shortcut(user, callback_id, channel, ts)

    async def react(self, user: str, name: str, channel: str, ts: str) -> Delivery:
        """Put an emoji on a message, or take it back."""
        return await self._persons.react(user, name, channel, ts)

    async def open_home(self, user: str) -> Delivery:
        """Open the app's Home."""
        return await self._persons.open_home(user)

    def join(self, user: str, channel: str) -> None:
        """Join a public channel."""
        self._persons.join(user, channel)

    def reload(self, user: str) -> None:
        """Load the client anew: ephemeral messages and forms are gone."""
        self._persons.reload(user)

    # What people see.

    def messages(self, channel: str, user: str | None = None) -> list[Obj]:
        """A channel as somebody sees it (threads nested); without somebody, everything."""
        return self._persons.messages(channel, user)

    def text(self, channel: str, user: str | None = None) -> str:
        """All words in a channel, threads and blocks included, without what Slack itself wrote."""
        every = [one for message in self.messages(channel, user) for one in _with_replies(message)]
        said = [one for one in every if not str(one.get("subtype", "")).startswith("channel_")]
        return "\n".join(line for message in said for line in _lines(message))

    def ephemerals(self, channel: str, user: str) -> list[Obj]:
        """What only this person sees in a channel."""
        every = [one for top in self.messages(channel, user) for one in _with_replies(top)]
        return [one for one in every if one["ephemeral"]]

    def views(self, user: str) -> list[Obj]:
        """Somebody's open forms, the topmost last."""
        stack = self.workspace.stacks.get(self.workspace.user(user).id, [])
        return [views.described(view, identity()) for view in stack]

    def home(self, user: str) -> Obj | None:
        """Somebody's Home of the app."""
        view = self.workspace.homes.get(self.workspace.user(user).id)
        return views.described(view, identity()) if view else None

    def channels(self, user: str | None = None) -> list[Obj]:
        """Every channel that somebody can see."""
        found: list[Obj] = self._control.channels({"user": user})["channels"]
        return found

    def channel(self, name: str) -> Channel:
        """A channel by its name or id; raises Refusal."""
        return self.workspace.channel(name)

    def user(self, name: str) -> User:
        """Somebody by handle or id; raises Refusal."""
        return self.workspace.user(name)

    def notifications(self, user: str) -> list[Obj]:
        """Where somebody was mentioned."""
        id = self.workspace.user(user).id
        return [note for note in self.workspace.notifications if note["user"] == id]

    def file(self, id: str) -> bytes:
        """The content of a file."""
        return self.workspace.files[id].content or b""

    def find_buttons(
        self, wanted: str, channel: str | None = None, user: str | None = None
    ) -> list[Button]:
        """Everything to press with this action_id or text: in a channel, or in somebody's views."""
        return [one for one in self._buttons(channel, user) if wanted in (one.action_id, one.text)]

    def find_button(
        self, wanted: str, channel: str | None = None, user: str | None = None
    ) -> Button:
        """The newest of them; raises Refusal when there is none."""
        found = self.find_buttons(wanted, channel, user)
        if not found:
            raise Refusal(
                f"There is no button {wanted} in {channel or 'the views of ' + str(user)}."
            )
        return found[-1]

    def _buttons(self, channel: str | None, user: str | None) -> list[Button]:
        if channel is None:
            home = self.home(user) if user else None
            shown = [*([home] if home else []), *self.views(user or "")]
            return [
                Button(element["action_id"], block["block_id"], element, view_id=view["id"])
                for view in shown
                for block in every_block(view["blocks"])
                for element in interactive(block)
            ]
        every = [one for top in self.messages(channel, user) for one in _with_replies(top)]
        return [
            Button(element["action_id"], block["block_id"], element, channel, message["ts"])
            for message in sorted(every, key=lambda one: str(one["ts"]))
            for block in every_block(message.get("blocks", []))
            for element in interactive(block)
        ]

    # What went over the wire.

    @property
    def calls(self) -> list[Call]:
        """Every call of the Web API."""
        return self.workspace.calls

    def called(self, method: str) -> list[Call]:
        """Every call of one method."""
        return [call for call in self.calls if call.method == method]

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything the app was told."""
        return self.core.deliveries.sent

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Deliver the very same thing once more."""
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
        given = answer.get("challenge") if isinstance(answer, dict) else answer
        if given != challenge:
            delivery.error = delivery.error or "challenge_failed"
        return delivery

    async def refresh_sockets(self) -> None:
        """Ask the app to connect anew, as Slack does every so often."""
        await self.core.deliveries.sockets.refresh()

    @property
    def sockets(self) -> int:
        """How many Socket Mode connections the app holds."""
        return self.core.deliveries.sockets.count

    async def settled(self) -> None:
        """Wait until no event and no file is on its way any more."""
        await self.core.deliveries.settled()

    async def wait_for(self, holds: Callable[[], Any], seconds: float = 5.0) -> Any:
        """Wait until something holds, looking whenever something changed; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not (found := holds()):
                changed = self.workspace.changed_event
                try:
                    await asyncio.wait_for(changed.wait(), 0.05)
                except TimeoutError:
                    continue
        return found

    # What goes wrong, on purpose.

    def fail(
        self,
        method: str,
        *,
        error: str | None = None,
        status: int | None = None,
        ratelimited: int | None = None,
        hang: bool = False,
        after: bool = False,
        times: int | None = 1,
    ) -> Fault:
        """Break the next calls of a method (`*` for all); with `after` it is done all the same."""
        fault = Fault(method, error, status, ratelimited, hang, after, times)
        return self.core.faults.add(fault)

    def heal(self) -> None:
        """Let everything work again, and answer what hangs."""
        self.core.faults.heal()

    def expire_triggers(self) -> None:
        """Make every trigger id too old."""
        for trigger in self.workspace.triggers.values():
            trigger.expired = True

    def expire_response_urls(self) -> None:
        """Make every response_url too old."""
        for url in self.workspace.response_urls.values():
            url.made = float("-inf")

    def grant(self, *scopes: str) -> None:
        """Give the app scopes."""
        self.core.manifest.scopes.update(scopes)

    def revoke(self, *scopes: str) -> None:
        """Take scopes from the app."""
        self.core.manifest.scopes.difference_update(scopes)

    def use_free_plan(self, free: bool = True) -> None:
        """Take away what only paid plans have."""
        self.core.free_plan = free

    def add_user(self, user: User) -> User:
        """Somebody new: a colleague, a guest, a bot, or somebody from another workspace."""
        return self.workspace.add_user(user)

    def add_channel(self, name: str, *members: str, private: bool = False) -> Channel:
        """A channel that somebody in the workspace made; the lead when nobody is named."""
        ids = [self.workspace.user(member).id for member in members or ("lead",)]
        return self.workspace.add_channel(name, ids, private=private)

    def add_to(self, channel: str, user: str) -> None:
        """Put somebody into a channel, whoever they are."""
        self.core.join(self.workspace.channel(channel), self.workspace.user(user).id)

    def remove_from(self, channel: str, user: str) -> None:
        """Take somebody out of a channel."""
        self.core.leave(self.workspace.channel(channel), self.workspace.user(user).id)

    def archive(self, channel: str) -> None:
        """Archive a channel."""
        lead = self.workspace.user("lead")
        close_channel(self.core, self.workspace.channel(channel), lead.id)

    def set_group(self, handle: str, *members: str) -> None:
        """Change who is in a user group."""
        group = next(one for one in self.workspace.groups.values() if one.handle == handle)
        group.members = [self.workspace.user(member).id for member in members]


def _with_replies(message: Obj) -> list[Obj]:
    return [message, *message.get("replies", [])]


def _lines(message: Obj) -> list[str]:
    words = [
        message["text"],
        *_words(message.get("blocks", [])),
        *_words(message.get("attachments", [])),
    ]
    return [*words, *(file["name"] for file in message.get("files", []))]


def _words(found: Any) -> list[str]:
    """Every text inside of blocks, in reading order."""
    if isinstance(found, list):
        return [word for one in found for word in _words(one)]
    if not isinstance(found, dict):
        return []
    own = [
        value
        for key, value in found.items()
        if key in ("text", "title", "caption") and isinstance(value, str)
    ]
    return own + [
        word for value in found.values() if isinstance(value, dict | list) for word in _words(value)
    ]
