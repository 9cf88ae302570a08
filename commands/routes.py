"""Everything that can be said or pressed, and who answers it."""

import re
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.views import presses
from bot.world import World
from commands import incident, steps
from commands.listen import FormHandler, Shape, filled_as, form, link, listener

COMMAND = "/incident"

PRESSES = {
    presses.TAKE_COMMAND: incident.take_command,
    presses.POST_UPDATE: incident.post_update,
    presses.CHANGE_STATUS: incident.choose_status,
    presses.CHANGE_SEVERITY: incident.choose_severity,
    presses.CHOOSE_SCENARIO: incident.choose_scenario,
    presses.RESOLVE: incident.press_resolve,
    presses.OPEN_DECLARE: incident.open_declare,
    presses.RUN_STEP: steps.press,
    presses.UNDO: steps.undo,
    presses.ASK_AGAIN: steps.ask_again,
    presses.CHECK: steps.check,
    presses.APPROVE: steps.approve,
    presses.DENY: steps.deny,
    **dict.fromkeys(presses.SNOOZES, steps.snooze),
}

SHORTCUTS = {
    presses.DECLARE_SHORTCUT: incident.open_declare,
    presses.DECLARE_FROM_MESSAGE: incident.open_declare,
}

FORMS: dict[str, tuple[Shape[Any], FormHandler[Any]]] = {
    presses.DECLARE_FORM: (filled_as(incident.DeclareForm), incident.submit_declare),
    presses.UPDATE_FORM: (filled_as(incident.UpdateForm), incident.submit_update),
    presses.RESOLVE_FORM: (filled_as(incident.ResolveForm), incident.submit_resolve),
    presses.STEP_FORM: (steps.fill, steps.submit),
    presses.DENY_FORM: (filled_as(steps.DenyForm), steps.submit_deny),
}

EVENTS = {
    "reaction_added": incident.pin,
    "app_mention": incident.mention,
    "app_home_opened": incident.open_home,
}


def register(app: AsyncApp, world: World) -> None:
    """Tell Bolt who answers what."""
    app.command(COMMAND)(listener(world, incident.command))
    for press, handler in PRESSES.items():
        app.action(press)(listener(world, handler))
    for shortcut, handler in SHORTCUTS.items():
        app.shortcut(shortcut)(listener(world, handler))
    for event, handler in EVENTS.items():
        app.event(event)(listener(world, handler))
    for callback, (shape, submit) in FORMS.items():
        app.view(callback)(form(world, shape, submit))
    app.action(presses.LINK)(link(world))
    # A button from an older version of the bot still gets an answer.
    app.action(re.compile(".*"))(listener(world, incident.gone))
