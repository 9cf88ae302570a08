"""Credentials that expire while the bot runs: a program's, a file's, those of the kubeconfig."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.model import UserError
from bot.systems.kubernetes import (
    Cluster,
    Clusters,
    NotConnected,
    Unauthorized,
    credentials,
    exec_plugin,
    patches,
)
from bot.systems.kubernetes.credentials import Credentials
from bot.systems.kubernetes.exec_plugin import PluginCredentials, PluginError
from sandbox.cluster import Cluster as SimulatedCluster
from tests.cluster_fixtures import SELECTOR, open_cluster
from tests.waiting import until

API = "client.authentication.k8s.io/v1"
# What a kubeconfig names: it counts its runs, and prints the answer that a file holds.
PLUGIN = """\
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
with open(folder / "runs", "a") as runs:
    runs.write(os.environ["KUBERNETES_EXEC_INFO"] + "\\n")
while (folder / "slow").exists():
    time.sleep(0.02)
sys.stdout.write((folder / "answer").read_text())
sys.exit((folder / "failed").exists())
"""


def write_config(kube: SimulatedCluster, path: Path, user: dict[str, Any]) -> None:
    config = kube.kubeconfig() | {"users": [{"name": "runbolt", "user": user}]}
    path.write_text(yaml.safe_dump(config))


def content(path: object) -> str:
    return Path(str(path)).read_text()


@asynccontextmanager
async def opened(kube: SimulatedCluster, path: Path, **user: Any) -> AsyncIterator[Cluster]:
    """A client whose kubeconfig has this user."""
    write_config(kube, path, user)
    async with open_cluster(path) as cluster:
        yield cluster


class Plugin:
    """A program that gives out credentials."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "plugin.py").write_text(PLUGIN)

    @property
    def user(self) -> dict[str, Any]:
        script = str(self.folder / "plugin.py")
        command = {"command": sys.executable, "args": [script, str(self.folder)]}
        return {"exec": command | {"apiVersion": API, "provideClusterInfo": True}}

    @property
    def runs(self) -> list[dict[str, Any]]:
        path = self.folder / "runs"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def started(self) -> None:
        """Wait until it runs."""
        await until(lambda: self.runs)

    def answer(self, **status: str) -> None:
        answer = {"apiVersion": API, "kind": "ExecCredential", "status": status}
        (self.folder / "answer").write_text(json.dumps(answer))


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


def statuses(kube: SimulatedCluster) -> list[int]:
    return [request.status for request in kube.requests]


async def test_program_runs_again_after_401(
    kube: SimulatedCluster, plugin: Plugin, tmp_path: Path
) -> None:
    plugin.answer(token=kube.token())
    async with opened(kube, tmp_path / "config", **plugin.user) as cluster:
        assert plugin.runs == []
        await cluster.pods(SELECTOR)
        await cluster.pods(SELECTOR)
        assert len(plugin.runs) == 1
        kube.expire_tokens()
        plugin.answer(token=kube.token())

        assert len(await cluster.pods(SELECTOR)) == 3

    assert statuses(kube) == [200, 200, 401, 200]
    server = {"server": kube.kubeconfig()["clusters"][0]["cluster"]["server"]}
    request = {"apiVersion": API, "kind": "ExecCredential"}
    assert plugin.runs == [request | {"spec": {"interactive": False, "cluster": server}}] * 2


async def test_calls_at_once_run_the_program_once(
    kube: SimulatedCluster, plugin: Plugin, tmp_path: Path
) -> None:
    plugin.answer(token=kube.token())
    async with opened(kube, tmp_path / "config", **plugin.user) as cluster:
        await asyncio.gather(*(cluster.pods(SELECTOR) for _ in range(5)))
        kube.expire_tokens()
        plugin.answer(token=kube.token())

        await asyncio.gather(*(cluster.pods(SELECTOR) for _ in range(5)))

    assert sorted(statuses(kube)) == [200] * 10 + [401] * 5
    assert len(plugin.runs) == 2


async def test_program_runs_again_before_its_credentials_expire(
    kube: SimulatedCluster, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "EARLY_SECONDS", 0.0)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    plugin.answer(token=kube.token(), expirationTimestamp=soon.isoformat())
    async with opened(kube, tmp_path / "config", **plugin.user) as cluster:
        await cluster.pods(SELECTOR)
        later = soon + timedelta(hours=1)
        plugin.answer(token=kube.token(), expirationTimestamp=later.isoformat())
        while len(plugin.runs) < 2:
            await cluster.pods(SELECTOR)

        assert datetime.now(UTC) >= soon
        assert set(statuses(kube)) == {200}


@pytest.mark.parametrize("kind", ["tokenFile", "token"])
async def test_new_token_on_disk(kube: SimulatedCluster, tmp_path: Path, kind: str) -> None:
    config, file = tmp_path / "config", tmp_path / "token"

    def user() -> dict[str, str]:
        file.write_text(f"{kube.token()}\n")
        return {"tokenFile": "token"} if kind == "tokenFile" else {"token": kube.token()}

    async with opened(kube, config, **user()) as cluster:
        deployment = await cluster.deployment("order-service")
        kube.expire_tokens()
        write_config(kube, config, user())

        await cluster.patch(deployment, patches.scale(4), 7)

    assert statuses(kube) == [200, 401, 200]
    assert len(kube.writes) == 1


async def test_token_file_is_read_each_minute(
    kube: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "TOKEN_FILE_SECONDS", 0.0)
    old = kube.token()
    (tmp_path / "token").write_text(old)
    async with opened(kube, tmp_path / "config", tokenFile="token") as cluster:
        await cluster.pods(SELECTOR)
        kube.expire_tokens()
        (tmp_path / "token").write_text(kube.token())
        await cluster.pods(SELECTOR)
        (tmp_path / "token").unlink()
        await cluster.pods(SELECTOR)

    assert statuses(kube) == [200, 200, 200]


async def test_refused_credentials_are_asked_for_once(
    kube: SimulatedCluster, plugin: Plugin, tmp_path: Path
) -> None:
    plugin.answer(token="expired")
    async with opened(kube, tmp_path / "config", **plugin.user) as cluster:
        with pytest.raises(Unauthorized) as refused:
            await cluster.pods(SELECTOR)

    assert str(refused.value) == (
        "Kubernetes does not accept the bot's credentials (list pods in namespace tickettoken of "
        "cluster sandbox), although they were read again. Nothing was read. Renew the token in "
        "its kubeconfig, or check its service account; README.md says how to make a token that "
        "lasts."
    )
    assert statuses(kube) == [401, 401]


async def test_program_that_fails_is_told(
    kube: SimulatedCluster, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "FAILURE_SECONDS", 0.0)
    plugin.answer(token=kube.token())
    (tmp_path / "failed").touch()
    async with opened(kube, tmp_path / "config", **plugin.user) as cluster:
        with pytest.raises(NotConnected) as failed:
            await cluster.pods(SELECTOR)
        (tmp_path / "failed").unlink()
        assert len(await cluster.pods(SELECTOR)) == 3

    assert (
        "the credentials cannot be read: " + sys.executable + " ended with exit code 1; list "
        "pods in namespace tickettoken of "
        "cluster sandbox). Nothing was "
        "read."
    ) in str(failed.value)
    assert statuses(kube) == [200]


async def test_a_slow_program_delays_all_once(
    kube: SimulatedCluster, plugin: Plugin, tmp_path: Path
) -> None:
    plugin.answer(token=kube.token())
    for name in ("failed", "slow"):
        (tmp_path / name).touch()
    async with opened(kube, tmp_path / "config", **plugin.user) as cluster:
        calls = [asyncio.create_task(cluster.pods(SELECTOR)) for _ in range(3)]
        await plugin.started()
        (tmp_path / "slow").unlink()
        failures = await asyncio.gather(*calls, return_exceptions=True)
        with pytest.raises(NotConnected):
            await cluster.pods(SELECTOR)

    assert [type(failure) for failure in failures] == [NotConnected] * 3
    assert len(plugin.runs) == 1


async def test_a_call_that_is_given_up_ends_no_program(
    kube: SimulatedCluster, plugin: Plugin, tmp_path: Path
) -> None:
    plugin.answer(token=kube.token())
    (tmp_path / "slow").touch()
    async with opened(kube, tmp_path / "config", **plugin.user) as cluster:
        hasty = asyncio.create_task(cluster.pods(SELECTOR))
        await plugin.started()
        hasty.cancel()
        (tmp_path / "slow").unlink()

        assert len(await cluster.pods(SELECTOR)) == 3
    assert len(plugin.runs) == 1


async def test_good_credentials_wait_for_no_program(
    kube: SimulatedCluster, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "EARLY_SECONDS", 0.0)
    monkeypatch.setattr(credentials, "USABLE_WAIT_SECONDS", 0.0)
    soon = datetime.now(UTC)
    plugin.answer(token=kube.token(), expirationTimestamp=soon.isoformat())
    async with opened(kube, tmp_path / "config", **plugin.user) as cluster:
        await cluster.pods(SELECTOR)
        (tmp_path / "slow").touch()

        assert len(await cluster.pods(SELECTOR)) == 3


async def test_other_server_in_the_kubeconfig(kube: SimulatedCluster, tmp_path: Path) -> None:
    path = tmp_path / "config"
    async with opened(kube, path, token=kube.token()) as cluster:
        await cluster.pods(SELECTOR)
        kube.expire_tokens()
        other = path.read_text().replace(kube.url, "http://127.0.0.1:9")
        path.write_text(other)

        with pytest.raises(NotConnected, match="for another server now"):
            await cluster.pods(SELECTOR)


async def test_certificate_of_a_program(
    kube: SimulatedCluster, plugin: Plugin, tmp_path: Path
) -> None:
    plugin.answer(clientCertificateData="a certificate", clientKeyData="its key")
    config = kube.kubeconfig() | {"users": [{"name": "runbolt", "user": plugin.user}]}
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    read = Credentials(tmp_path / "config", "sandbox", "https://127.0.0.1:9")

    await read.refresh()

    assert content(read.configuration.cert_file) == "a certificate"
    assert content(read.configuration.key_file) == "its key"
    before = read.configuration
    await read.refresh()
    assert read.configuration is before


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, "the section `exec` has no command"),
        ({"command": "nothing-of-this-name"}, "nothing-of-this-name cannot be started"),
        ({"command": "true", "interactiveMode": "Always"}, "wants to ask a person"),
        ({"command": "true"}, "true wrote no ExecCredential"),
        ({"command": "echo", "args": ["[]"]}, "echo wrote no ExecCredential"),
        ({"command": "echo", "args": ['{"status": {}}']}, f"echo speaks None, not {API}"),
        (
            {"command": "echo", "args": [f'{{"apiVersion": "{API}", "status": {{}}}}']},
            "echo gave neither a token nor a certificate",
        ),
        ({"command": "sh", "args": ["-c", "echo no >&2; exit 3"]}, "sh ended with exit code 3: no"),
        ({"command": "sleep", "args": ["60"]}, "sleep did not answer within 0.3 s"),
    ],
)
async def test_program_without_credentials(
    config: dict[str, Any], text: str, tmp_path: Path
) -> None:
    with pytest.raises(PluginError) as failed:
        await exec_plugin.run({"apiVersion": API} | config, tmp_path, {}, seconds=0.3)
    assert text in str(failed.value)


async def test_program_beside_the_kubeconfig(tmp_path: Path) -> None:
    script = tmp_path / "get-token"
    answer = {"apiVersion": API, "status": {"token": "$TOKEN"}}
    script.write_text(f"#!/bin/sh\ncat <<END\n{json.dumps(answer)}\nEND\n")
    script.chmod(0o755)
    config: dict[str, Any] = {"command": "./get-token", "apiVersion": API}
    config |= {"env": [{"name": "TOKEN", "value": "abc"}]}

    assert await exec_plugin.run(config, tmp_path, {}) == PluginCredentials(token="abc")


def test_missing_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        Clusters(tmp_path / "none")
