"""A rollback after a pause: what was meant for a while does not come back for good unseen."""

from typing import Any

import pytest

from bot.systems.kubernetes import temporary
from bot.systems.kubernetes.temporary import Setting
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.manual_changes import patch_pods, variable
from tests.pausing import approve_pause, paused

__all__ = ["paused"]

Obj = dict[str, Any]
PAUSED = Setting(value="true", description="orders paused")


async def release(kube: Cluster, tag: str, paused: str) -> None:
    """Another image with its own variables, as a pipeline applies it."""
    image = f"{kube.image().rpartition(':')[0]}:{tag}"
    env = [{"name": "ORDERS_PAUSED", "value": paused}]
    await patch_pods(kube, {"containers": [{"name": "order-service", "image": image, "env": env}]})


async def open_form(walk: Walk, channel: str) -> tuple[dict[str, str], str]:
    """What the form of a rollback offers, by number, and what is chosen in it."""
    await walk.press_step("oncall", "roll-back", channel)
    [field] = [
        block
        for block in walk.slack.views("oncall")[-1]["blocks"]
        if block["block_id"] == "to_revision"
    ]
    options = field["element"]["options"]
    offered = {option["value"]: option["text"]["text"] for option in options}
    return offered, field["element"]["initial_option"]["value"]


async def test_a_foreign_pause_is_no_default(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    await release(kube, "v2.3.0", "false")
    await release(kube, "v2.4.1", "false")
    clock.forward(minutes=26)
    await bot.tick()
    assert "*orders paused* has ended" in walk.text(paused)

    other = await walk.declare("Down since the release", "sev1")
    offered, chosen = await open_form(walk, other)
    marked = [number for number, text in offered.items() if "was temporary: orders" in text]
    assert marked == ["7"]
    assert chosen == "8"

    await walk.submit("oncall", reason="Bad", to_revision="7")
    assert "Revision 7 (v2.3.1) was temporary: orders paused." in walk.text(other)
    assert ":warning: What was temporary then would last until" in walk.text(other)


async def test_releases_that_keep_the_pause(walk: Walk, kube: Cluster, paused: str) -> None:
    await release(kube, "v2.3.0", "true")
    await release(kube, "v2.4.1", "false")

    offered, chosen = await open_form(walk, await walk.declare("Down since the release", "sev1"))

    assert ":warning: was temporary: orders paused" in offered["8"]
    assert ":warning: was temporary: orders paused" in offered["7"]
    assert chosen == "6"


async def test_resuming_leaves_no_trace(walk: Walk, kube: Cluster) -> None:
    before = kube.deployment()["spec"]["template"]
    channel = await approve_pause(walk)
    noted = kube.deployment()["spec"]["template"]["metadata"]["annotations"]
    assert temporary.ANNOTATION in noted
    await walk.press("oncall", action_ids.UNDO, channel)

    assert variable(kube) == "false"
    assert kube.deployment()["spec"]["template"] == before


def template(*envs: dict[str, str], **notes: str) -> Obj:
    containers = [{"env": [{"name": k, "value": v} for k, v in env.items()]} for env in envs]
    return {"metadata": {"annotations": notes}, "spec": {"containers": containers}}


@pytest.mark.parametrize(
    ("envs", "value", "so"),
    [
        ([{"P": "true"}], "true", True),
        ([{"P": "false"}], "true", False),
        ([{}], "true", False),
        ([{}, {"P": "true"}], "true", True),
        ([{}], None, True),
        ([{}, {"P": "true"}], None, False),
    ],
)
def test_a_note_needs_its_value(envs: list[dict[str, str]], value: str | None, so: bool) -> None:
    noted = temporary.annotate(template(*envs), "P", Setting(value=value, description="paused"))

    assert temporary.descriptions(noted) == (("paused",) if so else ())


def test_each_variable_has_its_note() -> None:
    plain = template({"P": "true", "Q": "1"}, other="note")
    both = temporary.annotate(plain, "P", PAUSED)
    both = temporary.annotate(both, "Q", Setting(value="1", description="few"))

    assert temporary.descriptions(both) == ("orders paused", "few")
    one = temporary.annotate(both, "P", None)
    assert temporary.descriptions(one) == ("few",)
    assert temporary.annotate(one, "Q", None) == plain


@pytest.mark.parametrize("text", ["", "true", '{"P": "true"}'])
def test_foreign_notes_mean_nothing(text: str) -> None:
    assert temporary.descriptions(template({"P": "true"}, **{temporary.ANNOTATION: text})) == ()
