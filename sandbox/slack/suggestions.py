"""Selects whose options the app looks up: it is sent what people type, and its answer checked."""

from typing import Any

from sandbox.slack import payloads
from sandbox.slack.blocks import interactive_elements, iter_blocks
from sandbox.slack.core import Core
from sandbox.slack.elements import suggested
from sandbox.slack.errors import Obj, Refusal
from sandbox.slack.model import User
from sandbox.slack.shapes import Location

EXTERNAL = "external_select"
# Slack's, where the app says nothing.
MIN_QUERY_LENGTH = 3


class Suggestions:
    """What the app has offered to whom; only that can be chosen."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._offered: dict[tuple[str, str, str], dict[str, Obj]] = {}

    async def ask(
        self, user: User, place: str, block_id: str, element: Obj, typed: str, where: Obj
    ) -> list[Obj]:
        """The options for what was typed; raises Refusal when the app gives none that Slack takes.

        `where` is the part of the payload that says in which view or message it stands.
        """
        self._check_asked(element, typed)
        payload = payloads.suggestion(self._core, user, block_id, element, typed, where)
        deliveries = self._core.deliveries
        if deliveries.request_url and not deliveries.options_url:
            raise Refusal("This app has no Options Load URL, so it is not asked for options.")
        delivery = await deliveries.deliver("interactive", payload, to=deliveries.options_url)
        if not delivery.ok:
            raise Refusal(f"The options could not be loaded ({delivery.error}).")
        options = _checked(delivery.answer)
        known = self._offered.setdefault((place, block_id, element["action_id"]), {})
        known |= {option["value"]: option for option in options}
        return options

    def _check_asked(self, element: Obj, typed: str) -> None:
        if element["type"] != EXTERNAL:
            raise Refusal(f"{element['action_id']} has its options already.")
        least = element.get("min_query_length", MIN_QUERY_LENGTH)
        if len(typed) < least:
            raise Refusal(f"Slack asks the app from {least} characters on.")

    def apply(self, blocks: list[Obj], place: str) -> list[Obj]:
        """The same blocks, in which each search offers what the app has offered there."""
        return [self._with_options(block, place) for block in blocks]

    def _with_options(self, block: Obj, place: str) -> Obj:
        if not any(element["type"] == EXTERNAL for element in interactive_elements(block)):
            return block

        def fill(element: Any) -> Any:
            if not isinstance(element, dict) or element.get("type") != EXTERNAL:
                return element
            known = self._offered.get((place, block["block_id"], element["action_id"]), {})
            initial = element.get("initial_option")
            first = {initial["value"]: initial} if initial else {}
            return {**element, "options": list((first | known).values())}

        changed: Obj = {
            name: fill(block[name]) for name in ("element", "accessory") if name in block
        }
        if "elements" in block:
            changed["elements"] = [fill(element) for element in block["elements"]]
        return {**block, **changed}


def _checked(answer: Any) -> list[Obj]:
    """The options of an answer, which must be exactly as Slack takes them; raises Refusal."""
    problems: list[str] = []
    suggested(answer, Location(problems, "message"))
    if problems:
        raise Refusal(f"Slack does not take the app's options: {'; '.join(problems)}.")
    groups = answer.get("option_groups", [])
    return [*answer.get("options", []), *(each for group in groups for each in group["options"])]


def find(blocks: list[Obj], action_id: str, block_id: str | None) -> tuple[Obj, str]:
    """The element of that id, and its block's; raises Refusal."""
    for block in iter_blocks(blocks):
        for element in interactive_elements(block):
            if element["action_id"] == action_id and block_id in (None, block["block_id"]):
                return element, block["block_id"]
    raise Refusal(f"There is nothing with the action_id {action_id}.")
