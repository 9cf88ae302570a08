"""`runbolt services`, as people run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CONFIG = """\
responders: {groups: ["@sre"]}
approvers: {groups: [sre-leads]}
services:
  checkout:
    namespace: checkout
    namespaces: [payments]
    cluster: prod-eu
    approvers: {users: [U1]}
    databases: {main: {read: CHECKOUT_URL}}
  search:
    title: Search
    clocks: {sev1: {update: 10 min}}
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: prod-us
clusters:
  - {name: eu, cluster: {server: "https://127.0.0.1:1"}}
users:
  - {name: bot, user: {token: t}}
contexts:
  - {name: prod-eu, context: {cluster: eu, user: bot}}
  - {name: prod-us, context: {cluster: eu, user: bot}}
"""
TABLE = """\
SERVICE   CLUSTER    NAMESPACES          DATABASES  RESPONDERS  APPROVERS   CHANNELS
checkout  prod-eu    checkout, payments  main       @sre        U1          incidents
search    (current)  tickets             -          @sre        @sre-leads  incidents
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    config, kubeconfig = tmp_path / "runbolt.yml", tmp_path / "kubeconfig"
    config.write_text(CONFIG)
    kubeconfig.write_text(KUBECONFIG)
    return {
        "PATH": os.environ["PATH"],
        "RUNBOLT_CONFIG": str(config),
        "KUBECONFIG": str(kubeconfig),
        "KUBERNETES_NAMESPACE": "tickets",
        "CHECKOUT_URL": "postgresql://u:hunter2@db/checkout",
    }


def services(environ: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "services", *map(str, words)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
    )


def test_all_services_are_a_table(environ: dict[str, str]) -> None:
    printed = services(environ)

    assert (printed.returncode, printed.stdout, printed.stderr) == (0, TABLE, "")


def test_one_service_is_told_whole(environ: dict[str, str]) -> None:
    printed = services(environ, "checkout", "search")

    lines = dict(line.split("  ", 1) for line in printed.stdout.splitlines() if "  " in line)
    assert lines["title"].strip() == "Search"
    assert lines["sev1"].strip() == "update 10 min, approval 30 min"
    assert "main (read: CHECKOUT_URL, admin: -)" in printed.stdout
    assert "hunter2" not in printed.stdout


def test_one_service_that_is_not_listed(environ: dict[str, str]) -> None:
    printed = services(environ, "chekout")

    assert (printed.returncode, printed.stdout) == (1, "")
    assert printed.stderr == (
        "The configuration lists no service chekout. It lists: checkout, search.\n"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"RUNBOLT_CONFIG": ""}, "RUNBOLT_CONFIG is missing: set it, or name the file or folder."),
        (
            {"RUNBOLT_CONFIG": "/none.yml"},
            "/none.yml does not exist: name the YAML file, or the folder that has them.",
        ),
        ({"CHECKOUT_URL": ""}, ":9:24: databases.main.read: CHECKOUT_URL is not set"),
    ],
    ids=["nothing", "no file", "no variable"],
)
def test_a_mistake_is_a_sentence(
    environ: dict[str, str], change: dict[str, str], told: str
) -> None:
    printed = services(environ | change)

    assert (printed.returncode, printed.stdout) == (1, "")
    assert told in printed.stderr


def test_clusters_are_not_checked_without_kubeconfig(environ: dict[str, str]) -> None:
    del environ["KUBECONFIG"]

    assert services(environ).stdout == TABLE


def test_who_is_on_call_is_named(environ: dict[str, str]) -> None:
    duties = "[{schedule: PNIGHT}, {escalation_policy: PPAY, levels: 2}]"
    file = Path(environ["RUNBOLT_CONFIG"])
    file.write_text(CONFIG.replace("{users: [U1]}", f"{{users: [U1], on_call: {duties}}}"))

    printed = services(environ | {"PAGERDUTY_TOKEN": "token"}, "checkout").stdout

    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "approvers U1, on call: PNIGHT, on call: PPAY to level 2" in lines
    assert "alone on call change wait, destructive wait" in lines
    assert "second step change none, destructive none" in lines
