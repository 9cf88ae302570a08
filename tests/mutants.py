"""`make mutants`: break one decision at a time in a copy of the tree, and see which test notices.

A list of our own, not a tool that breaks every line: such a tool makes thousands of mutants, most
of words and log lines, and each costs seconds of a real PostgreSQL. Each of these is a decision
whose loss would hurt people. A mutant that survives needs a test that says why it matters.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "artefacts", "pictures")
SECONDS = 600
RACES = "tests/test_races.py"
DECISIONS = "tests/test_change_races.py"
REACHED = "tests/test_approvers_are_reached.py"


class Mutant(NamedTuple):
    """A change of one decision: `old`, which stands once in the file, becomes `new`.

    `tests` are those that must fail, as pytest names them.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "a rule lowers without saying so",
        "bot/config/policy.py",
        "return self.approvals if self.lowers else max(before, self.approvals)",
        "return self.approvals",
        ("tests/test_config_policy.py::test_only_a_rule_that_says_so_lowers",),
    ),
    Mutant(
        "a freeze that begins meanwhile passes the approval",
        "bot/flows/approvals.py",
        "    execution = await freezes.apply(world, conn, execution, now)\n",
        "",
        ("tests/test_policy_rules.py::test_a_freeze_begins_before_the_approval",),
    ),
    Mutant(
        "a freeze that begins meanwhile passes the start",
        "bot/flows/runs.py",
        "            if await _waits_in_freeze(world, conn, execution_id, now):\n"
        "                return None\n",
        "",
        ("tests/test_policy_rules.py::test_a_freeze_begins_before_the_start",),
    ),
    Mutant(
        "what waits uses no budget",
        "bot/store/executions.py",
        "OR state NOT IN ('denied', 'expired', 'voided', 'succeeded', 'failed')",
        "OR state = 'running'",
        ("tests/test_policy_rules.py::test_two_at_once_do_not_both_fit",),
    ),
    Mutant(
        "budget without the incident's lock",
        "bot/flows/executions.py",
        "incident = await (lock if after_end else lock_open)(conn, incident_id)",
        "incident = await store.incidents.get(conn, incident_id)\n    assert incident is not None",
        ("tests/test_policy_rules.py::test_two_at_once_do_not_both_fit",),
    ),
    Mutant(
        "approvers of another change approve",
        "bot/rules/policy.py",
        "return service.terms(asked.severity, execution.action, execution.risk).approvers",
        "return service.approvers",
        ("tests/test_policy_rules.py::test_a_rule_names_other_approvers",),
    ),
    Mutant(
        "who has just taken command breaks the glass",
        "bot/rules/break_glass.py",
        "return max((execution.requested_at, *answers, *commanded))",
        "return max((execution.requested_at, *answers))",
        ("tests/test_break_glass.py::test_who_may_not_is_refused",),
    ),
    Mutant(
        "an approval is no answer",
        "bot/rules/break_glass.py",
        "return max((execution.requested_at, *answers, *commanded))",
        "return max((execution.requested_at, *commanded))",
        ("tests/test_break_glass.py::test_an_approval_is_an_answer",),
    ),
    Mutant(
        "the glass is broken for one's own request",
        "bot/rules/break_glass.py",
        "if person.id in execution.requesters and not glass.own_requests:",
        "if False:",
        ("tests/test_break_glass.py::test_ones_own_request_needs_a_setting",),
    ),
    Mutant(
        "the glass is broken after a denial",
        "bot/rules/break_glass.py",
        "    if was_denied:",
        "    if False:",
        ("tests/test_break_glass.py::test_a_denial_counts_when_asked_again",),
    ),
    Mutant(
        "the glass is broken in any incident",
        "bot/rules/break_glass.py",
        "if incident.severity not in glass.severities:",
        "if False:",
        ("tests/test_break_glass.py::test_who_may_not_is_refused",),
    ),
    Mutant(
        "the only playbook is taken whatever the words say",
        "bot/rules/fitting.py",
        "return exact[0] if own and own == most else None",
        "return exact[0]",
        ("tests/test_fitting.py",),
    ),
    Mutant(
        "what could be two services is guessed",
        "bot/rules/service_names.py",
        "    if len(whole) == 1 and not others:",
        "    if whole:",
        ("tests/test_declared_words.py",),
    ),
    Mutant(
        "an incident of no service has somebody's playbook",
        "bot/rules/fitting.py",
        "return (own[0] if own else without_scenarios(service)), None",
        "return (own or tuple(playbooks))[0], None",
        (
            "tests/test_fitting.py::test_an_unknown_service_has_no_playbook",
            "tests/test_declare_services.py::test_what_is_not_sure_is_asked",
        ),
    ),
    Mutant(
        "the second to choose a service overrules the first",
        "bot/flows/incidents.py",
        "if incident.service != previous or incident.service == service.id:",
        "if incident.service == service.id:",
        ("tests/test_declare_services.py::test_the_first_service_chosen_stays",),
    ),
    Mutant(
        "another service keeps the clocks of the first",
        "bot/flows/incidents.py",
        "if chosen.service != incident.service and incident.last_update_at is None:",
        "if False:",
        ("tests/test_declare_services.py::test_a_press_brings_all_of_the_service",),
    ),
    Mutant(
        "two services that fail alike are one incident",
        "bot/store/incidents.py",
        "          AND status <> 'resolved' AND playbook ->> 'service' = %(service)s\n",
        "          AND status <> 'resolved'\n",
        ("tests/test_declare_services.py::test_two_services_fail_alike",),
    ),
    Mutant(
        "start ignores expiry",
        "bot/store/executions.py",
        " AND (expires_at IS NULL OR expires_at > %(now)s)",
        "",
        (f"{DECISIONS}::test_nothing_starts_after_its_expiry",),
    ),
    Mutant(
        "a check without patience",
        "bot/flows/runs.py",
        "systems = world.services.systems(execution.place).patient(progress.report)\n"
        "            verdict",
        "systems = world.services.systems(execution.place)\n            verdict",
        ("tests/test_cluster_restarts.py::test_a_check_that_begins_in_a_restart_waits",),
    ),
    Mutant(
        "a later pause ends with an old one",
        "bot/flows/effects.py",
        "return change is not None and change.may_be_in_force",
        "return False",
        ("tests/test_pause_watched.py::test_an_old_interruption_is_left_alone",),
    ),
    Mutant(
        "start from any state",
        "bot/store/executions.py",
        "WHERE id = %(id)s AND state = 'approved' AND (expires_at",
        "WHERE id = %(id)s AND (expires_at",
        (f"{RACES}::test_who_denies_before_the_start_is_heard",),
    ),
    Mutant(
        "approvers are reminded again and again",
        "bot/store/nudges.py",
        "state = 'proposed' AND nudged_at IS NULL AND expires_at",
        "state = 'proposed' AND expires_at",
        (f"{REACHED}::test_approvers_are_reminded_at_half_time",),
    ),
    Mutant(
        "whoever requests counts as an approver who can",
        "bot/rules/policy.py",
        "others = given | {user_id for user_id in may if user_id not in asked.requesters}",
        "others = given | set(may)",
        (f"{REACHED}::test_nobody_can_approve",),
    ),
    Mutant(
        "several at once takes what somebody has",
        "bot/flows/tasks.py",
        "store.tasks.take(conn, task.id, previous_owner=None,",
        "store.tasks.take(conn, task.id, previous_owner=task.owner,",
        ("tests/test_several_tasks.py::test_what_somebody_else_has_stays",),
    ),
    Mutant(
        "approve without the row's lock",
        "bot/flows/approvals.py",
        """execution = await store.executions.lock(conn, execution_id)
    if execution is None:
        raise UserError("This request no longer exists. Nothing was approved.")""",
        """execution = await store.executions.get(conn, execution_id)
    if execution is None:
        raise UserError("This request no longer exists. Nothing was approved.")""",
        (f"{DECISIONS}::test_approval_waits_for_a_denial",),
    ),
    Mutant(
        "a person looked up a minute ago approves",
        "bot/flows/lookups.py",
        "world.directory.fetch_user(by),\n        on_call.membership(",
        "world.directory.cached_person(by),\n        on_call.membership(",
        (f"{RACES}::test_who_left_just_now_approves_nothing",),
    ),
    Mutant(
        "a group read a minute ago approves",
        "bot/flows/lookups.py",
        "on_call.membership(world, config, approvers_of(world, execution), called)",
        "on_call.cached_membership(world, config, approvers_of(world, execution))",
        ("tests/test_change_approval.py::test_former_approvers_approve_nothing",),
    ),
    Mutant(
        "who is called cannot approve",
        "bot/flows/approvals.py",
        "return await load_decider(world, by, execution, execution.called)",
        "return await load_decider(world, by, execution, [Duty(escalation_policy='PPAY')])",
        ("tests/test_who_can_approve_now.py",),
    ),
    Mutant(
        "somebody else confirms an approval",
        "bot/rules/second_step.py",
        "if person != confirmation.user_id:",
        "if person is None:",
        ("tests/test_second_step.py::test_a_forged_form_of_somebody_else_is_recorded",),
    ),
    Mutant(
        "an approval is confirmed after its time",
        "bot/rules/second_step.py",
        "if confirmation.expires_at <= now:",
        "if False:",
        ("tests/test_second_step.py::test_a_link_lasts_five_minutes",),
    ),
    Mutant(
        "anybody may say who signed in",
        "bot/web/approve_page.py",
        "is_proxy = self._sign_in.trusts(peer)",
        "is_proxy = True",
        ("tests/test_second_step.py::test_only_the_proxy_is_believed",),
    ),
    Mutant(
        "the proxy needs no secret",
        "bot/web/approve_page.py",
        "if not (is_proxy and hmac.compare_digest(secret, self._secret)):",
        "if not is_proxy:",
        ("tests/test_second_step.py::test_without_the_sign_in_nothing_is_shown",),
    ),
    Mutant(
        "a form of another site approves",
        "bot/web/approve_page.py",
        'if not sites <= {b"same-origin"} or not self._is_own(token, email, body):',
        "if not self._is_own(token, email, body):",
        ("tests/test_second_step.py::test_another_site_is_refused",),
    ),
    Mutant(
        "whoever PagerDuty names approves",
        "bot/systems/pagerduty.py",
        "if of is None or not is_asked_for:",
        "if of is None:",
        ("tests/test_on_call_approvers.py::test_what_was_not_asked_for_is_no_right",),
    ),
    Mutant(
        "finish from any state",
        "bot/store/executions.py",
        """AND (
            state IN ('running', 'interrupted')
            OR (state = 'failed' AND check_passed IS NULL AND %(check_passed)s::boolean IS NOT NULL)
        )""",
        "",
        (f"{DECISIONS}::test_what_does_not_run_cannot_end",),
    ),
    Mutant(
        "an outcome written once only",
        "bot/store/executions.py",
        """
            OR (state = 'failed' AND check_passed IS NULL AND %(check_passed)s::boolean IS NOT NULL)
""",
        "\n",
        (f"{RACES}::test_a_first_outcome_can_be_corrected",),
    ),
    Mutant(
        "the resolved are reminded",
        "bot/store/reminders.py",
        """
    AND (status <> 'resolved' OR kind = 'tasks')""",
        "",
        (f"{RACES}::test_a_resolved_incident_reminds_nobody",),
    ),
    Mutant(
        "reminders are claimed without the lock",
        "bot/store/reminders.py",
        " FOR NO KEY UPDATE SKIP LOCKED",
        "",
        (
            f"{RACES}::test_a_reminder_waits_for_an_update",
            f"{RACES}::test_a_reminder_is_fired_by_one",
        ),
    ),
    Mutant(
        "reminders do not lock their incident",
        "bot/store/reminders.py",
        " FOR NO KEY UPDATE SKIP LOCKED",
        " FOR NO KEY UPDATE OF reminders SKIP LOCKED",
        (f"{RACES}::test_a_reminder_waits_for_an_update",),
    ),
    Mutant(
        "asking in a resolved incident",
        "bot/flows/executions.py",
        "await (lock if after_end else lock_open)(conn, incident_id)",
        "await lock(conn, incident_id)",
        (f"{DECISIONS}::test_nobody_asks_in_a_resolved_incident",),
    ),
    Mutant(
        "resolvability checked before what waits is voided",
        "bot/flows/incidents.py",
        """\
        voided = await store.executions.void(conn, incident_id, now, unreadable)
        executions = await store.executions.of_incident(conn, incident_id, unreadable)
        others = await store.executions.applied_after_failures(conn, executions)
        _check_nothing_open(executions, others, unreadable, override_reason)
""",
        """\
        executions = await store.executions.of_incident(conn, incident_id, unreadable)
        others = await store.executions.applied_after_failures(conn, executions)
        _check_nothing_open(executions, others, unreadable, override_reason)
        voided = await store.executions.void(conn, incident_id, now, unreadable)
""",
        (f"{DECISIONS}::test_what_starts_now_is_not_resolved",),
    ),
    Mutant(
        "a lease that is never lost",
        "bot/publishing/lease.py",
        "self._held = await store.publications.renew(",
        "await store.publications.renew(",
        (f"{RACES}::test_who_lost_the_lease_stops",),
    ),
    Mutant(
        "the requester approves",
        "bot/rules/permissions.py",
        "    if person.id not in execution.requesters:",
        "    if True:",
        ("tests/test_change_approval.py::test_a_refused_approval_is_recorded",),
    ),
    Mutant(
        "one person approves twice",
        "bot/rules/permissions.py",
        "    if any(approval.by == person.id for approval in execution.approvals):",
        "    if False:",
        ("tests/test_rules.py",),
    ),
    Mutant(
        "an expired request is approved",
        "bot/rules/permissions.py",
        "    if execution.expires_at is not None and execution.expires_at <= now:",
        "    if False:",
        ("tests/test_rules.py",),
    ),
    Mutant(
        "who is no approver approves",
        "bot/rules/permissions.py",
        "    if person.id in approvers:\n        return\n    service",
        "    if True:\n        return\n    service",
        ("tests/test_change_approval.py::test_a_refused_approval_is_recorded",),
    ),
    Mutant(
        "who is in no team takes command from somebody",
        "bot/rules/permissions.py",
        '    if person.id not in team:\n        raise UserError(\n            f"<@{commander}>',
        '    if False:\n        raise UserError(\n            f"<@{commander}>',
        ("tests/test_command.py::test_the_answer_decides",),
    ),
    Mutant(
        "of two at once both take command",
        "bot/flows/command.py",
        "        if incident.commander != seen:",
        "        if False:",
        ("tests/test_command.py",),
    ),
    Mutant(
        "a service that lets anyone gives rights in all",
        "bot/flows/teams.py",
        "    return all(config.lets_anyone(right)",
        "    return any(config.lets_anyone(right)",
        ("tests/test_command.py",),
    ),
    Mutant(
        "two services share the ids of steps",
        "bot/model/incident.py",
        'f"{each.playbook.service}/")',
        '"")',
        ("tests/test_several_services.py::test_steps_of_both_have_one_id_each",),
    ),
    Mutant(
        "guests and bots act",
        "bot/rules/permissions.py",
        "    if person.guest:",
        "    if False:",
        ("tests/test_change_approval.py::test_guests_and_strangers_approve_nothing",),
    ),
    Mutant(
        "a temporary change is extended after its end",
        "bot/rules/permissions.py",
        "    if change.ends_at <= now:",
        "    if False:",
        ("tests/test_rules.py", "tests/test_rules_changes.py"),
    ),
    Mutant(
        "drift is ignored",
        "bot/flows/runs.py",
        "    if current.digest != approved.digest:",
        "    if False:",
        ("tests/test_change_run.py::test_drift_stops_the_run",),
    ),
    Mutant(
        "who was taken for dead goes on",
        "bot/flows/runs.py",
        "            if not await _is_still_running(world, execution):\n                return\n",
        "",
        ("tests/test_change_interrupted.py::test_a_run_taken_for_dead_stops",),
    ),
    Mutant(
        "an unsure error is “not done”",
        "bot/flows/runs.py",
        "        if not error.unsure:",
        "        if True:",
        ("tests/test_change_run.py", "tests/test_actions_rollback.py"),
    ),
    Mutant(
        "one try to write the outcome",
        "bot/flows/runs.py",
        "RETRY_DELAYS = (0.2, 1.0, 5.0, 10.0, 15.0, 30.0)",
        "RETRY_DELAYS: tuple[float, ...] = ()",
        (f"{RACES}::test_an_outcome_survives_its_connection",),
    ),
    Mutant(
        "an undo is approved for ever",
        "bot/rules/policy.py",
        "now < undone.undo_until",
        "True",
        ("tests/test_rules_changes.py", "tests/test_change_undo.py"),
    ),
    Mutant(
        "an undo of something else is approved",
        "bot/rules/policy.py",
        "    elif undone.undo_digest != change.plan.digest:",
        "    elif False:",
        ("tests/test_change_undo.py", "tests/test_rules_changes.py"),
    ),
    Mutant(
        "a resolve voids only what nobody approved",
        "bot/store/executions.py",
        "WHERE incident_id = %(incident_id)s AND state IN ('proposed', 'approved')\n"
        "          AND NOT EXISTS",
        "WHERE incident_id = %(incident_id)s AND state IN ('proposed') AND NOT EXISTS",
        (f"{RACES}::test_a_resolve_voids_what_is_approved",),
    ),
    Mutant(
        "a live process is interrupted",
        "bot/store/executions.py",
        """SILENT = "state = 'running' AND heartbeat_at < %(silent_since)s\"""",
        """SILENT = "state = 'running' AND heartbeat_at IS NOT NULL\"""",
        ("tests/test_change_interrupted.py",),
    ),
    Mutant(
        "the dead are never interrupted",
        "bot/store/executions.py",
        """SILENT = "state = 'running' AND heartbeat_at""",
        """SILENT = "false AND heartbeat_at""",
        ("tests/test_change_interrupted.py",),
    ),
    Mutant(
        "two replicas take one temporary change",
        "bot/store/temporary_changes.py",
        "SET next_check_at = %(again)s\n",
        "SET next_check_at = next_check_at\n",
        ("tests/test_pause_trouble.py::test_another_replica_takes_the_claim",),
    ),
    Mutant(
        "an extended change is undone at its first end",
        "bot/flows/temporary_changes.py",
        "return change if change is not None and change.in_force and change.ends_at <= now else",
        "return change if change is not None and change.in_force else",
        (f"{RACES}::test_an_extension_comes_before_the_end",),
    ),
    Mutant(
        "a replica goes by its own clock",
        "bot/clock.py",
        "return datetime.fromtimestamp(_count() + self._offset, UTC)",
        "return self._wall_clock()",
        ("tests/test_clocks.py::test_replica_an_hour_off_changes_nothing",),
    ),
    Mutant(
        "one bad row stops a sweep",
        "bot/sweeps.py",
        "        if db.is_away(error):",
        "        if True:",
        ("tests/test_bad_rows.py::test_bad_row_stops_nothing_else",),
    ),
    Mutant(
        "a plan is approved of which only a newer version knows all",
        "bot/flows/approvals.py",
        "    rules.changes.check_understood(execution)\n",
        "",
        ("tests/test_newer_version.py::test_plan_that_says_more_is_left_to_newer_replicas",),
    ),
    Mutant(
        "a delivery is taken twice",
        "commands/listen.py",
        "        if not await retry_unwritten(world, claim):",
        "        await retry_unwritten(world, claim)\n        if False:",
        ("tests/test_deliveries.py",),
    ),
    Mutant(
        "a guest reaches every command",
        "commands/listen.py",
        "        if not open_to_all:",
        "        if False:",
        ("tests/test_guests.py",),
    ),
    Mutant(
        "an unknown error is not answered",
        "commands/listen.py",
        """        await interaction.reply(
            "Something went wrong""",
        """        _ = (
            "Something went wrong""",
        ("tests/test_bad_input.py", "tests/test_answers.py", "tests/test_deliveries.py"),
    ),
    Mutant(
        "a refusal is not answered",
        "commands/listen.py",
        "        await interaction.reply(str(error))",
        "        pass",
        ("tests/test_change_approval.py::test_a_late_press_is_answered",),
    ),
    Mutant(
        "the start waits for nothing",
        "bot/slack/starting.py",
        "if not refused.is_transient or seconds > left:",
        "if seconds >= 0:",
        ("tests/test_slack_at_the_start.py::test_what_passes_is_waited_for",),
    ),
    Mutant(
        "a card posted again is not pinned",
        "bot/publishing/sender.py",
        "if before is not None and is_posted_again:",
        "if False:",
        ("tests/test_slack_as_it_is.py::test_deleted_card_is_pinned_again",),
    ),
    Mutant(
        "one who cannot come keeps out all",
        "bot/slack/invitations.py",
        "return [users[:middle], users[middle:]] if middle else []",
        "return []",
        ("tests/test_slack_as_it_is.py::test_others_come_in_all_the_same",),
    ),
    Mutant(
        "who declared is told no refusal",
        "commands/declare.py",
        "if refusal is not None:",
        "if False:",
        ("tests/test_slack_as_it_is.py::test_missing_scope_is_told",),
    ),
    Mutant(
        "an all-clear for people who were told nothing",
        "bot/rules/customers.py",
        "elif last_told(executions) is None:",
        "elif False:",
        ("tests/test_all_clear.py::test_who_knew_nothing_hears_nothing",),
    ),
    Mutant(
        "a production step may follow the end",
        "bot/rules/customers.py",
        "return step_id == ALL_CLEAR and action in (CUSTOMER_MESSAGE, WITHDRAWAL)",
        "return step_id == ALL_CLEAR",
        ("tests/test_all_clear.py::test_a_step_of_that_name_is_none",),
    ),
    Mutant(
        "a declined status is proposed again",
        "bot/rules/next_status.py",
        "any(answer > checked[-1] for answer in answers)",
        "False",
        ("tests/test_card.py::test_the_next_status_is_proposed_once",),
    ),
    Mutant(
        "a step in a place that nothing lists",
        "bot/playbooks/loader.py",
        "elif known is not None and name not in known:",
        "elif False:",
        ("tests/test_shared_playbooks.py::test_place_is_checked",),
    ),
    Mutant(
        "params checked for the first service only",
        "bot/playbooks/loader.py",
        "(is_first or key_path in in_steps)",
        "is_first",
        ("tests/test_shared_playbooks.py::test_refused_params_name_their_service",),
    ),
    Mutant(
        "a value decides the action",
        "bot/playbooks/rendering.py",
        "return any(part in STRUCTURE for part in key_path)",
        "return False",
        ("tests/test_shared_playbooks.py::test_mistakes_are_told_once",),
    ),
    Mutant(
        "a value in a message is a template",
        "bot/playbooks/rendering.py",
        'f"({json.dumps(service.known[name], ensure_ascii=False)})"',
        'f"{service.known[name]}"',
        ("tests/test_service_values.py::test_messages_say_the_value_itself",),
    ),
    Mutant(
        "expressions reach attributes",
        "bot/playbooks/rendering.py",
        "return self.unsafe_undefined(obj, attribute)",
        "return super().getattr(obj, attribute)",
        ("tests/test_service_values.py::test_expressions_can_do_nothing_else",),
    ),
)


def apply(mutant: Mutant, tree: Path) -> str:
    """Change the file; returns what it was. Raises ValueError where `old` does not stand once."""
    file = tree / mutant.file
    before = file.read_text(encoding="utf-8")
    if (count := before.count(mutant.old)) != 1:
        raise ValueError(f"“{mutant.name}”: what it changes stands {count} times in {mutant.file}")
    file.write_text(before.replace(mutant.old, mutant.new), encoding="utf-8")
    return before


@contextmanager
def mutated(mutant: Mutant, tree: Path) -> Iterator[None]:
    """The tree with one change, until this ends."""
    before = apply(mutant, tree)
    yield
    (tree / mutant.file).write_text(before, encoding="utf-8")


def names_of_tests(file: Path) -> set[str]:
    """The tests of a file, and "" for all of them."""
    return {"", *re.findall(r"^(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)}


def run(tests: Sequence[str], tree: Path) -> int:
    """What pytest ends with in a tree, at the first failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        return subprocess.run(
            command, cwd=tree, stdout=subprocess.DEVNULL, timeout=SECONDS, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return 1  # it hangs, which somebody notices too


def fate(mutant: Mutant, tree: Path) -> str:
    """What becomes of a mutant: killed, survived, or why it says nothing."""
    with mutated(mutant, tree):
        code = run(mutant.tests, tree)
    return {0: "SURVIVED", 1: "killed"}.get(code, f"pytest ended with {code}")


def main(arguments: Sequence[str]) -> int:
    """Try the mutants whose names hold a word given, or all; 1 where one is not killed."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose names hold one of these")
    words = parser.parse_args(arguments).words
    chosen = [
        mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)
    ]
    with TemporaryDirectory(prefix="runbolt-mutants-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        alive = list(survivors(chosen, tree))
    print(f"{len(chosen)} mutants, {len(chosen) - len(alive)} killed")
    return int(bool(alive))


def survivors(mutants: Sequence[Mutant], tree: Path) -> Iterator[Mutant]:
    """Those that no test kills, each printed with its fate as soon as it is known."""
    for mutant in mutants:
        became = fate(mutant, tree)
        print(f"{became}: {mutant.name} ({mutant.file})", flush=True)
        if became != "killed":
            yield mutant


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
