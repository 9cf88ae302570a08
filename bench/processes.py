"""What a process costs: memory that it holds, and held at most, and time of a processor."""

import os
from pathlib import Path


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return _field(pid, "VmRSS")


def reset_peak(pid: int) -> None:
    """Let `most` begin anew from what the process holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """Bytes of memory that it held at most, since the start or since that was forgotten."""
    return _field(pid, "VmHWM")


def busy_seconds(pid: int) -> float:
    """How long it has had a processor."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _field(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
