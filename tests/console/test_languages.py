"""The console's texts are whole in all four languages, with the same blanks to fill in."""

import ast
import re
from pathlib import Path

import pytest

from connector.pages.translating import LANGUAGES, catalogue
from connector.tiktok.explanations import EXPLANATIONS

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


def refusals() -> set[str]:
    """What a form or a button of the console may answer, as raised; a text with values in it is not translatable."""
    package = CONSOLE.parent
    files = [*CONSOLE.rglob("*.py"), package / "operations/alerts.py", *(package / "operations").glob("replay*.py")]
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UsageError":
                assert isinstance(node.args[0], ast.Constant), f"{file.name}:{node.lineno} puts values into the text"
                found.add(node.args[0].value)
    return found


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_every_refusal_is_said_in_every_language(language: str) -> None:
    assert not {text for text in refusals() if f"says.{text}" not in catalogue(language)}


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_every_reason_of_tiktok_is_explained_in_every_language(language: str) -> None:
    """Those that our own check finds share one text, which names the field."""
    said = catalogue(language)
    for reason in EXPLANATIONS:
        key = f"reason.{reason}" if not reason.startswith("invalid_") or reason == "invalid_parameter" else ""
        key = key or "reason.refused_here"
        assert said.get(f"{key}.cause"), reason
        assert said.get(f"{key}.next"), reason
