"""`make matrix`: the tests with each Python and each PostgreSQL that is on this machine.

A Python is looked for on PATH and among pyenv's, a PostgreSQL where the sandbox looks and on PATH.
Each Python gets an environment from the lock file in .matrix/; each run leaves its log there.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.postgres import candidates

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".matrix"
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SERVERS = ("14", "15", "16", "17", "18")


@dataclass(frozen=True)
class Outcome:
    """What became of one pair, as the table shows it."""

    words: str
    failed: bool = False


ABSENT = Outcome("not here")


def main(arguments: Sequence[str]) -> int:
    """Run pytest with the arguments for each pair, print the table; 1 where something failed."""
    HOME.mkdir(exist_ok=True)
    servers = find_servers()
    found = {version: list(row(version, servers, arguments)) for version in PYTHONS}
    print_table(found)
    return int(any(outcome.failed for outcomes in found.values() for outcome in outcomes))


def row(version: str, servers: Mapping[str, Path], arguments: Sequence[str]) -> Iterator[Outcome]:
    """One Python with every PostgreSQL."""
    python = find_python(version)
    ready = python is not None and make_environment(version, python)
    for server in SERVERS:
        if python is None or server not in servers:
            yield ABSENT
        elif not ready:
            yield Outcome("no environment", failed=True)
        else:
            yield run_tests(version, server, servers[server], arguments)


def find_python(version: str) -> Path | None:
    """The first interpreter that runs and is of this version; a shim of pyenv's may not run."""
    folders = [*map(Path, os.get_exec_path()), *sorted(PYENV.glob(f"{version}*/bin"))]
    for python in (folder / f"python{version}" for folder in folders):
        if answer(python, "--version").startswith(f"Python {version}."):
            return python
    return None


def find_servers() -> dict[str, Path]:
    """The folder of the first PostgreSQL of each major version."""
    found: dict[str, Path] = {}
    for folder in [*candidates(), *map(Path, os.get_exec_path())]:
        postgres = (folder / "postgres").resolve()
        version = re.search(r"\(PostgreSQL\) (\d+)", answer(postgres, "--version"))
        if version and (postgres.parent / "initdb").exists():
            found.setdefault(version[1], postgres.parent)
    return found


def answer(program: Path, *words: str) -> str:
    """What a program prints, or nothing where it cannot be run."""
    try:
        return subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def make_environment(version: str, python: Path) -> bool:
    """As `make` makes .venv."""
    place = HOME.relative_to(ROOT) / version
    command = ["make", "--no-print-directory", f"VENV={place}", f"PYTHON={python}"]
    return subprocess.run([*command, f"{place}/.ready"], cwd=ROOT, check=False).returncode == 0


def run_tests(version: str, server: str, binaries: Path, arguments: Sequence[str]) -> Outcome:
    """Run them once; the outcome is pytest's own last line."""
    log = HOME / f"python-{version}-postgresql-{server}.log"
    python = HOME / version / "bin" / "python"
    chosen = {name: word for name, word in os.environ.items() if name != "RUNBOLT_TEST_POSTGRES"}
    with log.open("w") as opened:
        code = subprocess.run(
            [python, "-m", "pytest", *arguments],
            cwd=ROOT,
            env={**chosen, "SANDBOX_POSTGRES": str(binaries)},
            stdout=opened,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    counted = re.findall(r"^=* ?(\d+ .*) in [\d.]+s", log.read_text(), re.MULTILINE)
    outcome = Outcome(counted[-1] if counted else f"pytest ended with {code}", failed=code != 0)
    print(f"Python {version}, PostgreSQL {server}: {outcome.words} ({log})", flush=True)
    return outcome


def print_table(found: Mapping[str, Sequence[Outcome]]) -> None:
    """A line for each Python, a column for each PostgreSQL."""
    lines = [["", *(f"PostgreSQL {server}" for server in SERVERS)]]
    for version, outcomes in found.items():
        lines.append([f"Python {version}", *(outcome.words for outcome in outcomes)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
