"""The console's texts are whole in all four languages, with the same blanks to fill in."""

import ast
import re
from pathlib import Path

import pytest

from connector.console.application import NAVIGATION
from connector.console.list_views import AttemptList, WebhookList
from connector.console.permissions import Action, Role
from connector.console.rendering import _word
from connector.core.conversion_events import UserData
from connector.core.states import EventState, WebhookState
from connector.operations.alerts import AlertKind
from connector.operations.replay_rules import ReplayVerdict
from connector.pages.translating import LANGUAGES, Translator, catalogue
from connector.storage.lists import ATTEMPTS, EVENTS, REFUSED, WEBHOOKS
from connector.storage.search import TermKind
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


# Keys that templates and pages put together from the program's own words.
SPOKEN = {
    "console.state": (*EventState, *WebhookState, "running", "done", "cancelled", "failed", "access_lost",
                      *AttemptList.choices["result"]),
    "console.verdict": tuple(ReplayVerdict),
    "console.role": tuple(Role),
    "console.deed": tuple(action for action in Action if action not in ("view", "export", "save_link", "view_audit")),
    "console.term": (*TermKind, "event_id", "order_id"),
    "console.key": tuple(UserData.__slots__),
    "console.column": sorted({name for listed in (WEBHOOKS, EVENTS, ATTEMPTS, REFUSED) for name in listed.columns}),
    "console.nav": tuple(name for name, *_ in NAVIGATION),
    "console.trouble": ("access_lost", "paused", "backlog", "rejected", "held", "silent", "notice"),
    "console.trouble_long": ("access_lost", "paused", "backlog", "rejected", "held", "silent", "notice"),
    "console.source": WebhookList.choices["source"],
    "console.metric": ("arrived", "accepted", "withheld", "filtered", "rejected", "latency_p50", "latency_p95"),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_the_program_is_left_without_a_text(language: str) -> None:
    keys = {f"{group}.{name}" for group, names in SPOKEN.items() for name in names}
    keys |= {f"console.alert.kind_{kind}" for kind in AlertKind}
    assert not {key for key in keys if key not in catalogue(language)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reason_of_tiktok_is_never_shown_as_a_bare_word(language: str) -> None:
    for reason in EXPLANATIONS:
        assert " " in _word(Translator(language), "reason", reason), reason


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_no_text_was_left_in_english(language: str) -> None:
    """Whole sentences that are the same in two languages have not been translated."""
    english, other = texts("en", "console."), texts(language, "console.")
    assert not {key for key, text in english.items() if text.count(" ") > 2 and other.get(key) == text}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["order_not_paid", "invalid", "fault", "fetch", "store_error"])
def test_a_reason_with_a_detail_is_said_with_it(language: str, kind: str) -> None:
    said = _word(Translator(language), "reason", f"{kind}:on-hold")
    assert said == f"{catalogue(language)[f'console.reason.{kind}']} (on-hold)"


@pytest.mark.parametrize("language", LANGUAGES)
def test_why_a_webhook_was_not_understood_is_never_a_bare_word(language: str) -> None:
    platforms = CONSOLE.parent / "platforms"
    found = {
        reason
        for file in platforms.rglob("*.py")
        for reason in re.findall(r'UnreadablePayload\("([a-z_]+)"', file.read_text("utf-8"))
    }
    assert "not_json" in found
    assert [one for one in sorted(found) if _word(Translator(language), "reason", one) == one] == []
