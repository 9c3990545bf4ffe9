"""The installed wheel works from any directory: migrations, samples, pages, plugin and pixel travel inside it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel, far from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, _ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, folder / "site"], check=True)
    return folder / "site"


def _run(installed: Path, cwd: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "connector", *words],
        env=kept | {"PYTHONPATH": str(installed)},
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_demo_runs_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = _run(installed, tmp_path, "demo")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every expected outcome came true" in done.stdout


def test_commands_migrate_and_find_the_samples(installed: Path, tmp_path: Path) -> None:
    words = ("installations", "add", "--platform", "woocommerce", "--url", "https://shop.example")
    done = _run(installed, tmp_path, *words, "--pixel-code", "C4X", "--access-token-stdin", "--json", stdin="token\n")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["installation_id"]
    assert (tmp_path / "data" / "connector.sqlite3").exists()


def test_everything_that_is_no_code_is_inside(installed: Path) -> None:
    package = installed / "connector"
    for name in (
        "migrations/env.py",
        "webhook_samples/woocommerce/ping.json",
        "platforms/woocommerce/plugin/pixel-connector/pixel-connector.php",
        "tiktok/pixel",
        "pages/templates",
        "console/templates",
        "py.typed",
    ):
        assert (package / name).exists(), name
