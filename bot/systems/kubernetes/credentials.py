"""Who the bot is in one cluster: read at the first call, and again before it expires."""

import asyncio
import base64
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config
from kubernetes.aio.config.kube_config import FileOrData, KubeConfigLoader

from bot.systems.kubernetes import exec_plugin, kubeconfig, sending
from bot.systems.kubernetes.exec_plugin import PluginCredentials, PluginError

log = logging.getLogger(__name__)

# How long the token of a `tokenFile` is used before the file is read again; as in kubectl.
TOKEN_FILE_SECONDS = 60.0
# Credentials of a program are renewed so long before they expire, but no more often than that.
EARLY_SECONDS = 10.0
# How long a call waits for a renewal while the credentials of now are still good.
USABLE_WAIT_SECONDS = 2.0
# How long a renewal that failed is not tried again: who waited for it would only wait once more.
FAILURE_SECONDS = 5.0
# What cannot change without a new connection.
CONNECTION = ("ssl_ca_cert", "cert_file", "key_file", "verify_ssl", "tls_server_name", "proxy")


class Credentials:
    """The `configuration` of the library's clients, kept as current as the kubeconfig says.

    `generation` counts how often the credentials were read.
    """

    def __init__(self, kubeconfig: Path | None, context: str, server: str) -> None:
        """Of a context of a kubeconfig, or without one of the pod itself; nothing is read yet.

        They are for this server alone, given by its URL.
        """
        self._kubeconfig = kubeconfig
        self._context = context
        self._renewal: asyncio.Task[None] | None = None
        self._failure = ""
        self._failed_until = 0.0
        self._rejected = False
        self._due: float | None = 0.0
        self.generation = 0
        self.configuration = new_configuration()
        self.configuration.host = server

    async def check(self) -> None:
        """Whether they can be read, but for the program that they may come from.

        Such a program runs before the first call: it may fail for a while, and the rest of the bot
        is needed meanwhile. Raises ConfigException, OSError and ValueError.
        """
        await self._read(run_plugin=False)

    async def refresh(self) -> None:
        """Read them where that is due; `configuration` is another one if a new connection is.

        Raises ConfigException when they cannot be read, or are for another server than before.
        """
        if not self._is_due():
            return
        if _now() >= self._failed_until:
            await self._wait_for_renewal()
        if self._failure:
            raise ConfigException(self._failure)

    async def _wait_for_renewal(self) -> None:
        """One renewal serves all who wait: a program may take half a minute.

        A call that is given up does not end it, and one whose credentials are still good goes on.
        """
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
        renewal = self._renewal
        is_usable = not self._rejected and _has_credentials(self.configuration)
        await asyncio.wait([renewal], timeout=USABLE_WAIT_SECONDS if is_usable else None)
        if renewal.done():
            renewal.result()

    async def _renew(self) -> None:
        self._failure = ""
        try:
            await self._reload()
        except ConfigException as error:
            self._failure, self._failed_until = str(error), _now() + FAILURE_SECONDS
        finally:
            self._renewal = None

    async def close(self) -> None:
        """End a renewal that is under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    def _is_due(self) -> bool:
        return self._rejected or (self._due is not None and _now() >= self._due)

    def reject(self, generation: int) -> None:
        """The server did not accept the credentials of that generation: read them again."""
        self._rejected = self._rejected or generation == self.generation

    async def _reload(self) -> None:
        before, was_rejected = self.configuration, self._rejected
        try:
            after, lifetime = await self._read(run_plugin=True)
            _check_same_server(before, after)
        except (ConfigException, OSError, ValueError) as error:
            if was_rejected or not _has_credentials(before):
                raise ConfigException(str(error)) from error
            log.warning("the credentials of the cluster cannot be renewed: %s", error)
            self._due = _now() + EARLY_SECONDS
            return
        self._due = None if lifetime is None else _now() + lifetime
        is_first, self._rejected = self.generation == 0, False
        self.generation += 1
        # A file of the same name may have another certificate by now.
        is_new = is_first or was_rejected
        if is_new or any(getattr(before, key) != getattr(after, key) for key in CONNECTION):
            self.configuration = after
            return
        before.api_key, before.refresh_api_key_hook = after.api_key, after.refresh_api_key_hook

    async def _read(self, *, run_plugin: bool) -> tuple[Configuration, float | None]:
        """The configuration, and how long it is good for in seconds."""
        configuration = new_configuration()
        if self._kubeconfig is None:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]
            return configuration, None
        loader = Loader(self._kubeconfig, self._context, run_plugin=run_plugin)
        await loader.load_and_set(configuration)
        return configuration, loader.lifetime


def _check_same_server(before: Configuration, after: Configuration) -> None:
    if before.host != after.host:
        raise ConfigException(
            f"they are for another server now ({after.host}); restart the bot if that is what you "
            "want"
        )


def own_server() -> str:
    """The URL of the API server of the bot's own pod. Raises ConfigException and OSError."""
    configuration = new_configuration()
    load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    return str(configuration.host)


def _has_credentials(configuration: Configuration) -> bool:
    return bool(configuration.api_key or configuration.cert_file)


def _now() -> float:
    return asyncio.get_running_loop().time()


def new_configuration() -> Configuration:
    """A configuration whose clients send each request once."""
    configuration = Configuration()
    configuration.retries = None
    configuration.client_session_kwargs = {"middlewares": (sending.send_once,)}
    return configuration


class Loader(KubeConfigLoader):
    """The library's loader, which reads a `tokenFile` again and tells why a program failed.

    `lifetime` is the time in seconds after which the credentials must be read again, or None.
    """

    def __init__(self, path: Path, context: str, *, run_plugin: bool) -> None:
        config = kubeconfig.read(path)
        super().__init__(config, context, config_base_path=None)  # type: ignore[no-untyped-call]
        self._folder = path.parent
        self._run_plugin = run_plugin
        self.lifetime: float | None = None

    async def load_and_set(self, client_configuration: Configuration) -> None:
        """Read everything into a configuration. Raises ConfigException."""
        await super().load_and_set(client_configuration)  # type: ignore[no-untyped-call]
        user: dict[str, Any] = self._user.value if self._user else {}
        if user.get("tokenFile") and "exec" not in user:
            token = (self._folder / user["tokenFile"]).read_text()
            client_configuration.api_key["BearerToken"] = f"Bearer {token.strip()}"
            self.lifetime = TOKEN_FILE_SECONDS

    async def load_from_exec_plugin(self) -> bool:
        """Run the program of the user's `exec` section. Raises ConfigException."""
        if not self._run_plugin:
            self.lifetime = 0.0
            return True
        assert self._user is not None
        try:
            self._use(await exec_plugin.run(self._user["exec"].value, self._folder, self._info()))
        except PluginError as error:
            raise ConfigException(str(error)) from error
        return True

    def _use(self, credentials: PluginCredentials) -> None:
        if credentials.token:
            self.token = f"Bearer {credentials.token}"
        if credentials.certificate:
            self.cert_file = _file(credentials.certificate)
            self.key_file = _file(credentials.key)
        if credentials.expires is not None:
            left = (credentials.expires - datetime.now(UTC)).total_seconds()
            self.lifetime = max(left - EARLY_SECONDS, EARLY_SECONDS)

    def _info(self) -> dict[str, Any]:
        """The cluster, as a program may want to know it."""
        assert self._cluster is not None
        info = {key: value for key, value in self._cluster.value.items() if key != "extensions"}
        if path := info.pop("certificate-authority", None):
            content = (self._folder / path).read_bytes()
            info["certificate-authority-data"] = base64.b64encode(content).decode()
        return info


def _file(content: str) -> Any:
    """The name of a file with that content, which only its owner reads."""
    node = FileOrData(  # type: ignore[no-untyped-call]
        {"content": content}, None, data_key_name="content", base64_file_content=False
    )
    return node.as_file()  # type: ignore[no-untyped-call]
