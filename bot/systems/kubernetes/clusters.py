"""All clusters that the configuration may name; each is connected to when it is first called."""

import asyncio
from pathlib import Path

from kubernetes.aio.config import ConfigException

from bot.model import UserError
from bot.systems.kubernetes import credentials, kubeconfig
from bot.systems.kubernetes.client import TIMEOUT_SECONDS, Cluster
from bot.systems.kubernetes.clients import Clients, Surroundings
from bot.systems.kubernetes.credentials import Credentials


class Clusters:
    """The contexts of a kubeconfig, and the cluster that the bot runs in.

    `timeout` is in seconds, for each call.
    """

    def __init__(self, path: Path | None, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Read which contexts there are; None for the pod's own account alone.

        Raises UserError when the file, or that account, cannot be read.
        """
        self._path = path
        self._timeout = timeout
        self._clients: dict[str, Clients] = {}
        try:
            self._config = None if path is None else kubeconfig.read(path)
            if path is None:
                credentials.own_server()
        except (ConfigException, OSError) as error:
            raise self._unreadable(error) from error

    def contexts(self) -> tuple[str, ...]:
        """The names of the contexts, in the order of the file; none without a kubeconfig."""
        return () if self._config is None else kubeconfig.contexts(self._config)

    def current(self) -> str:
        """The name of the current context; "" where that is the account of the bot's own pod."""
        return "" if self._config is None else kubeconfig.current(self._config)

    def cluster(
        self, context: str, namespace: str, *, shown_variables: tuple[str, ...] = ()
    ) -> Cluster:
        """A namespace of a context's cluster; "" is the current context, or else the pod's own.

        Nothing is connected and no program runs before its first call. `shown_variables` are those
        whose values people may read. Raises UserError when there is no such context.
        """
        clients = self._clients_of(context or self.current())
        return Cluster(clients, namespace, self._timeout, shown_variables=shown_variables)

    def server(self, context: str) -> str:
        """The API server as `host:port`: two contexts of one server are one place.

        Raises UserError when there is no such context.
        """
        return self._clients_of(context or self.current()).server

    async def check(self, context: str) -> None:
        """Read the credentials of a context, without its program; raises UserError.

        For the start, so that people need not wait for the first call to learn of a mistake.
        """
        try:
            await self._clients_of(context or self.current()).credentials.check()
        except (ConfigException, OSError, ValueError) as error:
            raise self._unreadable(error, context) from error

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(clients.close() for clients in self._clients.values()))

    def _clients_of(self, context: str) -> Clients:
        """The clients that all namespaces of a context share."""
        if context not in self._clients:
            path = self._path if context else None
            read = Credentials(path, context, self._server(context))
            self._clients[context] = Clients(read, context, self._surroundings(context))
        return self._clients[context]

    def _surroundings(self, context: str) -> Surroundings:
        if not context:
            return Surroundings.OWN
        return Surroundings.CURRENT if context == self.current() else Surroundings.OTHER

    def _server(self, context: str) -> str:
        if context and context not in self.contexts():
            names = ", ".join(self.contexts()) or "none"
            raise UserError(
                f"There is no context “{context}” in {self._path or 'a kubeconfig'}. Its contexts: "
                f"{names}. Name one of them, or add it to the file that KUBECONFIG names."
            )
        try:
            if context and self._config is not None:
                return kubeconfig.server(self._config, context)
            return credentials.own_server()
        except (ConfigException, OSError) as error:
            if context or self._path is None:
                raise self._unreadable(error, context) from error
            reason = ConfigException("it has no current-context, and the bot runs in no cluster")
            raise self._unreadable(reason) from error

    def _unreadable(self, error: Exception, context: str = "") -> UserError:
        source = "the pod's service account" if self._path is None else str(self._path)
        cluster = f"cluster {context}" if context else "the cluster"
        return UserError(
            f"The configuration of {cluster} cannot be read from {source}: {error}. "
            "Nothing was started. Set KUBECONFIG to a kubeconfig file, or run in the cluster."
        )
