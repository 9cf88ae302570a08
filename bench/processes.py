"""Memory and CPU time of a process, read from /proc."""

import os
import resource
from pathlib import Path


def resident(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    return _field(pid, "VmRSS")


def reset_peak(pid: int) -> None:
    """Reset what `peak` returns to the memory that the process holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """The highest resident memory in bytes since the start or the last `reset_peak`."""
    return _field(pid, "VmHWM")


def busy_seconds(pid: int) -> float:
    """The CPU time of a process, in seconds."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def children_busy_seconds() -> float:
    """The CPU time of all child processes that have ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _field(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
