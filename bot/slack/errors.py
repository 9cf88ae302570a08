"""What Slack refuses a call with: whether it passes by itself, and what people do about the rest.

The codes are those of https://docs.slack.dev/reference/methods.
"""

import re
from collections.abc import Mapping
from typing import Self

from bot.model import UserError

NO_ANSWER = "no_answer"
TRANSIENT_CODES = (
    NO_ANSWER,
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "team_added_to_org",
    "request_timeout",
)
# Another answer than Slack's: all but these say that the sender must change something.
LASTING_HTTP = re.compile(r"http_4(?!08|25|29)\d\d")

APP_TOKEN_METHOD = "apps.connections.open"
_TOKEN = "Copy the token again from the app's page into {token}, which is read at the start."
_POSTING = "Let the app post there, in the channel's settings."
_ADMIN = "A setting of the workspace forbids this to the app: an admin can allow it."
_INVITE = "Invite the bot to the channel."
_EXPIRED = "Slack waits three seconds for a form, and they had passed: press again."
_TOO_LONG = "It is too long for Slack: shorten the playbook's texts, or what was typed."
FIXES = {
    "account_inactive": _TOKEN,
    "invalid_auth": _TOKEN,
    "not_allowed_token_type": _TOKEN,
    "not_authed": _TOKEN,
    "token_expired": _TOKEN,
    "token_revoked": _TOKEN,
    "plan_upgrade_required": (
        "The plan of this workspace has no user groups: in RUNBOLT_CONFIG, list people under "
        "users instead of groups."
    ),
    "access_denied": _ADMIN,
    "accesslimited": _ADMIN,
    "ekm_access_denied": _ADMIN,
    "no_permission": _ADMIN,
    "not_authorized": _ADMIN,
    "org_login_required": _ADMIN,
    "permission_denied": _ADMIN,
    "restricted_action": _ADMIN,
    "team_access_not_granted": _ADMIN,
    "user_is_restricted": _ADMIN,
    "edit_window_closed": "An admin of the workspace can allow the app to edit its messages.",
    "restricted_action_non_threadable_channel": _POSTING,
    "restricted_action_read_only_channel": _POSTING,
    "restricted_action_thread_only_channel": _POSTING,
    "is_archived": "Unarchive the channel.",
    "channel_not_found": _INVITE,
    "method_not_supported_for_channel_type": "Choose a public channel: no app can join this one.",
    "not_in_channel": _INVITE,
    "name_taken": "Rename one of the channels that have its name.",
    "exchanged_trigger_id": _EXPIRED,
    "expired_trigger_id": _EXPIRED,
    "invalid_trigger_id": _EXPIRED,
    "trigger_expired": _EXPIRED,
    "trigger_exchanged": _EXPIRED,
    "msg_blocks_too_long": _TOO_LONG,
    "msg_too_long": _TOO_LONG,
    "view_too_large": _TOO_LONG,
    "too_many_bookmarks": "Remove some of the channel's bookmarks.",
    "too_many_pins": "Unpin some of the channel's messages.",
}


class SlackError(UserError):
    """A call to Slack failed; `code` is Slack's error, or `no_answer` where there was none.

    `retry_after` is in seconds, where Slack limits the rate. `scope` is what Slack says is needed,
    where one is missing; of several, separated by commas, one is enough. `refused_users` are the
    codes by user, where Slack names the users. `place` is where it was, if that is not plain.
    """

    def __init__(
        self,
        code: str,
        retry_after: float | None = None,
        *,
        method: str = "",
        scope: str = "",
        refused_users: Mapping[str, str] | None = None,
        place: str = "",
        sentence: str = "",
    ) -> None:
        self.code = code
        self.retry_after = retry_after
        self.method = method
        self.scope = scope
        self.refused_users = refused_users or {}
        self.place = place
        told = f"Slack refused this ({code}). What was decided is saved. {self.fix}"
        super().__init__(sentence or told)

    def about(self, sentence: str) -> Self:
        """The same error for people who asked for something else: the sentence, and the fix."""
        return self._copy(self.place, f"{sentence} {self.fix}")

    def at(self, place: str) -> Self:
        """The same error, which says where it was."""
        return self._copy(place, str(self))

    def _copy(self, place: str, sentence: str) -> Self:
        return type(self)(
            self.code,
            self.retry_after,
            method=self.method,
            scope=self.scope,
            refused_users=self.refused_users,
            place=place,
            sentence=sentence,
        )

    @property
    def is_no_answer(self) -> bool:
        """Whether Slack did not answer in time, or not at all."""
        return self.code == NO_ANSWER

    @property
    def is_transient(self) -> bool:
        """Whether it goes away by itself: a rate limit, a failure of Slack's, no answer."""
        if self.retry_after is not None or self.code in TRANSIENT_CODES:
            return True
        return self.code.startswith("http_") and not LASTING_HTTP.fullmatch(self.code)

    @property
    def reason(self) -> str:
        """The method and Slack's code for it, for the log and the card."""
        where = f"{self.method} in {self.place}" if self.place else self.method
        needed = f", needed: {self.scope}" if self.scope else ""
        return f"{where}: {self.code}{needed}" if where else f"{self.code}{needed}"

    @property
    def fix(self) -> str:
        """What people do about it, as sentences."""
        if self.retry_after:
            return f"Try again in {self.retry_after:g} s."
        if self.is_transient:
            return "Try again in a minute."
        if self.code == "missing_scope":
            return self._scope_fix()
        if self.code in FIXES:
            return FIXES[self.code].format(token=self._token)
        return self._fix_of_unknown()

    def _fix_of_unknown(self) -> str:
        if self.code.startswith("http_"):
            return "Something else answered in Slack's place: check SLACK_API_URL and the proxy."
        if not self.method:
            return "Look it up in Slack's documentation of its Web API."
        return (
            f"What it means is under https://docs.slack.dev/reference/methods/{self.method}#errors."
        )

    def _scope_fix(self) -> str:
        scopes = [scope for scope in self.scope.split(",") if scope]
        lacking = f"the scope {scopes[0]}" if len(scopes) == 1 else f"a scope ({self.scope})"
        if self.method == APP_TOKEN_METHOD:
            return f"SLACK_APP_TOKEN lacks {lacking}: generate an app-level token that has it."
        return (
            f"The app of SLACK_BOT_TOKEN lacks {lacking}: add what app-manifest.yml has, under "
            "OAuth & Permissions, and install the app again."
        )

    @property
    def _token(self) -> str:
        return "SLACK_APP_TOKEN" if self.method == APP_TOKEN_METHOD else "SLACK_BOT_TOKEN"
