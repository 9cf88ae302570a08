"""Credentials from a program that the kubeconfig names, such as `aws eks get-token`.

The protocol is client.authentication.k8s.io, an ExecCredential in and one out:
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

import asyncio
import contextlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.model import Model

SECONDS = 30.0
MESSAGE_LENGTH = 300


class PluginError(ValueError):
    """The program gave no credentials; the text says why."""


class PluginCredentials(Model):
    """A token, or a certificate and its key as PEM; None where they do not say when they expire."""

    token: str = ""
    certificate: str = ""
    key: str = ""
    expires: datetime | None = None


async def run(
    config: dict[str, Any], folder: Path, cluster: dict[str, Any], seconds: float = SECONDS
) -> PluginCredentials:
    """Run the program of a user's `exec` section, at most `seconds`; raises PluginError.

    A relative path begins at `folder`. `cluster` is told to a program that asks for it.
    """
    command = _command(config, folder)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=os.environ | _environment(config, cluster),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise PluginError(f"{command[0]} cannot be started ({error.strerror})") from error
    output = await _output(process, command[0], seconds)
    return _credentials(output, command[0], config["apiVersion"])


def _command(config: dict[str, Any], folder: Path) -> list[str]:
    for key in ("command", "apiVersion"):
        if not config.get(key):
            raise PluginError(f"the section `exec` has no {key}")
    if config.get("interactiveMode") == "Always":
        raise PluginError(f"{config['command']} wants to ask a person, and there is none here")
    program = str(config["command"])
    if "/" in program:
        program = str(folder / program)
    return [program, *map(str, config.get("args") or [])]


def _environment(config: dict[str, Any], cluster: dict[str, Any]) -> dict[str, str]:
    spec: dict[str, Any] = {"interactive": False}
    if config.get("provideClusterInfo"):
        spec["cluster"] = cluster
    request = {"apiVersion": config["apiVersion"], "kind": "ExecCredential", "spec": spec}
    variables = {str(entry["name"]): str(entry["value"]) for entry in config.get("env") or []}
    return variables | {"KUBERNETES_EXEC_INFO": json.dumps(request)}


async def _output(process: asyncio.subprocess.Process, name: str, seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            output, complaint = await process.communicate()
    except TimeoutError as error:
        raise PluginError(f"{name} did not answer within {seconds:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        text = complaint.decode("utf-8", "replace").strip()[:MESSAGE_LENGTH]
        raise PluginError(f"{name} ended with exit code {process.returncode}: {text}".rstrip(": "))
    return output


def _credentials(output: bytes, name: str, api_version: str) -> PluginCredentials:
    try:
        answer = json.loads(output)
        status = answer["status"]
        expires = status.get("expirationTimestamp")
        credentials = PluginCredentials(
            token=status.get("token") or "",
            certificate=status.get("clientCertificateData") or "",
            key=status.get("clientKeyData") or "",
            expires=datetime.fromisoformat(expires) if expires else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PluginError(f"{name} wrote no ExecCredential") from error
    if answer.get("apiVersion") != api_version:
        raise PluginError(f"{name} speaks {answer.get('apiVersion')}, not {api_version}")
    if not credentials.token and not (credentials.certificate and credentials.key):
        raise PluginError(f"{name} gave neither a token nor a certificate with its key")
    return credentials
