"""A variable of a service's environment, set or taken away, for good or for a while."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from bot import durations, masking
from bot.actions import Already, Run, Systems
from bot.cluster import Deployment, patches, temporary
from bot.model import Plan, Risk, Temporary, Undo, UserError, Verdict
from commands.actions import deployments, diffs
from commands.actions.deployments import DeploymentChange
from commands.actions.fields import Name

Obj = dict[str, Any]


def _not_secret(name: str) -> str:
    """A playbook, a plan and a channel are no place for a secret."""
    if diffs.SECRET.search(name):
        raise ValueError("expects a variable that holds no secret")
    return name


def _minutes(given: Any) -> Any:
    """`30 min` as 30; what are no whole minutes in words is left as it is."""
    try:
        span = durations.parse(given)
    except ValueError:
        return given
    if not isinstance(span, timedelta):
        return given
    minutes, rest = divmod(span, timedelta(minutes=1))
    return given if rest else minutes


Variable = Annotated[
    str,
    Field(max_length=100, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
    AfterValidator(_not_secret),
]
LONGEST = 500
Value = Annotated[str, Field(max_length=LONGEST)]
Minutes = Annotated[
    int, Field(ge=10, le=240), BeforeValidator(_minutes, json_schema_input_type=int | str)
]


class SetEnvironment(DeploymentChange):
    """Set a variable of a Deployment's pods, as `kubectl set env` does; without a value, remove it.

    With `revert_after` (minutes) it is temporary: undone by itself after so long. `state` is what
    people call it meanwhile, `effect` what it means for users. With the value `unless`, or where it
    is so already, nothing is planned, and `none` says what that means. `container` may be left out
    where there is only one.
    """

    name: ClassVar = "set-env"
    risk: ClassVar = Risk.DESTRUCTIVE
    fixed: ClassVar = frozenset({"deployment", "container", "variable", "value", "unless", "none"})
    container: Name | None = None
    variable: Variable
    value: Value | None = None
    state: Annotated[str, Field(max_length=75)] = ""
    effect: Annotated[str, Field(max_length=500)] = ""
    unless: Value | None = None
    none: Annotated[str, Field(max_length=200)] = ""
    revert_after: Minutes | None = Field(
        default=None,
        description="Minutes until it is undone by itself, unless an approver extends it.",
    )

    async def plan(self, systems: Systems) -> Plan:
        """From which value to which; raises Already when that is its value."""
        now = await systems.cluster.deployment(self.deployment)
        container = self._container(now)
        former = self._former(container)
        self._check(now, former)
        await deployments.rehearse(systems.cluster, self.deployment, self._change)
        new = self._template(now)
        return Plan(
            target=now.target,
            summary=self._summary(former),
            blast_radius=f"{deployments.replaced(now)} {self.effect}".strip(),
            check=self.check(now.replicas),
            diff=diffs.templates(now.template, new, "now", "then"),
            dry_run=deployments.ACCEPTED,
            undo=self._undo(former),
            temporary=self._temporary(),
            fingerprint=deployments.fingerprint(now),
        )

    def _container(self, now: Deployment) -> Obj:
        """The container that is meant; raises UserError when that is not clear."""
        found: list[Obj] = now.template["spec"]["containers"]
        names = ", ".join(one["name"] for one in found)
        if self.container is None and len(found) > 1:
            raise UserError(
                f"{now.target} has several containers ({names}), so nothing was planned. Name one "
                "in the playbook."
            )
        for one in found:
            if self.container in (None, one["name"]):
                return one
        raise UserError(
            f"{now.target} has no container {self.container}, so nothing was planned. It has: "
            f"{names}."
        )

    def _former(self, container: Obj) -> str | None:
        """The value it has, None where it has none; raises UserError for one from elsewhere."""
        found = [one for one in container.get("env") or [] if one["name"] == self.variable]
        if not found:
            return None
        last: Obj = found[-1]  # of several, Kubernetes takes the last one
        if source := last.get("valueFrom"):
            raise UserError(
                f"{self.variable} of {self.deployment} comes from {_words(source)}, so nothing was "
                "planned. Change it there, or by hand."
            )
        return str(last.get("value", ""))

    def _check(self, now: Deployment, former: str | None) -> None:
        if former == self.value or (former is not None and former == self.unless):
            raise self._nothing_to_do(former)
        if former is not None and (len(former) > LONGEST or masking.mask(former) != former):
            raise UserError(
                f"{self.variable} of {self.deployment} holds something secret or too long to keep "
                "for the undo, so nothing was planned. Change it by hand."
            )
        if now.paused:
            raise UserError(
                f"{now.target} is paused, so no pod would get the new value. Resume it with "
                f"kubectl rollout resume {now.target}, and ask again."
            )

    def _nothing_to_do(self, former: str | None) -> Already:
        already = " already" if former == self.value else ""
        is_so = "is not set" if former is None else f"is “{former}”{already}"
        what = f"{self.variable} of {self.deployment} {is_so}"
        if not self.none:
            return Already(f"{what}, so there is nothing to do.")
        return Already(
            f"{self.none} {what}, and nothing was planned. If something is wrong all the same, "
            "look at the pods and the logs."
        )

    def _summary(self, former: str | None) -> str:
        was = "" if former is None else f"from “{former}” "
        what = f"{self.variable} of {self.deployment}"
        if self.value is None:
            return f"Remove {what}, which is “{former}”"
        lasting = self._temporary()
        span = f" for {durations.words(lasting.lasts)}" if lasting else ""
        return f"Set {what} {was}to “{self.value}”{span}"

    def _temporary(self) -> Temporary | None:
        if self.revert_after is None:
            return None
        state = self.state or f"{self.variable} of {self.deployment} changed"
        return Temporary(state=state, lasts=timedelta(minutes=self.revert_after))

    def _undo(self, former: str | None) -> Undo:
        what = f"{self.variable} of {self.deployment}"
        back = {"value": former, "state": "", "effect": "", "revert_after": None}
        return Undo(
            summary=f"Remove {what}" if former is None else f"Set {what} back to “{former}”",
            action=self.name,
            # Whoever undoes it wants the former value back, whatever there is.
            params=self.model_copy(update=back).model_dump(mode="json", exclude={"unless", "none"}),
        )

    def _change(self, now: Deployment) -> patches.Change:
        return patches.Change(template=self._template(now))

    def _template(self, now: Deployment) -> Obj:
        """The pod template with the variable changed where it stands; what is new comes last."""
        chosen = self._container(now)
        containers = [
            _with_env(one, self._env(one.get("env") or [])) if one is chosen else one
            for one in now.template["spec"]["containers"]
        ]
        made = now.template | {"spec": now.template["spec"] | {"containers": containers}}
        return temporary.noted(made, self.variable, self._note())

    def _note(self) -> temporary.Setting | None:
        lasting = self._temporary()
        if lasting is None:
            return None
        return temporary.Setting(value=self.value, state=lasting.state)

    def _env(self, env: Sequence[Obj]) -> list[Obj]:
        if self.value is None:
            return [one for one in env if one["name"] != self.variable]
        new: Obj = {"name": self.variable, "value": self.value}
        if not any(one["name"] == self.variable for one in env):
            return [*env, new]
        return [new if one["name"] == self.variable else one for one in env]

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Write the template, guarded."""
        await deployments.write(systems.cluster, self.deployment, plan, run, self._change)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Whether the value is there, and the pods that have it are ready and stay so."""
        now = await systems.cluster.deployment(self.deployment)
        there = self._former(self._container(now))
        is_so = "is not set" if there is None else f"is “{there}”"
        text = f"{self.variable} of {self.deployment} {is_so}"
        if there == self.value:
            return await self.watch(systems, run, text)
        done = now.execution == str(run.execution_id)
        said = "Somebody changed it afterwards" if done else "It was not done"
        return Verdict(ok=False, done=done, text=f"{said}: {text}")


def _with_env(container: Obj, env: list[Obj]) -> Obj:
    rest = {key: value for key, value in container.items() if key != "env"}
    return rest | {"env": env} if env else rest


def _words(source: Obj) -> str:
    """Where a value comes from, for people: `Secret stripe (secret-key)`."""
    kinds = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
    for key, kind in kinds.items():
        if key in source:
            return f"{kind} {source[key].get('name', '')} ({source[key]['key']})"
    return "the pod itself"
