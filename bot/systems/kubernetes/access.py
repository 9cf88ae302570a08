"""How much a client of the cluster may do: only read, dry runs as well, or change."""

import logging
import re
from enum import StrEnum
from typing import Any

from yarl import URL

from bot.systems.kubernetes.errors import WriteStopped

log = logging.getLogger(__name__)

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# Subresources through which anything may be changed, with any method and without a dry run, and the
# one that hands out credentials.
INTERACTIVE_PATH = re.compile(
    r"/api/v1/(namespaces/[^/]+/[^/]+|nodes)/[^/]+/(attach|exec|portforward|proxy|token)(/|$)"
)
EXEC_PATH = re.compile(r"/api/v1/namespaces/[^/]+/pods/[^/]+/exec$")
DRY_RUN_ALL = ["All"]


class Access(StrEnum):
    """What a client lets through."""

    READ = "read"  # reads, and commands in pods that only read
    PLAN = "plan"  # reads and dry runs; no commands in pods
    CHANGE = "change"  # everything


def check(access: Access, method: str, url: str, body: Any) -> None:
    """Check a request before it is sent; raises WriteStopped for one that `access` leaves out.

    `body` is the body of the request before it becomes JSON; None where it has none.
    """
    if access is Access.CHANGE or _is_allowed(access, method.upper(), URL(url), body):
        return
    log.error("stopped, not sent (%s only): %s %s", access, method, URL(url).path)
    raise WriteStopped(
        f"This step may only {access}, but tried to send a change to the cluster ({method} "
        f"{URL(url).path}), so it was stopped. Nothing was sent and nothing was changed. This is a "
        "defect in the step's action: report it to the people who run Runbolt."
    )


def _is_allowed(access: Access, method: str, url: URL, body: Any) -> bool:
    if INTERACTIVE_PATH.search(url.path):
        is_command = method == "GET" and EXEC_PATH.search(url.path) is not None
        return access is Access.READ and is_command
    if method in SAFE_METHODS:
        return True
    return access is Access.PLAN and _dry_run(method, url, body) == DRY_RUN_ALL


def _dry_run(method: str, url: URL, body: Any) -> Any:
    """`dryRun` as the server will read it: of a DELETE that has a body, from the body alone."""
    if method == "DELETE" and body is not None:
        return body.get("dryRun") if isinstance(body, dict) else None
    return url.query.getall("dryRun", [])
