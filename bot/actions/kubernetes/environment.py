"""Set or remove an environment variable of a Deployment, for good or for a while."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from bot import durations, redaction
from bot.actions.base import IN_CLUSTER, AlreadyApplied, Change, Progress
from bot.actions.kubernetes import applied, capacity, deployments, diffs, ownership, rollout
from bot.actions.kubernetes.deployments import DeploymentChange
from bot.actions.params import Name
from bot.model import LONGEST_TEMPORARY, Observation, Plan, Risk, Temporary, Undo, UserError
from bot.model.text import printable
from bot.systems import Systems
from bot.systems.kubernetes import (
    Deployment,
    ObjectNotFound,
    managed_fields,
    patches,
    temporary,
)

Obj = dict[str, Any]
MAX_VALUE_LENGTH = 500


def _not_secret(name: str) -> str:
    """Playbooks, plans and channels must not have secrets. Raises ValueError."""
    if diffs.SECRET_NAME.search(name):
        raise ValueError("expects a variable that holds no secret")
    return name


def _parse_minutes(value: Any) -> Any:
    """`30 min` as 30; anything but whole minutes is returned unchanged, for pydantic to judge."""
    try:
        duration = durations.parse(value)
    except ValueError:
        return value
    if not isinstance(duration, timedelta):
        return value
    minutes, rest = divmod(duration, timedelta(minutes=1))
    return value if rest else minutes


Variable = Annotated[
    str,
    Field(max_length=100, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
    AfterValidator(_not_secret),
]
Value = Annotated[str, Field(max_length=MAX_VALUE_LENGTH)]
MOST_MINUTES = LONGEST_TEMPORARY // timedelta(minutes=1)
Minutes = Annotated[
    int,
    Field(ge=10, le=MOST_MINUTES),
    BeforeValidator(_parse_minutes, json_schema_input_type=int | str),
]


class SetEnvironment(DeploymentChange):
    """Set a variable of a Deployment's pods, as `kubectl set env` does; without a value, remove it.

    With `revert_after` (minutes) the change is temporary: the bot reverts it after that time.
    `state` is what people call it meanwhile, `effect` what it means for users. If the variable has
    the value already, or the value `unless`, nothing is planned, and `none` says what that
    means. `container` may be left out if there is only one.
    """

    name: ClassVar = "set-env"
    risk: ClassVar = Risk.DESTRUCTIVE
    place_keys: ClassVar = IN_CLUSTER
    playbook_only: ClassVar = frozenset(
        {"deployment", "container", "variable", "value", "unless", "none"}
    )
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

    def is_served_by(self, undo: Change) -> bool:
        """Whether an undo sets the same variable to its value, or to one that is as good."""
        if not isinstance(undo, SetEnvironment) or self.revert_after is not None:
            return False
        good_values = {self.value} if self.unless is None else {self.value, self.unless}
        own = (self.deployment, self.container, self.variable)
        return own == (undo.deployment, undo.container, undo.variable) and undo.value in good_values

    def makes_same_state(self, other: Change) -> bool:
        """Whether another sets the same variable to the same value."""
        return isinstance(other, SetEnvironment) and (
            (self.deployment, self.container, self.variable, self.value)
            == (other.deployment, other.container, other.variable, other.value)
        )

    async def plan(self, systems: Systems) -> Plan:
        """From which value to which.

        Raises AlreadyApplied when it has the value or `unless`, UserError when it cannot be set.
        """
        deployment = await systems.cluster.deployment(self.deployment)
        current = self._current_value(deployment)
        self._check(deployment, current)
        stored = await deployments.dry_run(systems.cluster, self.deployment, self._change)
        template = self._new_template(deployment)
        path = managed_fields.env(self._container(deployment)["name"], self.variable)
        warnings = applied.warnings(deployment, [path], "this variable")
        warnings += await capacity.rollout_warnings(systems.cluster, deployment, template)
        plan = Plan(
            target=deployment.target,
            summary=self._summary(deployment, current),
            blast_radius=deployments.blast_radius(deployment, self.effect),
            check=self.success_criteria(deployment.replicas),
            diff=diffs.templates(deployment, template, "now", "then"),
            dry_run=deployments.DRY_RUN_ACCEPTED,
            warnings=(*ownership.warnings(deployment), *warnings, *self._hiding(deployment)),
            failing_before=await rollout.failing(systems.cluster, deployment),
            undo=self._undo(deployment, current),
            temporary=self._temporary(),
            fingerprint=deployments.fingerprint(deployment),
        )
        return deployments.checked(self, stored, plan)

    @property
    def _label(self) -> str:
        """The variable as people read it: `FLAG of order-service`."""
        return f"{self.variable} of {self.deployment}"

    def _container(self, deployment: Deployment) -> Obj:
        return deployments.container(deployment, self.container)

    def _current_value(self, deployment: Deployment) -> str | None:
        """The value it has, None when it is not set.

        Raises UserError when it comes from a Secret, a ConfigMap or the pod.
        """
        last = self._entry(self._container(deployment))
        if last is None:
            return None
        if source := last.get("valueFrom"):
            raise UserError(
                f"{self._label} in {deployment.place} comes from {_source_name(source)}, so "
                "nothing was planned. Change it there, or by hand."
            )
        return str(last.get("value", ""))

    def _entry(self, container: Obj) -> Obj | None:
        """The variable's entry: Kubernetes uses the last one if there are several."""
        entries = [entry for entry in container.get("env") or [] if entry["name"] == self.variable]
        return entries[-1] if entries else None

    def _check(self, deployment: Deployment, current: str | None) -> None:
        """Raises AlreadyApplied when nothing is to do, UserError when it cannot be changed."""
        if current == self.value or (current is not None and current == self.unless):
            raise self._nothing_to_do(deployment, current)
        if current is not None and not _can_be_kept(self.variable, current):
            raise UserError(
                f"{self._label} in {deployment.place} holds something secret, unprintable or too "
                "long to keep for the undo, so nothing was planned. Change it by hand."
            )
        deployments.check_not_paused(deployment, "no pod would get the new value")

    def _nothing_to_do(self, deployment: Deployment, current: str | None) -> AlreadyApplied:
        already = " already" if current is not None and current == self.value else ""
        label = f"{self._label} in {deployment.place}"
        fact = f"{label} {self._is_value(deployment, current)}{already}"
        if not self.none:
            return AlreadyApplied(f"{fact}, so there is nothing to do.")
        return AlreadyApplied(
            f"{self.none} {fact}, and nothing was planned. If something is still wrong, look at "
            "the pods and the logs."
        )

    def _shown(self, deployment: Deployment, value: str) -> str:
        """A value as people may read it: in quotation marks, or only how long it is."""
        if diffs.can_show(deployment, self.variable, value):
            return f"“{printable(value)}”"
        return f"a hidden value ({diffs.length(value)})"

    def _is_value(self, deployment: Deployment, value: str | None) -> str:
        return "is not set" if value is None else f"is {self._shown(deployment, value)}"

    def _hiding(self, deployment: Deployment) -> tuple[str, ...]:
        """A warning where people who approve cannot read the values."""
        if deployment.shows(self.variable):
            return ()
        return (
            f"The values are hidden. To show them, name {self.variable} under "
            "masking.show_variables in RUNBOLT_CONFIG.",
        )

    def _summary(self, deployment: Deployment, current: str | None) -> str:
        if self.value is None:
            return f"Remove {self._label}, which {self._is_value(deployment, current)}"
        before = "" if current is None else f"from {self._shown(deployment, current)} "
        temporary_change = self._temporary()
        span = f" for {durations.describe(temporary_change.lasts)}" if temporary_change else ""
        return f"Set {self._label} {before}to {self._shown(deployment, self.value)}{span}"

    def _temporary(self) -> Temporary | None:
        if self.revert_after is None:
            return None
        state = self.state or f"{self._label} changed"
        return Temporary(state=state, lasts=timedelta(minutes=self.revert_after))

    def _undo(self, deployment: Deployment, current: str | None) -> Undo:
        undo_action = self.model_copy(
            update={"value": current, "state": "", "effect": "", "revert_after": None}
        )
        summary = f"Remove {self._label}"
        if current is not None:
            summary = f"Set {self._label} back to {self._shown(deployment, current)}"
        return Undo(
            summary=summary,
            action=self.name,
            # An undo restores the value, whatever it is: `unless` must not stop it.
            params=undo_action.model_dump(mode="json", exclude={"unless", "none"}),
        )

    def _change(self, deployment: Deployment) -> patches.DeploymentPatch:
        return patches.DeploymentPatch(template=self._new_template(deployment))

    def _new_template(self, deployment: Deployment) -> Obj:
        """The pod template with the variable changed, and with a note if it is temporary."""
        changed = self._container(deployment)
        spec = deployment.template["spec"]
        containers = [
            _with_env(container, self._new_env(container.get("env") or []))
            if container is changed
            else container
            for container in spec["containers"]
        ]
        template = deployment.template | {"spec": spec | {"containers": containers}}
        return temporary.annotate(template, self.variable, self._note())

    def _note(self) -> temporary.Setting | None:
        temporary_change = self._temporary()
        if temporary_change is None:
            return None
        return temporary.Setting(value=self.value, description=temporary_change.state)

    def _new_env(self, env: Sequence[Obj]) -> list[Obj]:
        """The entries with the variable changed in its place; a new one comes last."""
        if self.value is None:
            return [entry for entry in env if entry["name"] != self.variable]
        changed: Obj = {"name": self.variable, "value": self.value}
        if not any(entry["name"] == self.variable for entry in env):
            return [*env, changed]
        return [changed if entry["name"] == self.variable else entry for entry in env]

    async def execute(self, systems: Systems, plan: Plan, progress: Progress) -> None:
        """Patch the pod template. Raises UserError."""
        await deployments.apply(systems, self.deployment, plan, progress, self._change)

    async def observe(self, systems: Systems) -> Observation:
        """Whether the variable has its value, else what it is and who wrote that.

        Raises ClusterError when the Deployment cannot be read.
        """
        try:
            deployment = await systems.cluster.deployment(self.deployment)
        except ObjectNotFound:
            fact = f"deployment/{self.deployment} does not exist any more"
            return Observation(in_force=False, fact=fact)
        return Observation(
            in_force=self._is_set(deployment),
            fact=self.describe(deployment),
            manager=self._writer(deployment),
            sighting=deployments.sighting(deployment),
            settled=deployment.spec_observed,
        )

    def _is_set(self, deployment: Deployment) -> bool:
        """Whether the variable is as this made it; a container may have come beside its own."""
        containers = deployment.template["spec"]["containers"]
        own = [each for each in containers if self.container in (None, each["name"])]
        entries = [entry for entry in map(self._entry, own) if entry is not None]
        if self.value is None:
            return bool(own) and not entries
        return any(
            "valueFrom" not in entry and entry.get("value", "") == self.value for entry in entries
        )

    def _writer(self, deployment: Deployment) -> str:
        """Who else but Runbolt wrote what the variable is now; empty where that is not noted."""
        names = [each["name"] for each in deployment.template["spec"]["containers"]]
        for name in names if self.container is None else [self.container]:
            for path in managed_fields.env_paths(name, self.variable):
                writer = managed_fields.last_writer(deployment.managed_fields, path)
                if writer is not None:
                    return "" if writer.is_ours else writer.label
        return ""

    def describe(self, deployment: Deployment) -> str:
        """Which value the variable has."""
        try:
            current = self._current_value(deployment)
        except UserError:  # it comes from elsewhere now, such as a Secret
            return f"{self._label} is no plain value"
        return f"{self._label} {self._is_value(deployment, current)}"

    def is_applied_to(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether the variable has the planned value."""
        return self._has_value(deployment, self.value)

    def is_undone_in(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether the variable has the value of before."""
        return plan.undo is not None and self._has_value(deployment, plan.undo.params.get("value"))

    def _has_value(self, deployment: Deployment, expected: str | None) -> bool:
        try:
            return self._current_value(deployment) == expected
        except UserError:
            return False

    def fields(self, deployment: Deployment) -> tuple[managed_fields.Path, ...]:
        """The path of the variable's value."""
        return (managed_fields.env(self._container(deployment)["name"], self.variable),)


def _can_be_kept(name: str, value: str) -> bool:
    """Whether a value may be stored for the undo: it is short, printable and has no secret."""
    if len(value) > MAX_VALUE_LENGTH:
        return False
    return all(redaction.redact(text) == text for text in (value, f"{name}={value}"))


def _with_env(container: Obj, env: list[Obj]) -> Obj:
    """The container with these variables; without the key when there are none."""
    rest = {key: value for key, value in container.items() if key != "env"}
    return rest | {"env": env} if env else rest


def _source_name(source: Obj) -> str:
    """Where a value comes from: `Secret stripe (secret-key)`."""
    kinds = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
    for key, kind in kinds.items():
        if key in source:
            return f"{kind} {source[key].get('name', '')} ({source[key]['key']})"
    return "the pod itself"
