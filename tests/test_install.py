"""A wheel, installed into an empty folder, finds its templates, playbooks and migrations."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOOK = """
import bot.store, bot.__main__ as root
from importlib.resources import files
from bot.config import Config, ServiceConfig
from bot.views import text
assert str(files("bot")).startswith({site!r}), files("bot")
assert text.render("help", several=False)
config = Config(defaults=ServiceConfig())
assert [book.service for book in root.load_playbooks(config)] == ["order-service"] * 2
assert (files("bot.store") / "migrations" / "0001_start.sql").is_file()
print("all there")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel was installed; what it depends on comes from the tests' own environment."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [
        *pip,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(target), str(wheel)],
        check=True,
        capture_output=True,
    )
    return target


def test_installed_wheel_finds_its_files(site: Path, tmp_path: Path) -> None:
    script = f"import sys; sys.path.insert(0, {str(site)!r})\n" + LOOK.format(site=str(site))

    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.stdout == "all there\n", done.stderr


def test_console_script_names_missing_setting(site: Path, tmp_path: Path) -> None:
    (script,) = (site / "bin").glob("runbolt")
    environ = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"}

    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environ, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "SLACK_BOT_TOKEN is missing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("word", "told"),
    [("lint", "No mistakes.\n"), ("render", "# Order Service - Incident Response Playbook\n")],
)
def test_the_console_script_works_on_playbooks(
    site: Path, tmp_path: Path, word: str, told: str
) -> None:
    (script,) = (site / "bin").glob("runbolt")
    environ = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"}
    shipped = site / "templates" / "playbooks" / "order-service.yml"

    done = subprocess.run(
        [sys.executable, script, "playbook", word, shipped],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(told)
