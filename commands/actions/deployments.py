"""What all changes of a Deployment share: the fingerprint, the dry run, and one guarded write."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from bot import cluster as kubernetes
from bot.actions import Change, Run, Systems
from bot.cluster import Cluster, Conflict, Deployment, TimedOut, Unreachable
from bot.model import Plan, UserError, Verdict
from commands.actions import watching
from commands.actions.fields import Name
from commands.actions.watching import Limits, Sight

ATTEMPTS = 5
ACCEPTED = "The API server accepts it (dry run, nothing was written)."
Make = Callable[[Deployment], kubernetes.Change]


class DeploymentChange(Change):
    """A change of one Deployment, after which its pods must be ready and stay so.

    `watch_seconds` is how long they must, `deadline_seconds` how long they may take until then.
    """

    deployment: Name
    watch_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 300

    async def watch(self, systems: Systems, run: Run, done: str) -> Verdict:
        """Wait for the rollout, then watch its pods."""

        async def look() -> Sight:
            return await watching.sight_of(systems.cluster, self.deployment)

        return await watching.watch(look, run, self.limits, done)

    @property
    def limits(self) -> Limits:
        """The times of the check."""
        return Limits(steady=self.watch_seconds, deadline=self.deadline_seconds)

    def check(self, replicas: int) -> str:
        """What is checked afterwards, and when it is given up."""
        return check(replicas, self.limits)


def check(replicas: int, limits: Limits) -> str:
    """What is checked afterwards, and when it is given up."""
    if not replicas:
        return f"Within {limits.deadline:g} s no pod is left."
    return (
        f"Within {limits.deadline:g} s {replicas} of {replicas} pods are ready, and then stay so "
        f"for {limits.steady:g} s without a restart."
    )


def fingerprint(now: Deployment) -> dict[str, Any]:
    """What must be as it was when the plan was made; its replicas are an autoscaler's to move."""
    return {"uid": now.uid, "spec": now.spec_digest, "revision": now.revision}


def replaced(now: Deployment) -> str:
    """The blast radius of a rollout: how many pods, and how many may be missing meanwhile."""
    if not now.replicas:
        return "No pods: it is scaled to 0."
    count, away = now.replicas, now.unavailable
    if not away:
        return f"{count} pods are replaced; none goes before its successor is ready."
    share = round(100 * away / count)
    return f"{count} pods are replaced; up to {away} of {count} ({share} %) missing meanwhile."


async def rehearse(cluster: Cluster, name: str, make: Make) -> Deployment:
    """A dry run on the server; the Deployment's status may move meanwhile, so try again."""
    for _ in range(ATTEMPTS - 1):
        try:
            now = await cluster.deployment(name)
            return await cluster.rehearse(now, make(now))
        except Conflict:
            continue
    now = await cluster.deployment(name)
    return await cluster.rehearse(now, make(now))


async def write(cluster: Cluster, name: str, plan: Plan, run: Run, make: Make) -> None:
    """Change it once, if it is still what the plan was made from.

    Its resourceVersion moves with its status too, so a conflict alone is no drift: it is read
    again. Raises UserError with nothing changed when it has drifted.
    """
    for _ in range(ATTEMPTS):
        now = await cluster.deployment(name)
        _check_same(plan, now)
        try:
            await cluster.change(now, make(now), run.execution_id)
        except Conflict:
            continue
        except (TimedOut, Unreachable):
            if not await _was_written(cluster, now, run):
                raise
        return
    raise Conflict(
        f"deployment/{name} was changed by somebody else {ATTEMPTS} times in a row, so nothing was "
        "changed. Look who else works on it, and ask again."
    )


def _check_same(plan: Plan, now: Deployment) -> None:
    live = fingerprint(now) | {"replicas": now.replicas}
    changed = [key for key, value in live.items() if plan.fingerprint.get(key, value) != value]
    if changed:
        raise UserError(
            f"{now.target} changed since the plan was made ({', '.join(changed)}), so nothing was "
            f"done. It now runs revision {now.revision} (image {now.image}) with {now.replicas} "
            "replicas. Look, and ask again."
        )


async def _was_written(cluster: Cluster, before: Deployment, run: Run) -> bool:
    """No answer came: the execution's id on the Deployment tells whether it was done."""
    try:
        now = await cluster.deployment(before.name)
    except (TimedOut, Unreachable):
        return False
    return now.execution == str(run.execution_id) and now.version != before.version
