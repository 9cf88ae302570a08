"""The example for any Deployment: two services share it, and work it against one cluster."""

import re
import shutil
from pathlib import Path

import pytest

from bot import config
from bot.actions.registry import ACTIONS
from bot.authoring import cli
from bot.model import Scenario, Severity
from bot.playbooks import loader
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import ROOT, Walk
from tests.rollbacks import DONE

EXAMPLE = ROOT / "templates" / "playbooks" / "examples" / "web-service.yml"
CHANGES = re.compile(r"action: (rollback|rolling-restart|scale-deployment)\n +params:\n")
SERVICES = """\
responders: {groups: [order-service-responders]}
approvers: {groups: [order-service-approvers]}
services:
  order-service:
    title: Order Service
    values: {deployment: order-service, selector: app=order-service, replicas: 4}
  payment-service:
    title: Payments and their status
    values: {deployment: payment-service, selector: app=payment-service, replicas: 3}
"""


@pytest.fixture
def playbooks(tmp_path: Path) -> Path:
    """The example alone, with checks that watch for a moment."""
    folder = tmp_path / "playbooks"
    folder.mkdir()
    quick = CHANGES.sub(r"\g<0>          watch_seconds: 0.4\n", EXAMPLE.read_text("utf-8"))
    (folder / EXAMPLE.name).write_text(quick, encoding="utf-8")
    return folder


@pytest.fixture
def team(tmp_path: Path, playbooks: Path) -> Path:
    """What two teams decided."""
    file = tmp_path / "runbolt.yml"
    file.write_text(f"playbooks: {playbooks}\n{SERVICES}")
    return file


async def declare(walk: Walk, severity: str, name: str) -> str:
    """Declare, choose a playbook by its name, and return the channel."""
    channel = await walk.declare(f"Something like {name}", severity)
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, name)
    return channel


async def verdicts(walk: Walk, channel: str, *steps: str) -> list[str]:
    """Press steps that read, and say what each told first."""
    for step in steps:
        await walk.press_step("oncall", step, channel)
    return [walk.step(channel, step).verdict for step in steps]


async def test_reads_are_of_each_service(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    reads = ("pods", "events", "rollout-history")

    orders = await verdicts(walk, await declare(walk, "sev1", "order-service/pods-crash"), *reads)
    payments = await verdicts(
        walk, await declare(walk, "sev1", "payment-service/pods-crash"), *reads
    )

    assert orders[0].startswith(":warning: 0 of 3 ready: CrashLoopBackOff")
    assert orders[1].startswith(":warning: BackOff")
    assert orders[2].startswith(":warning: Revision 7 (v2.4.0) runs")
    assert payments == [
        ":white_check_mark: 2 of 2 ready",
        ":white_check_mark: The cluster warns of nothing about payment-service",
        payments[2],
    ]
    assert payments[2].startswith(":white_check_mark: Revision 12 (v1.9.0) runs")


@pytest.mark.parametrize(
    ("severity", "name", "steps"),
    [
        ("sev1", "payment-service/pods-crash", ("logs",)),
        ("sev2", "payment-service/errors-after-release", ("pods", "events", "error-logs")),
        ("sev3", "payment-service/slow", ("usage", "pods", "slow-logs", "rollout-history")),
    ],
)
async def test_every_read_answers(
    walk: Walk, kube: Cluster, severity: str, name: str, steps: tuple[str, ...]
) -> None:
    channel = await declare(walk, severity, name)

    found = await verdicts(walk, channel, *steps)

    assert [verdict for verdict in found if ":x:" in verdict or not verdict] == []


async def test_bad_release_is_rolled_back(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    channel = await declare(walk, "sev2", "order-service/errors-after-release")

    await walk.ask_for_rollback(channel)
    await walk.press("second", action_ids.APPROVE, channel)

    assert walk.execution(channel).state == DONE
    assert kube.image().endswith(":v2.3.1")


async def test_form_begins_with_the_value(walk: Walk, kube: Cluster) -> None:
    channel = await declare(walk, "sev3", "payment-service/slow")
    await walk.press_step("oncall", "scale-up", channel)
    assert walk.form().fields["replicas"].value == "3"

    await walk.submit("oncall", reason="More requests than usual", replicas="3")
    await walk.press("second", action_ids.APPROVE, channel)

    assert walk.execution(channel).state == DONE
    assert len(kube.pods("payment-service")) == 3
    assert len(kube.pods("order-service")) == 3


async def test_restart_is_of_its_service(walk: Walk, kube: Cluster) -> None:
    before = set(kube.pod_names("order-service")), set(kube.pod_names("payment-service"))
    channel = await declare(walk, "sev1", "payment-service/pods-crash")
    await walk.press_step("oncall", "rolling-restart", channel)
    await walk.submit("oncall", reason="Stuck")
    await walk.press("second", action_ids.APPROVE, channel)

    assert walk.execution(channel).state == DONE
    after = set(kube.pod_names("order-service")), set(kube.pod_names("payment-service"))
    assert (after[0], after[1] & before[1]) == (before[0], set())


async def test_messages_name_the_service(walk: Walk) -> None:
    channel = await declare(walk, "sev2", "payment-service/errors-after-release")
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    await walk.say("oncall", "/incident customer", channel)

    assert walk.form().fields["text"].value == (
        "We have trouble with Payments and their status, and are working on it.\n"
        "We are sorry for that, and will tell you more shortly."
    )


async def test_value_named_status_fills_none_in(walk: Walk) -> None:
    """While an incident is only watched, a message without its status would tell that of before."""
    channel = await declare(walk, "sev2", "payment-service/errors-after-release")
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    await walk.say("oncall", "/incident status monitoring", channel)
    await walk.say("oncall", "/incident customer", channel)

    assert "We have trouble" not in str(walk.form().fields["text"].value)


def test_what_the_example_has(team: Path) -> None:
    services = config.load(team).for_playbooks

    books = loader.load(EXAMPLE, ACTIONS, services)

    assert [(book.service, book.title) for book in books] == [
        ("order-service", "Order Service"),
        ("payment-service", "Payments and their status"),
    ]
    for book in books:
        assert set(book.severities) == set(Severity)
        assert [(one.id, one.severity.value) for one in book.scenarios] == [
            ("pods-crash", "sev1"),
            ("errors-after-release", "sev2"),
            ("slow", "sev3"),
        ]
        assert _actions(book.scenarios) == {
            *("pods", "events", "logs", "rollout-history", "usage", "manual"),
            *("rollback", "rolling-restart", "scale-deployment", "memory-limit"),
        }
        assert "{{ service." not in book.model_dump_json()


def _actions(scenarios: tuple[Scenario, ...]) -> set[str]:
    return {step.action for scenario in scenarios for step in scenario.steps}


def lint(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = cli.run(["playbook", "lint", *map(str, words)])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.fixture
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNBOLT_CONFIG", raising=False)


@pytest.mark.usefixtures("no_configuration")
def test_lint_with_a_configuration(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(capsys, "--config", team, EXAMPLE) == (0, "No mistakes.\n", "")

    team.write_text(team.read_text().replace("{deployment: pay", "{deploymnet: pay"))
    code, told, _ = lint(capsys, "--config", team, EXAMPLE)

    first = told.splitlines()[0]
    assert code == 1
    assert first == (
        f"{EXAMPLE}:13:11: service.deployment is not a value of payment-service; did you mean "
        '"deploymnet"?'
    )


def test_render_has_a_document_for_each(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["playbook", "render", "--config", str(team), str(EXAMPLE)]) == 0

    printed = capsys.readouterr().out
    assert re.findall(r"kubectl top pods -l (.+)", printed) == [
        "app=order-service",
        "app=payment-service",
    ]
    assert "service." not in printed


def test_lint_takes_the_configuration_that_is_set(
    team: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOLT_CONFIG", str(team))
    team.write_text(team.read_text().replace("replicas: 3", "replicas: 300"))

    code, told, _ = lint(capsys, EXAMPLE)

    assert code == 1
    [line] = told.splitlines()
    assert line.endswith(
        'action "scale-deployment": "replicas" expects at most 50, found 300 (for payment-service)'
    )


@pytest.mark.usefixtures("no_configuration")
def test_lint_without_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / EXAMPLE.name
    shutil.copy(EXAMPLE, file)
    unchecked = (
        f"{file}: the values service.deployment, service.replicas, service.selector, "
        "service.title were not checked; --config FILE checks them for each service.\n"
    )
    assert lint(capsys, file) == (0, "No mistakes.\n", unchecked)

    broken = (
        file.read_text().replace("tail: 200", "tail: 0").replace("services: all", "services: 5")
    )
    file.write_text(broken)

    code, told, _ = lint(capsys, file)
    assert code == 1
    assert [line.removeprefix(f"{file}:") for line in told.splitlines()] == [
        '11:11: "services" expects a list of services, or all, found 5',
        '66:17: action "logs": "tail" expects at least 1, found 0',
    ]
