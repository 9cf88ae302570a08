"""The action ids and callback ids of all buttons, menus, forms and shortcuts; see routes.py."""

TAKE_COMMAND = "incident.take_command"
TAKE_OVER = "incident.take_over"
ADD_SERVICE = "incident.add_service"
POST_UPDATE = "incident.post_update"
CHANGE_STATUS = "incident.change_status"
CHANGE_SEVERITY = "incident.change_severity"
CHOOSE_SCENARIO = "incident.choose_scenario"
CHOOSE_SERVICE = "incident.choose_service"
TAKE_SERVICE = "incident.take_service"
# Each button of a row needs an action id of its own.
TAKEN_SERVICES = tuple(f"{TAKE_SERVICE}.{number}" for number in range(5))
OTHER_SERVICE = "incident.other_service"
RESOLVE = "incident.resolve"
TAKE_STATUS = "incident.take_status"
KEEP_STATUS = "incident.keep_status"
OPEN_DECLARE = "incident.open_declare"
TELL_CUSTOMERS = "incident.tell_customers"
TICK_SYMPTOM = "incident.tick_symptom"
FORM_SERVICE = "incident.form_service"

RUN_STEP = "step.run"
UNDO = "execution.undo"
ASK_AGAIN = "execution.ask_again"
REQUEST_NEW_PLAN = "execution.request_new_plan"
CHECK_INTERRUPTED = "execution.check"
EXTEND = "execution.extend"

APPROVE = "execution.approve"
DENY = "execution.deny"
WITHDRAW = "execution.withdraw"
BREAK_GLASS = "execution.break_glass"
EDIT_MESSAGE = "execution.rewrite"

SNOOZE = "reminder.snooze"
# Each button of a row needs an action id of its own.
SNOOZES = tuple(f"{SNOOZE}.{minutes}" for minutes in (5, 10, 15))

TASK_DONE = "task.done"
TASK_TAKE = "task.take"
TASK_ESCALATE = "task.escalate"
TASK_REOPEN = "task.reopen"
TASK_MORE = "task.more"
WORK_THROUGH = "task.work_through"
TICK_SEVERAL = "task.several"

REOPEN_FORM = "refused.reopen"

OPEN_LINK = "link.open"

DECLARE_FORM = "form.declare"
TAKE_OVER_FORM = "form.take_over"
UPDATE_FORM = "form.update"
RESOLVE_FORM = "form.resolve"
CUSTOMER_FORM = "form.customer"
STEP_FORM = "form.step"
DENY_FORM = "form.deny"
GLASS_FORM = "form.break_glass"
DONE_FORM = "form.done"
SKIP_FORM = "form.skip"
PLAYBOOK_FORM = "form.playbook"
CHECKLIST_FORM = "form.work"
TICK_FORM = "form.tick"

DECLARE_SHORTCUT = "shortcut.declare"
DECLARE_FROM_MESSAGE = "shortcut.declare_from_message"
