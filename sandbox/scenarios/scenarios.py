"""Lists, starts and ends scenarios over HTTP; one is active at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from sandbox.scenarios.declines import Declines
from sandbox.scenarios.disputes import Disputes
from sandbox.scenarios.outage import Outage
from sandbox.scenarios.payments import PaymentFailures
from sandbox.scenarios.provider import SlowProvider
from sandbox.scenarios.scenario import Scenario, ShopSystems
from sandbox.scenarios.slow import Slow

KINDS: tuple[type[Scenario], ...] = (Outage, PaymentFailures, Disputes, Slow)
PAYMENT_KINDS: tuple[type[Scenario], ...] = (Declines, SlowProvider)
ALL_WELL = "all-well"
Obj = dict[str, Any]


class Scenarios:
    """Every scenario of the playbook; empty until `on` is entered."""

    def __init__(self) -> None:
        self.all: dict[str, Scenario] = {}
        self._changed: Callable[[], None] = lambda: None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def on(self, systems: ShopSystems, changed: Callable[[], None]) -> AsyncIterator[None]:
        """Create the scenarios; `changed` is called when one begins or ends."""
        kinds = KINDS if systems.payments is None else (*KINDS, *PAYMENT_KINDS)
        self.all = {kind.name: kind(systems) for kind in kinds}
        self._changed = changed
        try:
            yield
        finally:
            for scenario in self.all.values():
                await scenario.close()

    async def begin(self, name: str) -> bool:
        """End the others and begin this one; False when it is active already."""
        async with self._change():
            if self.all[name].is_active:
                return False
            await self._end_all()
            await self.all[name].begin()
            return True

    async def all_well(self) -> None:
        """End every scenario and repair what it left behind."""
        async with self._change():
            await self._end_all()

    async def _end_all(self) -> None:
        for scenario in self.all.values():
            await scenario.end()

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        async with self._lock:
            self._changed()
            try:
                yield
            finally:
                self._changed()

    def routes(self) -> list[web.RouteDef]:
        """The HTTP routes."""
        return [
            web.get("/sandbox/scenarios", self._list),
            web.post("/sandbox/scenario", self._begin),
            web.post("/sandbox/elsewhere", self._elsewhere),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        scenarios = [_as_json(scenario) for scenario in self.all.values()]
        return web.json_response(
            {"ok": True, "changing": self._lock.locked(), "scenarios": scenarios}
        )

    async def _begin(self, request: web.Request) -> web.Response:
        name = await _name(request)
        if name == ALL_WELL:
            await self.all_well()
            return web.json_response({"ok": True, "said": "All is well."})
        scenario = next((known for known in self.all.values() if known.name == name), None)
        if scenario is None:
            known = ", ".join([*self.all, ALL_WELL])
            return _error(f"There is no such scenario. Send the name of one of: {known}.")
        begun = await self.begin(scenario.name)
        title, then = scenario.title, scenario.next_command
        sentence = f"{title}: type {then}" if begun else f"{title} is true already."
        return web.json_response({"ok": True, "begun": begun, "said": sentence})

    async def _elsewhere(self, request: web.Request) -> web.Response:
        name = await _name(request)
        actions = [action for scenario in self.all.values() for action in scenario.outside_actions]
        action = next((action for action in actions if action.name == name), None)
        if action is None:
            known = ", ".join(action.name for action in actions)
            return _error(f"Nobody does that elsewhere. Send the name of one of: {known}.")
        async with self._change():
            await action.do()
        return web.json_response({"ok": True})


async def _name(request: web.Request) -> object:
    """The `name` in the body; None when there is none."""
    try:
        body = await request.json()
    except ValueError:
        return None
    return body.get("name") if isinstance(body, dict) else None


def _as_json(scenario: Scenario) -> Obj:
    return {
        "name": scenario.name,
        "title": scenario.title,
        "service": scenario.service,
        "tells": scenario.description,
        "then": scenario.next_command,
        "holds": scenario.is_active,
        "elsewhere": [
            {"name": action.name, "title": action.title} for action in scenario.outside_actions
        ],
    }


def _error(sentence: str) -> web.Response:
    return web.json_response({"ok": False, "error": sentence}, status=400)
