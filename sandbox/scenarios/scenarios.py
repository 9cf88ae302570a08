"""One scenario at a time, over HTTP: which there are, begin one, make all well again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from sandbox.scenarios.disputes import Disputes
from sandbox.scenarios.outage import Outage
from sandbox.scenarios.payments import Payments
from sandbox.scenarios.scene import Scenario, Scene
from sandbox.scenarios.slow import Slow

KINDS: tuple[type[Scenario], ...] = (Outage, Payments, Disputes, Slow)
ALL_WELL = "all-well"
Obj = dict[str, Any]


class Scenarios:
    """Every scenario of the playbook; there are none before the scene is set."""

    def __init__(self) -> None:
        self.all: dict[str, Scenario] = {}
        self._changed: Callable[[], None] = lambda: None
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def on(self, scene: Scene, changed: Callable[[], None]) -> AsyncIterator[None]:
        """Take up the scene; `changed` is called when a scenario begins or ends."""
        self.all = {kind.name: kind(scene) for kind in KINDS}
        self._changed = changed
        try:
            yield
        finally:
            for one in self.all.values():
                await one.close()

    async def begin(self, name: str) -> bool:
        """End what else holds and begin this one; False when it holds already."""
        async with self._change():
            if self.all[name].holds:
                return False
            await self._end_all()
            await self.all[name].begin()
            return True

    async def all_well(self) -> None:
        """End everything, and heal what it left behind."""
        async with self._change():
            await self._end_all()

    async def _end_all(self) -> None:
        for one in self.all.values():
            await one.end()

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        async with self._alone:
            self._changed()
            try:
                yield
            finally:
                self._changed()

    def routes(self) -> list[web.RouteDef]:
        """How the page and programs reach it."""
        return [
            web.get("/sandbox/scenarios", self._list),
            web.post("/sandbox/scenario", self._begin),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        told = [_told(one) for one in self.all.values()]
        return web.json_response({"ok": True, "changing": self._alone.locked(), "scenarios": told})

    async def _begin(self, request: web.Request) -> web.Response:
        try:
            asked = await request.json()
            name = asked["name"]
        except (ValueError, TypeError, KeyError):
            return _refused('Send {"name": "…"}.')
        if not self.all:
            return _refused("The sandbox is still starting: try again in a moment.")
        if name == ALL_WELL:
            await self.all_well()
            return web.json_response({"ok": True, "said": "All is well."})
        if name not in self.all:
            return _refused(f"There is no scenario {name}. There are: {', '.join(self.all)}.")
        begun = await self.begin(name)
        one = self.all[name]
        said = f"{one.title}: type {one.then}" if begun else f"{one.title} is true already."
        return web.json_response({"ok": True, "begun": begun, "said": said})


def _told(one: Scenario) -> Obj:
    return {
        "name": one.name,
        "title": one.title,
        "tells": one.tells,
        "then": one.then,
        "holds": one.holds,
    }


def _refused(sentence: str) -> web.Response:
    return web.json_response({"ok": False, "error": sentence}, status=400)
