"""What CONTRIBUTING.md shows is put into a copy of the project, and works there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = ("bot", "commands", "deploy", "sandbox", "templates", "tests")
FILES = ("pyproject.toml", "app-manifest.yml")
FIRST_STEP = "    steps:\n"


def shown(language: str) -> list[str]:
    """The blocks of code in a language, without their indent."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return [dedent(text) for _, text in found]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project with the example in it."""
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, tmp_path / file)
    for block in shown("python"):
        name, _, text = block.removeprefix("# ").partition("\n")
        (tmp_path / name).write_text(text, encoding="utf-8")
    register(tmp_path / "bot" / "actions" / "registry.py")
    return tmp_path


def register(registry: Path) -> None:
    """The added lines where they belong: the import among the imports, the class at the end."""
    [diff] = shown("diff")
    import_, line = (added.removeprefix("+") for added in diff.splitlines())
    words = registry.read_text(encoding="utf-8")
    words = words.replace("\nfrom ", f"\n{import_}\nfrom ", 1).rstrip().removesuffix(")")
    registry.write_text(f"{words}{line}\n)\n", encoding="utf-8")


def run(copy: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(180)
def test_example_action_passes_its_test(copy: Path) -> None:
    run(
        copy, "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/test_actions_restarted.py"
    )


def test_example_code_passes_ruff(copy: Path) -> None:
    made = ("bot/actions/kubernetes/restarted.py", "tests/test_actions_restarted.py")

    run(copy, "ruff", "check", "--no-cache", *made)
    run(copy, "ruff", "format", "--no-cache", "--check", *made)


def test_example_step_has_no_mistakes(copy: Path) -> None:
    playbook = copy / "templates" / "playbooks" / "order-service.yml"
    [step] = shown("yaml")
    words = playbook.read_text(encoding="utf-8")
    playbook.write_text(words.replace(FIRST_STEP, FIRST_STEP + indent(step, " " * 6), 1))

    run(copy, "bot", "playbook", "lint", str(playbook))
