"""What the changes of a Deployment share: its fingerprint, the guarded write, and the check."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from pydantic import Field

from bot.actions import Run, Systems
from bot.cluster import Change, Cluster, Conflict, Deployment, digest
from bot.model import Plan, UserError, Verdict
from commands.actions.watching import Sight, Watch, Watched

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
SETTLE_SECONDS = 3.0
TRIES = 5


class Drifted(UserError):
    """The target is no longer what the plan was made from."""


class Rollout(Watched):
    """A change of one Deployment."""

    deployment: Name


def fingerprint(now: Deployment) -> dict[str, Any]:
    """What must not have changed between the plan and its execution."""
    return {
        "uid": now.uid,
        "spec": now.spec_digest,
        "revision": now.revision,
        "replicas": now.replicas,
    }


async def settled(cluster: Cluster, name: str) -> Deployment:
    """A Deployment whose controller has taken in its last change; waits up to 3 s for that."""
    end = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while not (now := await cluster.deployment(name)).settled:
        if asyncio.get_running_loop().time() > end:
            raise UserError(
                f"{name} was changed a moment ago and its controller has not taken that in. "
                "Nothing was changed. Ask again in a few seconds."
            )
        await asyncio.sleep(0.1)
    return now


def meanwhile(now: Deployment) -> str:
    """How much of the service is missing while its pods are replaced."""
    pods = "Its one pod is" if now.replicas == 1 else f"All {now.replicas} pods are"
    if now.replicas == 0:
        return "No pod is affected: the Deployment runs none"
    if now.unavailable == 0:
        return f"{pods} replaced, none before its successor is ready"
    return f"{pods} replaced, up to {now.unavailable} of {now.replicas} at the same time"


def check_same(plan: Plan, found: dict[str, Any], name: str) -> None:
    """Raises Drifted, with old against new, when the live state is not the plan's."""
    moved = [
        f"{key} was {plan.fingerprint.get(key)}, is {value}"
        for key, value in found.items()
        if plan.fingerprint.get(key) != value
    ]
    if moved or found.keys() != plan.fingerprint.keys():
        raise Drifted(
            f"{name} is no longer what was approved ({'; '.join(moved)}). "
            "Nothing was changed. Look at it, then ask again."
        )


async def change_once(
    systems: Systems,
    plan: Plan,
    run: Run,
    name: str,
    prepare: Callable[[Deployment], Awaitable[tuple[Change, dict[str, Any]]]],
) -> None:
    """Write what `prepare` makes of the live state, if its fingerprint is still the plan's.

    A status that moves in the same moment is a conflict too, so it looks again: up to 5 times.
    """
    for left in reversed(range(TRIES)):
        now = await settled(systems.cluster, name)
        change, found = await prepare(now)
        check_same(plan, found, name)
        try:
            await systems.cluster.change(now, change, run.execution_id)
            return
        except Conflict:
            if not left:
                raise


async def verify_rollout(
    systems: Systems, run: Run, action: Rollout, template: str | None = None
) -> Verdict:
    """Whether the change was made and holds; `template` is the digest it must have left."""
    name = action.deployment
    now = await systems.cluster.deployment(name)
    if now.execution != str(run.execution_id):
        where = f"revision {now.revision} ({now.image}) with {now.replicas} replicas"
        return Verdict(ok=False, text=f"Not done: {name} is at {where}")
    left = template or digest(now.template)

    async def look() -> Sight:
        return await _sight(systems.cluster, name, left, run)

    return await Watch(action, look, run).verdict()


async def _sight(cluster: Cluster, name: str, template: str, run: Run) -> Sight:
    """The pods of the present template, and whether they are all there is."""
    now = await cluster.deployment(name)
    if digest(now.template) != template or now.execution != str(run.execution_id):
        return Sight((), now.replicas, complete=False, spoilt=f"Somebody changed {name} meanwhile")
    revisions, pods = await asyncio.gather(cluster.revisions(now), cluster.pods(now.selector))
    owners = {one.uid for one in revisions if digest(one.template) == template}
    own = tuple(one for one in pods if one.owner_uid in owners and not one.leaving)
    return Sight(own, now.replicas, complete=now.rolled_out, hindrance=now.failure)
