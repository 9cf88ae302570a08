"""What a pod can reach, and which programs its image has."""

import hashlib
from typing import Literal

Answer = Literal["open", "refused", "timeout", "unknown"]

DEPENDENCIES = {
    ("tickettoken-postgres", 5432),
    ("tickettoken-redis", 6379),
    ("tickettoken-rabbitmq", 5672),
    ("payment-service", 3006),
    ("order-service", 3005),
}
PROGRAMS = {"nc", "sh", "env", "cat", "echo", "hostname", "psql", "true", "false", "sleep"}


class Network:
    """Hosts and ports inside the cluster, seen from any pod."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], Answer] = dict.fromkeys(DEPENDENCIES, "open")
        self.programs = set(PROGRAMS)
        self.nc_scans = True
        self.connections = 37

    def set(self, host: str, port: int, answer: Answer) -> None:
        """Set how a port answers from now on."""
        self._answers[host, port] = answer

    def answer(self, host: str, port: int) -> Answer:
        """How a port answers; a known host refuses its other ports."""
        host = host.removesuffix(".").removesuffix(".svc.cluster.local").split(".")[0]
        if (host, port) in self._answers:
            return self._answers[host, port]
        return "refused" if any(known == host for known, _ in self._answers) else "unknown"


def service_ip(name: str) -> str:
    """The cluster address of a service."""
    digest = hashlib.sha256(name.encode()).digest()
    return f"10.96.{digest[0]}.{digest[1] % 250 + 2}"
