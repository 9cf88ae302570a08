"""The control interface: Slack's client for programs and for the web page, as JSON over HTTP."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sandbox.slack import render
from sandbox.slack.core import Core
from sandbox.slack.deliveries import Delivery
from sandbox.slack.errors import Obj, Refusal
from sandbox.slack.persons import Persons, Press
from sandbox.slack.views import described
from sandbox.slack.workspace import as_user, identity

Answer = Callable[[Obj], Awaitable[Obj]]
Look = Callable[[Obj], Obj]


class Control:
    """`/sandbox/...`: what people can do and see."""

    def __init__(self, core: Core, persons: Persons) -> None:
        self.core = core
        self.workspace = core.workspace
        self.persons = persons
        self.info: Obj = {}

    def routes(self) -> list[web.RouteDef]:
        """Where everything is reached."""
        do: dict[str, Answer] = {
            "say": self.say,
            "press": self.press,
            "submit": self.submit,
            "close": self.close,
            "shortcut": self.shortcut,
            "react": self.react,
            "home": self.home,
            "join": self.join,
            "reload": self.reload,
        }
        look: dict[str, Look] = {
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
            *(web.post(f"/sandbox/{name}", _doing(answer)) for name, answer in do.items()),
            *(web.get(f"/sandbox/{name}", _looking(answer)) for name, answer in look.items()),
            web.get("/sandbox/files/{id}", self.file),
        ]

    # To do something.

    async def say(self, asked: Obj) -> Obj:
        """Write a message or a slash command."""
        text, place = _text(asked, "text"), _text(asked, "channel")
        thread, client = asked.get("thread_ts") or "", _client(asked)
        return _told(await self.persons.say(_text(asked, "user"), text, place, thread, client))

    async def press(self, asked: Obj) -> Obj:
        """Press a button or choose in a select."""
        names = ("channel", "ts", "view_id", "block_id", "value", "values", "client")
        press = Press(_text(asked, "action_id"), **{name: asked.get(name) for name in names})
        delivery = await self.persons.press(_text(asked, "user"), press)
        if press.view_id and not delivery.ok:
            raise Refusal(f"The app did not answer ({delivery.error}).")
        return _told(delivery)

    async def submit(self, asked: Obj) -> Obj:
        """Send a form."""
        values = asked.get("values") or {}
        delivery = await self.persons.submit(_text(asked, "user"), _text(asked, "view_id"), values)
        return _told(delivery)

    async def close(self, asked: Obj) -> Obj:
        """Close a form."""
        await self.persons.close(_text(asked, "user"), _text(asked, "view_id"))
        return {}

    async def shortcut(self, asked: Obj) -> Obj:
        """Use a shortcut; with a `ts` it is one on a message."""
        user, callback_id = _text(asked, "user"), _text(asked, "callback_id")
        place, ts, client = asked.get("channel"), asked.get("ts"), _client(asked)
        return _told(await self.persons.shortcut(user, callback_id, place, ts, client))

    async def react(self, asked: Obj) -> Obj:
        """Put an emoji on a message, or take it back."""
        place, ts = _text(asked, "channel"), _text(asked, "ts")
        user, name = _text(asked, "user"), _text(asked, "name")
        return _told(await self.persons.react(user, name, place, ts))

    async def home(self, asked: Obj) -> Obj:
        """Open the app's Home."""
        return _told(await self.persons.open_home(_text(asked, "user")))

    async def join(self, asked: Obj) -> Obj:
        """Join a channel."""
        self.persons.join(_text(asked, "user"), _text(asked, "channel"))
        return {}

    async def reload(self, asked: Obj) -> Obj:
        """Forget what a reload of the client forgets."""
        self.persons.reload(_text(asked, "user"), _client(asked))
        return {}

    # To look at something.

    def messages(self, asked: Obj) -> Obj:
        """A channel as one person sees it; having been shown, it is read."""
        place, name = _text(asked, "channel"), asked.get("user")
        shown = self.persons.messages(place, name)
        if name and shown:
            user = self.workspace.user(name)
            self.persons.readable(user, place).read[user.id] = self.workspace.ids.ts()
        return {"messages": shown}

    def views(self, asked: Obj) -> Obj:
        """Somebody's open forms, those of one client or of all, the topmost last; their Home."""
        user = self.workspace.user(_text(asked, "user"))
        home, client = self.workspace.homes.get(user.id), _client(asked)
        all_views = self.workspace.stacks.get(user.id, [])
        stack = self.workspace.stack(user.id, client) if client else all_views
        shown = [described(view, identity()) for view in stack]
        return {"views": shown, "home": described(home, identity()) if home else None}

    def channels(self, asked: Obj) -> Obj:
        """Every channel somebody can see."""
        user = self.workspace.user(asked["user"]).id if asked.get("user") else None
        visible = [
            channel
            for channel in self.workspace.channels.values()
            if user is None or user in channel.members or not (channel.private or channel.im_with)
        ]
        writable = self.core.manifest.can_be_written_to
        shown = [
            render.channel_for_people(self.workspace, channel, user, writable=writable)
            for channel in visible
        ]
        return {"channels": shown}

    def calls(self, asked: Obj) -> Obj:
        """Every call of the Web API, the oldest first."""
        return {"calls": [{**asdict(call), "ok": call.ok} for call in self.workspace.calls]}

    def users(self, asked: Obj) -> Obj:
        """Everybody, and the user groups."""
        users = [
            {**as_user(user), "handle": user.handle, "title": user.title, "color": user.color}
            for user in self.workspace.users.values()
        ]
        groups = [asdict(group) for group in self.workspace.groups.values()]
        return {"users": users, "usergroups": groups}

    def shortcuts(self, asked: Obj) -> Obj:
        """What the app offers on messages and everywhere."""
        return {"shortcuts": self.core.manifest.shortcuts}

    def commands(self, asked: Obj) -> Obj:
        """What can be typed after a slash."""
        return {"commands": list(self.core.manifest.commands.values())}

    def about(self, asked: Obj) -> Obj:
        """How to reach what else there is, as the sandbox says."""
        return self.info

    async def file(self, request: web.Request) -> web.Response:
        """The content of a file."""
        file = self.workspace.files.get(request.match_info["id"])
        if file is None or file.content is None:
            return _refused(Refusal("There is no such file."), 404)
        kind = render.as_file(self.workspace, file)["mimetype"]
        charset = "utf-8" if kind.startswith("text/") else None
        name = file.name.replace('"', "").encode("ascii", "replace").decode()
        disposition = {"Content-Disposition": f'inline; filename="{name}"'}
        return web.Response(
            body=file.content, content_type=kind, charset=charset, headers=disposition
        )


def _text(asked: Obj, name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(f"Say {name}, as a string.")
    return value


def _client(asked: Obj) -> str:
    """The client that asks; programs may leave it out."""
    return str(asked.get("client") or "")


def _told(delivery: Delivery) -> Obj:
    return {"delivery": delivery.summary()}


def _refused(refusal: Refusal, status: int = 400) -> web.Response:
    answer: dict[str, Any] = {"ok": False, "error": refusal.sentence}
    if refusal.errors:
        answer["errors"] = refusal.errors
    return web.json_response(answer, status=status)


def _doing(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            asked = await request.json()
        except ValueError:
            return _refused(Refusal("Send a JSON object."))
        if not isinstance(asked, dict):
            return _refused(Refusal("Send a JSON object."))
        try:
            return web.json_response({"ok": True, **await answer(asked)})
        except Refusal as refusal:
            return _refused(refusal)

    return handle


def _looking(answer: Look) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response({"ok": True, **answer(dict(request.query))})
        except Refusal as refusal:
            return _refused(refusal)

    return handle
