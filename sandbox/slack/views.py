"""Validation of modals and Homes, and their form in payloads."""

import json
import time
from typing import Any

from sandbox.slack import blocks
from sandbox.slack.elements import plain
from sandbox.slack.errors import Obj, refuse_arguments
from sandbox.slack.ids import Ids
from sandbox.slack.model import View
from sandbox.slack.shapes import Check, Location, flag, one_of, shape, string

MAX_BYTES = 250_000

_common: dict[str, Check] = {
    "callback_id": string(255),
    "external_id": string(255),
    "private_metadata": string(3000, least=0),
}


def _blocks(value: object, where: Location) -> None:
    """Accept anything: blocks are validated separately, with their ids."""


_SHAPES: dict[str, Check] = {
    "modal": shape(
        {"title": plain(24), "blocks": _blocks},
        {
            **_common,
            "submit": plain(24),
            "close": plain(24),
            "clear_on_close": flag,
            "notify_on_close": flag,
            "submit_disabled": flag,
        },
    ),
    "home": shape({"blocks": _blocks}, _common),
}


def prepare(view: Any, surface: str, ids: Ids) -> Obj:
    """A validated copy of a view with all ids; raises SlackError."""
    problems = _problems(view, surface)
    if problems:
        raise refuse_arguments("invalid_arguments", problems)
    checked_blocks = blocks.prepare(view["blocks"], surface, ids.short, "invalid_arguments")
    return {"private_metadata": "", "callback_id": "", **view, "blocks": checked_blocks}


def _problems(view: Any, surface: str) -> list[str]:
    problems: list[str] = []
    where = Location(problems, surface, "/view")
    if not isinstance(view, dict):
        return ["must provide an object [json-pointer:/view]"]
    one_of(surface)(view.get("type"), where.at("type"))
    _SHAPES[surface]({name: part for name, part in view.items() if name != "type"}, where)
    if len(json.dumps(view).encode()) > MAX_BYTES:
        where.fail(f"must be no more than {MAX_BYTES} bytes")
    has_inputs = isinstance(view.get("blocks"), list) and any(
        isinstance(block, dict) and block.get("type") == "input" for block in view["blocks"]
    )
    if surface == blocks.MODAL and has_inputs and "submit" not in view:
        where.fail("submit is required when a view contains an input block")
    return problems


def new_hash(ids: Ids) -> str:
    """A new hash for a changed view."""
    return f"{int(time.time())}.{ids.secret(8)}"


def as_view(view: View, identity: Obj) -> Obj:
    """A view as Slack shows it to the app."""
    return {
        "id": view.id,
        "clear_on_close": False,
        "notify_on_close": False,
        "title": None,
        "submit": None,
        "close": None,
        "external_id": "",
        **view.spec,
        **identity,
        "state": {"values": view.filled},
        "hash": view.hash,
        "previous_view_id": view.previous_id,
        "root_view_id": view.root_id,
    }
