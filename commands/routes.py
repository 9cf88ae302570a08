"""Everything that can be said or pressed, and who answers it."""

import re
from difflib import get_close_matches
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.model import UserError
from bot.views import presses
from bot.world import World
from commands import contacts, customers, declare, incident, steps, tasks
from commands.asks import Ask, Body
from commands.listen import (
    FormHandler,
    Handler,
    Shape,
    command,
    filled_as,
    first_word,
    form,
    heard,
    listener,
)

COMMAND = "/incident"

WORDS = {
    "": incident.help,
    "help": incident.help,
    "declare": declare.say,
    "role": incident.role,
    "update": incident.update,
    "severity": incident.severity,
    "status": incident.status,
    "playbook": incident.choose_playbook,
    "timeline": incident.timeline,
    "contacts": contacts.show,
    "customer": customers.say,
    "note": incident.note,
    "resolve": incident.resolve,
}

# What people say instead, that no spelling brings together.
ALIASES = {
    **dict.fromkeys(("close", "end", "done", "fixed", "finish"), "resolve"),
    **dict.fromkeys(("new", "open", "start", "create", "report"), "declare"),
    **dict.fromkeys(("sev", "level", "priority"), "severity"),
    **dict.fromkeys(("ic", "command", "commander", "lead", "assign"), "role"),
    **dict.fromkeys(("log", "history"), "timeline"),
    **dict.fromkeys(("scenario", "runbook", "book", "steps", "switch"), "playbook"),
    **dict.fromkeys(("oncall", "pagerduty", "who", "runbooks"), "contacts"),
    **dict.fromkeys(("customers", "communicate", "statuspage"), "customer"),
    "post": "update",
    "state": "status",
}

PRESSES = {
    presses.TAKE_COMMAND: incident.take_command,
    presses.POST_UPDATE: incident.post_update,
    presses.CHANGE_STATUS: incident.choose_status,
    presses.CHANGE_SEVERITY: incident.choose_severity,
    presses.CHOOSE_SCENARIO: incident.choose_scenario,
    presses.RESOLVE: incident.press_resolve,
    presses.OPEN_DECLARE: declare.open_form,
    presses.TICK_SYMPTOM: declare.tick,
    presses.TELL_CUSTOMERS: customers.press,
    presses.REWRITE: customers.rewrite,
    presses.RUN_STEP: steps.press,
    presses.UNDO: steps.undo,
    presses.ASK_AGAIN: steps.ask_again,
    presses.CHECK: steps.check,
    presses.EXTEND: steps.extend,
    presses.APPROVE: steps.approve,
    presses.DENY: steps.deny,
    presses.TASK_DONE: tasks.done,
    presses.TASK_TAKE: tasks.take,
    presses.TASK_ESCALATE: tasks.escalate,
    presses.TASK_REOPEN: tasks.reopen,
    presses.TASK_MORE: tasks.more,
    presses.WORK_THROUGH: tasks.work_through,
    **dict.fromkeys(presses.SNOOZES, steps.snooze),
}

SHORTCUTS = {
    presses.DECLARE_SHORTCUT: declare.open_form,
    presses.DECLARE_FROM_MESSAGE: declare.open_form,
}

FORMS: dict[str, tuple[Shape[Any], FormHandler[Any]]] = {
    presses.DECLARE_FORM: (declare.fill, declare.submit),
    presses.UPDATE_FORM: (filled_as(incident.UpdateForm), incident.submit_update),
    presses.RESOLVE_FORM: (filled_as(incident.ResolveForm), incident.submit_resolve),
    presses.PLAYBOOK_FORM: (filled_as(incident.PlaybookForm), incident.submit_playbook),
    presses.CUSTOMER_FORM: (filled_as(customers.CustomerForm), customers.submit),
    presses.STEP_FORM: (steps.fill, steps.submit),
    presses.DENY_FORM: (filled_as(steps.DenyForm), steps.submit_deny),
    presses.DONE_FORM: (filled_as(tasks.DoneForm), tasks.submit_done),
    presses.SKIP_FORM: (filled_as(tasks.SkipForm), tasks.submit_skip),
    presses.WORK_FORM: (filled_as(tasks.WorkForm), tasks.submit_work),
}

EVENTS = {
    "reaction_added": incident.pin,
    "app_mention": incident.mention,
    "app_home_opened": incident.open_home,
}


async def unknown(world: World, ask: Ask) -> None:
    """A word that is none of ours."""
    declare.check_not_meant(ask.text)
    word, _ = first_word(ask.text)
    known = sorted(filter(None, WORDS))
    near = ALIASES.get(word.lower()) or next(iter(get_close_matches(word.lower(), known, 1)), None)
    meant = f"Did you mean /incident {near}? " if near else ""
    raise UserError(
        f"“{word[:40]}” is nothing that can be said here, so nothing was done. "
        f"{meant}Say one of: {', '.join(known)}."
    )


# Everything else is for full members of this workspace. Whoever sees a fire may declare it, and
# no question to Slack stands before its channel; approving reads the person afresh by itself.
ANYBODY: frozenset[object] = frozenset(
    {
        incident.help,
        incident.mention,
        incident.open_home,
        declare.say,
        declare.open_form,
        declare.tick,
        declare.submit,
        incident.gone,
        steps.approve,
        unknown,
    }
)


def register(app: AsyncApp, world: World) -> None:
    """Tell Bolt who answers what; what an older version of the bot drew still gets an answer."""

    def answered(handler: Handler) -> Any:
        return listener(world, handler, anybody=handler in ANYBODY)

    app.command(COMMAND)(command(world, WORDS, unknown, anybody=ANYBODY))
    for press, handler in PRESSES.items():
        app.action(press)(answered(handler))
    for shortcut, handler in SHORTCUTS.items():
        app.shortcut(shortcut)(answered(handler))
    app.event("reaction_added", matchers=[_means_nothing])(heard(world))
    for event, handler in EVENTS.items():
        app.event(event)(answered(handler))
    for callback, (shape, submit) in FORMS.items():
        app.view(callback)(form(world, shape, submit, anybody=submit in ANYBODY))
    app.action(presses.LINK)(heard(world))
    for old in (app.action, app.view, app.shortcut):
        old(re.compile(".*"))(answered(incident.gone))


async def _means_nothing(body: Body) -> bool:
    return bool(body["event"].get("reaction") != incident.PIN)
