"""`make matrix` finds what is on the machine; the workflow runs the same pairs elsewhere."""

from pathlib import Path

import pytest
import yaml

from tests import matrix
from tests.conftest import ROOT


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_the_workflow_runs_the_same_pairs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())

    pairs = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert pairs == {"python": [*matrix.PYTHONS], "postgres": [*matrix.SERVERS]}


def test_working_programs_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shims, real = tmp_path / "shims", tmp_path / "real"
    program(shims, "python3.14", "exit 127")
    program(real, "python3.14", "echo Python 3.14.2")
    program(shims, "postgres", "echo 'postgres (PostgreSQL) 16.9'")  # without initdb
    program(real, "postgres", "echo 'postgres (PostgreSQL) 17.5 (Debian)'")
    program(real, "initdb", "exit")
    monkeypatch.setenv("PATH", f"{shims}:{real}")
    monkeypatch.setenv("SANDBOX_POSTGRES", str(tmp_path / "nowhere"))
    monkeypatch.setattr(matrix, "PYENV", tmp_path / "pyenv")

    assert matrix.find_python("3.14") == real / "python3.14"
    assert matrix.find_python("3.13") is None
    assert matrix.find_servers() == {"17": real}
