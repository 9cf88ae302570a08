"""What may leave by a door to the cluster: only looks, dry runs as well, or changes."""

import logging
import re
from enum import StrEnum
from typing import Any

from yarl import URL

from bot.cluster.errors import WriteStopped

log = logging.getLogger(__name__)

LOOKS = ("GET", "HEAD", "OPTIONS")
# They are opened with GET and act all the same: what runs in a pod, or goes to it, may do anything.
ACTING = re.compile(
    r"/api/v1/(namespaces/[^/]+/[^/]+|nodes)/[^/]+/(attach|exec|portforward|proxy)(/|$)"
)
ALL = ["All"]


class Access(StrEnum):
    """How much a door lets through."""

    READ = "read"  # looks, and programs in pods that look
    PLAN = "plan"  # looks and dry runs; no programs
    CHANGE = "change"  # everything


def check(access: Access, method: str, url: str, body: Any) -> None:
    """Raise WriteStopped, before anything is sent, for what this door does not let through.

    `body` is the body of the request before it becomes JSON; None where it has none.
    """
    if access is Access.CHANGE or _is_allowed(access, method.upper(), URL(url), body):
        return
    log.error("stopped, not sent (%s only): %s %s", access, method, URL(url).path)
    raise WriteStopped(
        f"This was only to {access}, and would have sent a change to the cluster ({method} "
        f"{URL(url).path}), so it was stopped. Nothing was sent and nothing was changed. It is a "
        "mistake in the step's action: report it to the people who look after Runbolt."
    )


def _is_allowed(access: Access, method: str, url: URL, body: Any) -> bool:
    if method in LOOKS:
        return access is Access.READ or not ACTING.search(url.path)
    return access is Access.PLAN and _dry_run(method, url, body) == ALL


def _dry_run(method: str, url: URL, body: Any) -> Any:
    """`dryRun` as the server will read it: of a DELETE that has a body, from the body alone."""
    if method == "DELETE" and body is not None:
        return body.get("dryRun") if isinstance(body, dict) else None
    return url.query.getall("dryRun", [])
