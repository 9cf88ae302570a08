"""The submission of a modal, and the effect of the app's answer on the stack of views."""

from typing import Any

from sandbox.slack import blocks, payloads
from sandbox.slack.blocks import interactive_elements, iter_blocks
from sandbox.slack.core import Core
from sandbox.slack.deliveries import Delivery
from sandbox.slack.errors import Obj, Refusal, SlackError
from sandbox.slack.methods import views
from sandbox.slack.model import User, View

TROUBLE = "We had some trouble connecting. Try again?"


async def submit(core: Core, user: User, view: View) -> Delivery:
    """Submit a modal and apply the app's answer; raises Refusal when it refuses fields."""
    payload = payloads.submission(core, user, view, _response_urls(core, user, view))
    delivery = await core.deliveries.deliver("interactive", payload)
    if not delivery.ok:
        raise Refusal(f"{TROUBLE} ({delivery.error})")
    try:
        _apply(core, view, delivery.answer)
    except SlackError as refused:
        delivery.error = refused.code
        raise Refusal(f"{TROUBLE} ({refused.code}: {refused.more.get('errors', '')})") from refused
    return delivery


def _response_urls(core: Core, user: User, view: View) -> list[Obj]:
    """One address for each chosen channel whose select asks for it."""
    urls = []
    for block in iter_blocks(view.spec["blocks"]):
        for element in interactive_elements(block):
            state = view.filled.get(block["block_id"], {}).get(element["action_id"], {})
            chosen = state.get("selected_conversation") or state.get("selected_channel")
            if element.get("response_url_enabled") and chosen in core.workspace.channels:
                channel = core.workspace.channels[chosen]
                urls.append(
                    {
                        "block_id": block["block_id"],
                        "action_id": element["action_id"],
                        "channel_id": channel.id,
                        "response_url": core.response_url(user, channel),
                    }
                )
    return urls


def _apply(core: Core, view: View, answer: Any) -> None:
    stack = core.workspace.stack(view.user, view.client)
    if not answer:
        if view in stack:
            core.workspace.close([view])
        return
    action = answer.get("response_action") if isinstance(answer, dict) else None
    if action == "errors":
        raise Refusal("The app refused some fields.", _errors(view, answer.get("errors")))
    if action == "clear":
        core.workspace.close(stack)
    elif action == "update":
        views.redraw(core, view, views.prepare(core, answer.get("view"), blocks.MODAL, view))
    elif action == "push":
        spec = views.prepare(core, answer.get("view"), blocks.MODAL)
        views.put_on_top(core, view.user, view.client, spec)
    else:
        raise SlackError("invalid_response_action")


def _errors(view: View, errors: Any) -> dict[str, str]:
    """The errors by block; raises SlackError when they name anything but input blocks."""
    input_ids = {
        block["block_id"] for block in iter_blocks(view.spec["blocks"]) if block["type"] == "input"
    }
    if not isinstance(errors, dict) or not errors or not errors.keys() <= input_ids:
        raise SlackError("invalid_errors", errors=[f"errors must name input blocks: {errors}"])
    return {str(block_id): str(sentence) for block_id, sentence in errors.items()}
