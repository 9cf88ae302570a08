"""Everything that can be said or pressed, and who answers it."""

import re

from slack_bolt.async_app import AsyncApp

from bot.views import presses
from bot.world import World
from commands import incident, steps
from commands.listen import form, link, listener

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
    app.view(presses.DECLARE_FORM)(form(world, incident.DeclareForm, incident.submit_declare))
    app.view(presses.UPDATE_FORM)(form(world, incident.UpdateForm, incident.submit_update))
    app.view(presses.RESOLVE_FORM)(form(world, incident.ResolveForm, incident.submit_resolve))
    app.view(presses.STEP_FORM)(form(world, steps.StepForm, steps.submit))
    app.view(presses.DENY_FORM)(form(world, steps.DenyForm, steps.submit_deny))
    app.action(presses.LINK)(link(world))
    # A button from an older version of the bot still gets an answer.
    app.action(re.compile(".*"))(listener(world, incident.gone))
