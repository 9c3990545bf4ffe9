"""The console's texts are whole in all four languages, with the same blanks to fill in."""

import ast
import re
from pathlib import Path

import pytest

from connector.pages.translating import LANGUAGES, catalogue

CONSOLE = Path(__file__).resolve().parents[2] / "connector" / "console"


def texts(language: str, prefix: str) -> dict[str, str]:
    return {key: text for key, text in catalogue(language).items() if key.startswith(prefix)}


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_the_same_keys_and_blanks(language: str) -> None:
    english, other = texts("en", "console."), texts(language, "console.")
    assert set(english) == set(other)
    for key, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", other[key])), key


def sentences() -> set[str]:
    """Every sentence that a check may say: texts of the diagnosis folder that end like one."""
    found = set()
    for file in (CONSOLE / "diagnosis").glob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        described = {
            node.body[0].value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
            and isinstance(node.body[0].value, ast.Constant)
        }
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if text.endswith(".") and " " in text and text not in described:
                found.add(text)
    return found


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_every_diagnosis_is_said_in_every_language(language: str) -> None:
    said = texts(language, "says.")
    missing = {text for text in sentences() if f"says.{text}" not in said}
    assert not missing
    for key, text in said.items():
        assert set(re.findall(r"{\w+}", key)) == set(re.findall(r"{\w+}", text)), key


def test_templates_ask_for_texts_that_exist() -> None:
    english = catalogue("en")
    for file in (CONSOLE / "templates").rglob("*.html"):
        for key in re.findall(r'\bt\("([a-z_.0-9]+)"[,)]', file.read_text("utf-8")):
            assert key in english, f"{file.name}: {key}"
