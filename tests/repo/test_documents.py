"""What is written about the program is true of it: settings, commands, samples, locks, the change log."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from connector.demo.samples import all_samples
from connector.settings import Settings
from tests.sample_expectations import expected_path

_ROOT = Path(__file__).resolve().parents[2]
_README = (_ROOT / "README.md").read_text()


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=_ROOT, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := _ROOT / name).is_file()]


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_in_the_readme(name: str) -> None:
    assert f"CONNECTOR_{name.upper()}" in _README


def test_every_folder_of_the_readme_exists() -> None:
    named = re.findall(r"`((?:connector|webhook_samples|migrations|tests)/[\w/]*)`", _README)
    assert named
    assert [name for name in named if not (_ROOT / name).exists()] == []


def test_every_link_of_the_documents_leads_somewhere() -> None:
    broken = []
    for path in _tracked():
        if path.suffix == ".md":
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
                if not (path.parent / target).exists():
                    broken.append(f"{path.relative_to(_ROOT)}: {target}")
    assert broken == []


def test_every_sample_has_its_expectation() -> None:
    samples = list(all_samples())
    assert len([sample for sample in samples if sample.recorded]) >= 25
    assert [sample.name for sample in samples if not expected_path(sample).exists()] == []


def test_locks_name_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (_ROOT / name).read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_every_direct_dependency_says_why_it_is_there() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    lines = (_ROOT / "pyproject.toml").read_text().splitlines()
    for dependency in project["dependencies"]:
        line = next(line for line in lines if f'"{dependency}"' in line or dependency.split(";")[0] in line)
        assert "#" in line, dependency


def test_the_top_of_the_repository_stays_short() -> None:
    expected = {
        ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "connector", "migrations",
        "pyproject.toml", "requirements-dev.lock", "requirements.lock", "setup.py", "tests", "webhook_samples",
    }  # fmt: skip
    top = {path.relative_to(_ROOT).parts[0] for path in _tracked()}
    assert top - expected == set()


def test_no_path_of_a_machine_is_in_any_file() -> None:
    strays = re.compile(rb"/work/(?:main|shared)|/root/\.pyenv|file:///opt")
    found = [path.name for path in _tracked() if path != Path(__file__) and strays.search(path.read_bytes())]
    assert found == []
