"""Change causes: kubectl writes whole commands there, and people read them without secrets."""

from typing import Any

from bot.actions.kubernetes.history import RolloutHistory
from bot.actions.kubernetes.rollback import RollBack
from bot.systems import ChangingSystems
from bot.systems.kubernetes.resources import CHANGE_CAUSE_ANNOTATION
from sandbox.cluster import Cluster
from tests.cluster_fixtures import RecordedProgress, carry_out, systems
from tests.manual_changes import patch_deployment

__all__ = ["systems"]

SECRET = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
COMMAND = f"kubectl set env deployment/order-service STRIPE_SECRET_KEY={SECRET} --record=true"
BACK = RollBack.model_validate(
    {"deployment": "order-service", "watch_seconds": 0.3, "deadline_seconds": 8.0}
)


async def release(kube: Cluster, cause: str) -> None:
    note: dict[str, Any] = {"metadata": {"annotations": {"released": cause[:9]}}}
    meta = {"annotations": {CHANGE_CAUSE_ANNOTATION: cause}}
    await patch_deployment(kube, {"metadata": meta, "spec": {"template": note}})


async def test_command_secrets_are_masked(systems: ChangingSystems, kube: Cluster) -> None:
    await release(kube, COMMAND)
    await release(kube, "v2.5.0")
    reading = await RolloutHistory(deployment="order-service").read(systems)
    choices = await BACK.parameter_options(systems.for_planning(), "to_revision")

    assert choices is not None
    for shown in (str(reading), str(choices)):
        assert SECRET not in shown
        assert "kubectl set env deployment/order-service STRIPE_SECRET_KEY=[masked]" in shown


async def test_rollback_keeps_written_cause(systems: ChangingSystems, kube: Cluster) -> None:
    await release(kube, COMMAND)
    await release(kube, "v2.5.0")
    await carry_out(BACK.model_copy(update={"to_revision": 7}), systems, RecordedProgress())

    assert kube.deployment()["metadata"]["annotations"][CHANGE_CAUSE_ANNOTATION] == COMMAND
