"""The rooms: imports point down, and each outside thing has one door."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_contracts_between_the_rooms_hold() -> None:
    # In a process of its own: the linter sets up logging for all of it.
    linter = Path(sys.executable).parent / "lint-imports"

    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout
