"""The control interface: what users do and see, as JSON over HTTP."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sandbox.slack import render
from sandbox.slack.core import Core
from sandbox.slack.deliveries import Delivery
from sandbox.slack.errors import Obj, Refusal
from sandbox.slack.users import Press, Users
from sandbox.slack.views import as_view
from sandbox.slack.workspace import as_user, identity

Action = Callable[[Obj], Awaitable[Obj]]
Getter = Callable[[Obj], Obj]


class Control:
    """The routes `/sandbox/...`."""

    def __init__(self, core: Core, clients: Users) -> None:
        self.core = core
        self.workspace = core.workspace
        self.clients = clients
        self.info: Obj = {}

    def routes(self) -> list[web.RouteDef]:
        """The HTTP routes."""
        actions: dict[str, Action] = {
            "say": self.say,
            "press": self.press,
            "options": self.options,
            "submit": self.submit,
            "close": self.close,
            "shortcut": self.shortcut,
            "react": self.react,
            "home": self.home,
            "join": self.join,
            "reload": self.reload,
        }
        getters: dict[str, Getter] = {
            "messages": self.messages,
            "views": self.views,
            "channels": self.channels,
            "calls": self.calls,
            "users": self.users,
            "shortcuts": self.shortcuts,
            "commands": self.commands,
            "info": self.about,
        }
        return [
            *(
                web.post(f"/sandbox/{name}", _post_handler(handler))
                for name, handler in actions.items()
            ),
            *(
                web.get(f"/sandbox/{name}", _get_handler(handler))
                for name, handler in getters.items()
            ),
            web.get("/sandbox/files/{id}", self.file),
        ]

    # To do something.

    async def say(self, body: Obj) -> Obj:
        """Write a message or a slash command."""
        text, channel = _required_text(body, "text"), _required_text(body, "channel")
        thread, client = body.get("thread_ts") or "", _client(body)
        return _delivery_answer(
            await self.clients.say(_required_text(body, "user"), text, channel, thread, client)
        )

    async def press(self, body: Obj) -> Obj:
        """Press a button or choose in a select."""
        names = ("channel", "ts", "view_id", "block_id", "value", "values", "client")
        press = Press(_required_text(body, "action_id"), **{name: body.get(name) for name in names})
        delivery = await self.clients.press(_required_text(body, "user"), press)
        if press.view_id and not delivery.ok:
            raise Refusal(f"The app did not answer ({delivery.error}).")
        return _delivery_answer(delivery)

    async def options(self, body: Obj) -> Obj:
        """Type in a select whose options the app looks up."""
        names = ("channel", "ts", "view_id", "block_id")
        press = Press(_required_text(body, "action_id"), **{name: body.get(name) for name in names})
        typed = str(body.get("value") or "")
        return {"options": await self.clients.suggest(_required_text(body, "user"), press, typed)}

    async def submit(self, body: Obj) -> Obj:
        """Send a form."""
        values = body.get("values") or {}
        delivery = await self.clients.submit(
            _required_text(body, "user"), _required_text(body, "view_id"), values
        )
        return _delivery_answer(delivery)

    async def close(self, body: Obj) -> Obj:
        """Close a form."""
        await self.clients.close(_required_text(body, "user"), _required_text(body, "view_id"))
        return {}

    async def shortcut(self, body: Obj) -> Obj:
        """Use a shortcut; with a `ts` it is one on a message."""
        user, callback_id = _required_text(body, "user"), _required_text(body, "callback_id")
        channel, ts, client = body.get("channel"), body.get("ts"), _client(body)
        return _delivery_answer(await self.clients.shortcut(user, callback_id, channel, ts, client))

    async def react(self, body: Obj) -> Obj:
        """Put an emoji on a message, or take it back."""
        channel, ts = _required_text(body, "channel"), _required_text(body, "ts")
        user, name = _required_text(body, "user"), _required_text(body, "name")
        return _delivery_answer(await self.clients.react(user, name, channel, ts))

    async def home(self, body: Obj) -> Obj:
        """Open the app's Home."""
        return _delivery_answer(await self.clients.open_home(_required_text(body, "user")))

    async def join(self, body: Obj) -> Obj:
        """Join a channel."""
        self.clients.join(_required_text(body, "user"), _required_text(body, "channel"))
        return {}

    async def reload(self, body: Obj) -> Obj:
        """Reload the client."""
        self.clients.reload(_required_text(body, "user"), _client(body))
        return {}

    # To look at something.

    def messages(self, body: Obj) -> Obj:
        """A channel as one user sees it; this marks it as read."""
        channel, name = _required_text(body, "channel"), body.get("user")
        shown = self.clients.messages(channel, name)
        if name and shown:
            user = self.workspace.user(name)
            self.clients.readable_channel(user, channel).read[user.id] = self.workspace.ids.ts()
        return {"messages": shown}

    def views(self, body: Obj) -> Obj:
        """A user's open modals in one client or in all, the topmost last, and their Home."""
        user = self.workspace.user(_required_text(body, "user"))
        home, client = self.workspace.homes.get(user.id), _client(body)
        all_views = self.workspace.stacks.get(user.id, [])
        stack = self.workspace.stack(user.id, client) if client else all_views
        shown = [as_view(view, identity()) for view in stack]
        return {"views": shown, "home": as_view(home, identity()) if home else None}

    def channels(self, body: Obj) -> Obj:
        """Every channel that a user can see."""
        user = self.workspace.user(body["user"]).id if body.get("user") else None
        visible = [
            channel
            for channel in self.workspace.channels.values()
            if user is None or user in channel.members or not (channel.private or channel.im_with)
        ]
        writable = self.core.manifest.can_be_written_to
        shown = [
            render.as_listed_channel(self.workspace, channel, user, writable=writable)
            for channel in visible
        ]
        return {"channels": shown}

    def calls(self, body: Obj) -> Obj:
        """Every call of the Web API, the oldest first."""
        return {"calls": [{**asdict(call), "ok": call.ok} for call in self.workspace.calls]}

    def users(self, body: Obj) -> Obj:
        """All users and user groups."""
        users = [
            {**as_user(user), "handle": user.handle, "title": user.title, "color": user.color}
            for user in self.workspace.users.values()
        ]
        groups = [asdict(group) for group in self.workspace.groups.values()]
        return {"users": users, "usergroups": groups}

    def shortcuts(self, body: Obj) -> Obj:
        """The app's shortcuts."""
        return {"shortcuts": self.core.manifest.shortcuts}

    def commands(self, body: Obj) -> Obj:
        """The app's slash commands."""
        return {"commands": list(self.core.manifest.commands.values())}

    def about(self, body: Obj) -> Obj:
        """What the sandbox says about its other systems."""
        return self.info

    async def file(self, request: web.Request) -> web.Response:
        """The content of a file."""
        file = self.workspace.files.get(request.match_info["id"])
        if file is None or file.content is None:
            return _error_response(Refusal("There is no such file."), 404)
        kind = render.as_file(self.workspace, file)["mimetype"]
        charset = "utf-8" if kind.startswith("text/") else None
        name = file.name.replace('"', "").encode("ascii", "replace").decode()
        disposition = {"Content-Disposition": f'inline; filename="{name}"'}
        return web.Response(
            body=file.content, content_type=kind, charset=charset, headers=disposition
        )


def _required_text(body: Obj, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(f"Say {name}, as a string.")
    return value


def _client(body: Obj) -> str:
    """The name of the client that asks; programs may leave it out."""
    return str(body.get("client") or "")


def _delivery_answer(delivery: Delivery) -> Obj:
    return {"delivery": delivery.summary()}


def _error_response(refusal: Refusal, status: int = 400) -> web.Response:
    answer: dict[str, Any] = {"ok": False, "error": refusal.sentence}
    if refusal.errors:
        answer["errors"] = refusal.errors
    return web.json_response(answer, status=status)


def _post_handler(action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except ValueError:
            return _error_response(Refusal("Send a JSON object."))
        if not isinstance(body, dict):
            return _error_response(Refusal("Send a JSON object."))
        try:
            return web.json_response({"ok": True, **await action(body)})
        except Refusal as refusal:
            return _error_response(refusal)

    return handle


def _get_handler(getter: Getter) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response({"ok": True, **getter(dict(request.query))})
        except Refusal as refusal:
            return _error_response(refusal)

    return handle
