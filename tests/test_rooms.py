"""The rooms: imports point down, each outside thing is used in one room, and the linter notices."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bot", "commands", "sandbox")
# In a process of its own: the linter sets up logging for all of it.
LINTER = Path(sys.executable).parent / "lint-imports"

# One import for each contract that it forbids: the module that gets it, and the import.
BROKEN = {
    "Imports point down": ("bot/model/task.py", "from bot import rules"),
    "Commands are answered by the modules below the routes": (
        "commands/listen.py",
        "from commands import declare",
    ),
    "Publishing: the publisher sends, the sender holds a lease": (
        "bot/publishing/lease.py",
        "from bot.publishing import sender",
    ),
    "Systems do not know each other": ("bot/systems/http.py", "from bot.systems import stripe"),
    "Models, rules and views do no IO": ("bot/views/card.py", "import asyncio"),
    "Slack's libraries are used where Slack is spoken to": (
        "bot/flows/updates.py",
        "import slack_sdk",
    ),
    "Commands reach the store through flows": ("commands/tasks.py", "from bot.store import tasks"),
    "SQL stands in the store and in the systems that are databases": (
        "bot/flows/tasks.py",
        "import psycopg",
    ),
    "Kubernetes' library is used in one room": (
        "bot/actions/kubernetes/pods.py",
        "import kubernetes",
    ),
    "The bot runs without the tools that write playbooks": (
        "bot/playbooks/loader.py",
        "import markdown_it",
    ),
    "The bot knows nothing of the sandbox": ("bot/web/requests.py", "import sandbox"),
    "The sandbox knows nothing of the bot": ("sandbox/shop.py", "import bot"),
}


def lint(folder: Path) -> tuple[int, str]:
    """The exit code of the linter, and what it printed."""
    done = subprocess.run(
        [LINTER, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_every_contract_holds() -> None:
    code, printed = lint(ROOT)

    assert code == 0, printed
    assert [line for line in printed.splitlines() if line.endswith(" KEPT")] == [
        f"{name} KEPT" for name in BROKEN
    ]


@pytest.mark.timeout(120)
def test_every_contract_can_break(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, line in BROKEN.values():
        file = tmp_path / module
        file.write_text(f"{file.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")

    code, printed = lint(tmp_path)

    assert code == 1
    assert [name for name in BROKEN if f"{name} BROKEN" not in printed.splitlines()] == []
