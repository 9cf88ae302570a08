"""Words and numbers that are none are answered in the form."""

import pytest

from bot.model import UserError, UserId
from bot.views import action_ids
from commands import listen, refused_forms
from commands.interactions import Interaction
from sandbox.cluster import Cluster
from sandbox.slack import Refusal
from tests.conftest import Walk
from tests.raw_payloads import broken, send_changed, with_values

__all__ = ["broken"]


@pytest.mark.parametrize(
    ("word", "values", "blank"),
    [
        ("resolve", {"resolution": "over"}, "resolution"),
        ("update", {"status": "identified", "impact": "x", "current": "x"}, "impact"),
        ("update", {"status": "identified", "impact": "x", "current": "x"}, "current"),
    ],
)
async def test_blank_text(walk: Walk, word: str, values: dict[str, str], blank: str) -> None:
    channel = await walk.declare()
    await walk.say("oncall", f"/incident {word}", channel)
    sent = await walk.submit("oncall", **values)

    for words in ("   ", " \n\t", "\u00a0"):
        answer = (await send_changed(walk, sent, view=with_values(sent, **{blank: words}))).answer
        sentence = "Write something here; spaces alone are not enough."
        assert answer == {"response_action": "errors", "errors": {blank: sentence}}


async def test_a_blank_reason_to_deny(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.press("lead", action_ids.DENY, channel)

    with pytest.raises(Refusal) as refused:
        await walk.submit("lead", reason="  ")

    assert list(refused.value.errors) == ["reason"]
    assert "Needs 1 more approval" in walk.text(channel)


@pytest.mark.parametrize(
    ("replicas", "sentence"), [("0", "Enter at least 1."), ("six", "Enter a whole number.")]
)
async def test_a_wrong_number(walk: Walk, replicas: str, sentence: str) -> None:
    channel = await walk.declare(severity="sev3")
    await walk.press_step("oncall", "scale-up", channel)
    sent = await walk.submit("oncall", reason="The pods are busy")

    answer = (await send_changed(walk, sent, view=with_values(sent, replicas=replicas))).answer

    assert answer["errors"] == {"replicas": sentence}


async def test_a_choice_that_is_missing(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    sent = await walk.submit("oncall", severity="sev3", title="Slow")
    view = with_values(sent)
    view["state"]["values"]["severity"]["severity"]["selected_option"]["value"] = "sev9"

    answer = (await send_changed(walk, sent, view=view)).answer

    assert answer["errors"] == {"severity": "Enter 'sev1', 'sev2', 'sev3' or 'sev4'."}


AGAIN = "Open the form again"


async def test_a_late_refusal_comes_back(
    walk: Walk, kube: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form has closed by then: a button opens it with all that was typed, for that person."""
    monkeypatch.setattr(listen, "REFUSAL_SECONDS", 0.0)
    channel = await walk.declare()
    await walk.press_step("oncall", "memory-limit", channel)
    typed = {"limit": "64Gi", "reason": "It runs out of memory\nsince the release"}
    await walk.submit("oncall", **typed)

    answer = walk.private_post("oncall", channel)
    assert answer.text.endswith("Now 512Mi. It may be set from 256Mi to 2Gi, such as 1Gi.")
    assert answer.buttons == (AGAIN,)
    assert walk.slack.views("oncall") == []

    again = walk.slack.find_button(AGAIN, channel, "oncall")
    await walk.slack.press("oncall", again)
    await walk.bot.drain()
    assert {name: field.value for name, field in walk.form().fields.items()} == typed
    await walk.submit("oncall", **typed | {"limit": "1Gi"})
    assert walk.execution(channel).reason == typed["reason"]

    key = again.value
    await walk.slack.press("oncall", again)
    await walk.bot.drain()
    assert await walk.bot.world.cache.get(f"form:{key}")
    with pytest.raises(UserError, match="is not kept any more"):
        await refused_forms.reopen(walk.bot.world, pressed_by(walk, "second", str(key)))


def pressed_by(walk: Walk, who: str, value: str) -> Interaction:
    """A press of a button that somebody else was shown."""
    world = walk.bot.world
    user_id = UserId(walk.slack.user(who).id)
    return Interaction(world.slack, world.cache, user_id, None, "press:1", value=value)


async def test_any_refused_form_comes_back(walk: Walk, broken: Cluster) -> None:
    """Menus too; what looks like a secret is masked, as it is when a form is sent."""
    channel = await walk.declare()
    for who in ("oncall", "second"):
        await walk.press_step(who, "roll-back", channel)
    await walk.submit("oncall", to_revision="6", reason="It crash-loops")
    await walk.submit("second", to_revision="5", reason="password=hunter2hunter2 is in the log")
    assert walk.answers("second", channel) == [
        "“Roll back” was already requested by @oncall. Nothing more was requested; approve or deny "
        "that request first."
    ]

    await walk.slack.press("second", walk.slack.find_button(AGAIN, channel, "second"))
    await walk.bot.drain()

    fields = walk.form("second").fields
    assert fields["to_revision"].value.startswith("5 · v2.3.0 · ")
    assert "hunter2" not in fields["reason"].value
    assert fields["reason"].value.endswith(" is in the log")


FIXED_BOUNDS = (
    (
        "slow-response-times",
        "end-queries",
        "longer_than",
        "For example 30 s or 2 min. From 1 s to 24 h.",
        "48 h",
        "Enter at most 24 h.",
    ),
    (
        "high-dispute-rate",
        "pause-orders",
        "revert_after",
        "Minutes until it is undone by itself, unless an approver extends it. From 10 to 240.",
        "241",
        "Must be at most 240.",
    ),
)


async def test_hint_and_refusal_agree(walk: Walk) -> None:
    channel = await walk.declare(severity="sev4")
    for scenario, step, field, hint, typed, problem in FIXED_BOUNDS:
        await walk.say("oncall", "/incident playbook", channel)
        await walk.submit("oncall", scenario=f"order-service/{scenario}")
        await walk.press_step("oncall", step, channel)
        assert walk.form().fields[field].hint == hint
        values = {field: typed, "reason": "x"}
        assert await walk.submit_refused("oncall", **values) == {field: problem}
        await walk.slack.close("oncall", walk.slack.views("oncall")[-1]["id"])
