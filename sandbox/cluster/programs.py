"""The few programs in a container's image, as in BusyBox."""

import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandbox.cluster.errors import Obj
from sandbox.cluster.network import service_ip
from sandbox.cluster.podstatus import serving_containers
from sandbox.cluster.state import State

CONNECT_TIMEOUT = 130.0
NO_SCAN = "nc: invalid option -- 'z'\n"
USAGE = (
    "BusyBox v1.36.1 (2024-06-10 07:11:47 UTC) multi-call binary.\n\nUsage: nc [-w SEC] HOST PORT\n"
)


@dataclass
class Outcome:
    """What a program wrote and how it ended; `failure` if it could not start."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0
    failure: str = ""


class Shell:
    """Runs commands inside one container."""

    def __init__(self, state: State, pod: Obj, container: str) -> None:
        self.state = state
        self.pod = pod
        self.container = next(
            candidate
            for candidate in serving_containers(pod["spec"])
            if candidate["name"] == container
        )
        self.programs: dict[str, Callable[[list[str]], Awaitable[Outcome]]] = {
            "cat": self._cat,
            "echo": self._echo,
            "env": self._env,
            "false": self._false,
            "hostname": self._hostname,
            "nc": self._nc,
            "psql": self._psql,
            "sh": self._sh,
            "sleep": self._sleep,
            "true": self._true,
        }

    async def run(self, command: list[str]) -> Outcome:
        """Run a program as the container runtime does: without a shell."""
        name = command[0].removeprefix("/bin/").removeprefix("/usr/bin/")
        if not self._has(name):
            return Outcome(failure=_not_found(command[0]))
        return await self.programs[name](command[1:])

    def _has(self, name: str) -> bool:
        if name == "psql" and not self.container["image"].startswith("postgres:"):
            return False
        return name in self.programs and name in self.state.network.programs

    async def _sh(self, words: list[str]) -> Outcome:
        if len(words) < 2 or words[0] != "-c":
            return Outcome(stderr="sh: only -c is supported here\n", code=2)
        text, merged = words[1], False
        if text.rstrip().endswith("2>&1"):
            text, merged = text.rstrip().removesuffix("2>&1"), True
        try:
            inner = shlex.split(text)
        except ValueError:
            return Outcome(stderr="sh: syntax error: unterminated quoted string\n", code=2)
        if not inner:
            return Outcome()
        if not self._has(inner[0]):
            return Outcome(stderr=f"sh: {inner[0]}: not found\n", code=127)
        outcome = await self.run(inner)
        if merged:
            outcome.stdout, outcome.stderr = outcome.stdout + outcome.stderr, ""
        return outcome

    async def _nc(self, words: list[str]) -> Outcome:
        options = [word for word in words if word.startswith("-")]
        limit = CONNECT_TIMEOUT
        rest = [word for word in words if not word.startswith("-")]
        if options and options[-1].endswith("w") and rest:
            limit = float(rest.pop(0)) if rest[0].isdigit() else limit
        letters = "".join(options).replace("-", "")
        if "z" in letters and not self.state.network.nc_scans:
            return Outcome(stderr=NO_SCAN + USAGE, code=1)
        if len(rest) != 2 or not rest[1].isdigit() or set(letters) - set("zvnw"):
            return Outcome(stderr=USAGE, code=1)
        return await self._connect(rest[0], int(rest[1]), limit, verbose="v" in letters)

    async def _connect(self, host: str, port: int, limit: float, *, verbose: bool) -> Outcome:
        namespace = self.pod["metadata"]["namespace"]
        answer = self.state.network.answer(namespace, host, port)
        address = f"{host} ({service_ip(namespace, host)}:{port})"
        await self.state.clock.sleep(limit if answer == "timeout" else 0.02)
        if answer == "open":
            return Outcome(stderr=f"{address} open\n" if verbose else "")
        message = {
            "refused": f"nc: {address}: Connection refused\n",
            "timeout": f"nc: {address}: Operation timed out\n",
            "unknown": f"nc: bad address '{host}'\n",
        }[answer]
        return Outcome(stderr=message, code=1)

    async def _env(self, words: list[str]) -> Outcome:
        own = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOSTNAME": self.pod["metadata"]["name"]}
        for variable in self.container.get("env") or []:
            own[variable["name"]] = variable.get("value", "")
        return Outcome(stdout="".join(f"{name}={value}\n" for name, value in own.items()))

    async def _psql(self, words: list[str]) -> Outcome:
        if "pg_stat_activity" not in words[-1].lower():
            why = "ERROR:  this database only counts pg_stat_activity\n"
            return Outcome(stderr=why, code=1)
        return Outcome(stdout=f" count \n-------\n{self.state.network.connections:>6}\n(1 row)\n\n")

    async def _cat(self, words: list[str]) -> Outcome:
        if words == ["/etc/hostname"]:
            return await self._hostname(words)
        stderr = "".join(f"cat: can't open '{name}': No such file or directory\n" for name in words)
        return Outcome(stderr=stderr, code=1 if words else 0)

    async def _hostname(self, words: list[str]) -> Outcome:
        return Outcome(stdout=f"{self.pod['metadata']['name']}\n")

    async def _echo(self, words: list[str]) -> Outcome:
        return Outcome(stdout=" ".join(words) + "\n")

    async def _sleep(self, words: list[str]) -> Outcome:
        await self.state.clock.sleep(float(words[0]) if words else 0)
        return Outcome()

    async def _true(self, words: list[str]) -> Outcome:
        return Outcome()

    async def _false(self, words: list[str]) -> Outcome:
        return Outcome(code=1)


def _not_found(name: str) -> str:
    return (
        "error executing command in container: failed to exec in container: failed to start exec "
        '"5f3c9c1f0bb1": OCI runtime exec failed: exec failed: unable to start container process: '
        f'exec: "{name}": executable file not found in $PATH: unknown'
    )
