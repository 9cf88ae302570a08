"""Everything that people can type or press, and the handler of each."""

import re
from difflib import get_close_matches
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.model import UserError
from bot.views import action_ids
from bot.world import World
from commands import contacts, customers, declare, incident, refused_forms, services, steps, tasks
from commands.interactions import Body, Interaction
from commands.listen import (
    Finder,
    FormHandler,
    Handler,
    Parser,
    ack_only,
    command_listener,
    find_nothing,
    first_word,
    form_listener,
    interaction_listener,
    model_parser,
    options_listener,
)

COMMAND = "/incident"

# The first word after the command.
SUBCOMMANDS = {
    "": incident.show_help,
    "help": incident.show_service,
    "declare": declare.declare,
    "role": incident.assign_role,
    "update": incident.write_update,
    "severity": incident.change_severity,
    "status": incident.change_status,
    "playbook": incident.open_playbook_form,
    "service": services.manage,
    "timeline": incident.show_timeline,
    "contacts": contacts.show,
    "customer": customers.write,
    "note": incident.add_note,
    "resolve": incident.resolve,
}

# Words that people try instead, and that are spelled too differently to be matched.
ALIASES = {
    **dict.fromkeys(("close", "end", "done", "fixed", "finish"), "resolve"),
    **dict.fromkeys(("new", "open", "start", "create", "report"), "declare"),
    **dict.fromkeys(("sev", "level", "priority"), "severity"),
    **dict.fromkeys(("ic", "command", "commander", "lead", "assign"), "role"),
    **dict.fromkeys(("log", "history"), "timeline"),
    **dict.fromkeys(("scenario", "runbook", "book", "steps", "switch"), "playbook"),
    **dict.fromkeys(("oncall", "pagerduty", "who", "runbooks"), "contacts"),
    **dict.fromkeys(("customers", "communicate", "statuspage"), "customer"),
    **dict.fromkeys(("services", "add", "team", "involve"), "service"),
    "post": "update",
    "state": "status",
}

BLOCK_ACTIONS = {
    action_ids.TAKE_COMMAND: incident.take_command,
    action_ids.TAKE_OVER: incident.press_take_over,
    action_ids.ADD_SERVICE: services.press_add,
    action_ids.POST_UPDATE: incident.press_update,
    action_ids.CHANGE_STATUS: incident.choose_status,
    action_ids.CHANGE_SEVERITY: incident.choose_severity,
    action_ids.CHOOSE_SCENARIO: incident.choose_scenario,
    action_ids.CHOOSE_SERVICE: incident.choose_service,
    **dict.fromkeys(action_ids.TAKEN_SERVICES, incident.take_service),
    action_ids.OTHER_SERVICE: incident.press_other_service,
    action_ids.RESOLVE: incident.press_resolve,
    action_ids.TAKE_STATUS: incident.take_status,
    action_ids.KEEP_STATUS: incident.keep_status,
    action_ids.OPEN_DECLARE: declare.open_form,
    action_ids.TICK_SYMPTOM: declare.redraw_form,
    action_ids.FORM_SERVICE: declare.redraw_form,
    action_ids.TELL_CUSTOMERS: customers.press,
    action_ids.EDIT_MESSAGE: customers.edit,
    action_ids.RUN_STEP: steps.press,
    action_ids.UNDO: steps.undo,
    action_ids.ASK_AGAIN: steps.ask_again,
    action_ids.REQUEST_NEW_PLAN: steps.request_new_plan,
    action_ids.CHECK_INTERRUPTED: steps.check,
    action_ids.EXTEND: steps.extend,
    action_ids.APPROVE: steps.approve,
    action_ids.DENY: steps.deny,
    action_ids.WITHDRAW: steps.withdraw,
    action_ids.BREAK_GLASS: steps.break_glass,
    action_ids.TASK_DONE: tasks.finish,
    action_ids.TASK_TAKE: tasks.take,
    action_ids.TASK_ESCALATE: tasks.escalate,
    action_ids.TASK_REOPEN: tasks.reopen,
    action_ids.TASK_MORE: tasks.choose_from_menu,
    action_ids.WORK_THROUGH: tasks.work_through,
    action_ids.TICK_SEVERAL: tasks.open_tick_form,
    action_ids.REOPEN_FORM: refused_forms.reopen,
    **dict.fromkeys(action_ids.SNOOZES, steps.snooze),
}

SHORTCUTS = {
    action_ids.DECLARE_SHORTCUT: declare.open_form,
    action_ids.DECLARE_FROM_MESSAGE: declare.open_form,
}

FORMS: dict[str, tuple[Parser[Any], FormHandler[Any]]] = {
    action_ids.DECLARE_FORM: (declare.parse_form, declare.submit),
    action_ids.TAKE_OVER_FORM: (model_parser(incident.TakeOverForm), incident.submit_take_over),
    action_ids.UPDATE_FORM: (model_parser(incident.UpdateForm), incident.submit_update),
    action_ids.RESOLVE_FORM: (model_parser(incident.ResolveForm), incident.submit_resolve),
    action_ids.PLAYBOOK_FORM: (model_parser(incident.PlaybookForm), incident.submit_playbook),
    action_ids.CUSTOMER_FORM: (model_parser(customers.CustomerForm), customers.submit),
    action_ids.STEP_FORM: (steps.parse_form, steps.submit),
    action_ids.DENY_FORM: (model_parser(steps.DenyForm), steps.submit_deny),
    action_ids.GLASS_FORM: (model_parser(steps.GlassForm), steps.submit_glass),
    action_ids.DONE_FORM: (model_parser(tasks.DoneForm), tasks.submit_done),
    action_ids.SKIP_FORM: (model_parser(tasks.SkipForm), tasks.submit_skip),
    action_ids.CHECKLIST_FORM: (model_parser(tasks.WorkForm), tasks.submit_work),
    action_ids.TICK_FORM: (tasks.parse_tick_form, tasks.submit_ticks),
}

# Searches: selects whose options Slack asks for as somebody types.
OPTIONS: dict[str, Finder] = {
    action_ids.FORM_SERVICE: declare.find_services,
    action_ids.CHOOSE_SERVICE: declare.find_services,
    "service": declare.find_services,
    action_ids.CHOOSE_SCENARIO: incident.find_scenarios,
    "scenario": incident.find_scenarios,
}

# What is typed here can be judged only from the live system.
MAY_REFUSE = (action_ids.STEP_FORM,)

EVENTS = {
    "reaction_added": incident.pin_message,
    "app_mention": incident.mention,
    "app_home_opened": incident.show_home,
}


async def unknown(world: World, interaction: Interaction) -> None:
    """Raise UserError for an unknown subcommand, with the one that was probably meant."""
    declare.suggest_declare(interaction.text)
    word, _ = first_word(interaction.text)
    known = sorted(filter(None, SUBCOMMANDS))
    closest = ALIASES.get(word.lower()) or next(iter(get_close_matches(word.lower(), known, 1)), "")
    suggestion = f" Did you mean `{COMMAND} {closest}`?" if closest else ""
    raise UserError(
        f"Unknown command “{word[: incident.QUOTED_LENGTH]}”.{suggestion} Nothing was done. "
        f"Commands: {', '.join(known)}."
    )


# Everything else is for full members of this workspace. These ask `flows.guests` who may declare,
# and read titles: a fire does not wait for Slack. `approve` calls Slack by itself, and never uses
# the cache.
OPEN_TO_ALL: frozenset[object] = frozenset(
    {
        incident.show_help,
        incident.show_service,
        incident.mention,
        incident.show_home,
        declare.declare,
        declare.open_form,
        declare.redraw_form,
        declare.submit,
        incident.stale_component,
        steps.approve,
        unknown,
    }
)


def register(app: AsyncApp, world: World) -> None:
    """Register the listener of everything with Bolt, and one for what older versions sent."""

    def listen(handler: Handler) -> Any:
        return interaction_listener(world, handler, open_to_all=handler in OPEN_TO_ALL)

    app.command(COMMAND)(command_listener(world, SUBCOMMANDS, unknown, open_to_all=OPEN_TO_ALL))
    for action_id, handler in BLOCK_ACTIONS.items():
        app.action(action_id)(listen(handler))
    for callback_id, handler in SHORTCUTS.items():
        app.shortcut(callback_id)(listen(handler))
    app.event("reaction_added", matchers=[_is_other_reaction])(ack_only)
    for event, handler in EVENTS.items():
        app.event(event)(listen(handler))
    for callback_id, (parser, submit) in FORMS.items():
        app.view(callback_id)(
            form_listener(
                world,
                parser,
                submit,
                open_to_all=submit in OPEN_TO_ALL,
                may_refuse=callback_id in MAY_REFUSE,
            )
        )
    for action_id, finder in OPTIONS.items():
        app.options(action_id)(options_listener(world, finder))
    app.options(re.compile(".*"))(options_listener(world, find_nothing))
    app.action(action_ids.OPEN_LINK)(ack_only)
    for decorator in (app.action, app.view, app.shortcut):
        decorator(re.compile(".*"))(listen(incident.stale_component))


async def _is_other_reaction(body: Body) -> bool:
    return bool(body["event"].get("reaction") != incident.PIN_REACTION)
