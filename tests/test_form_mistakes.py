"""Words and numbers that are none are answered in the form."""

import pytest

from bot.views import action_ids
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
