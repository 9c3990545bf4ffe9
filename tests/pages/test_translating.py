"""Every text exists in all four languages, with the same names in it."""

import re
import string
from pathlib import Path

import pytest

import connector
from connector.install.checks import run_checks
from connector.install.explaining import told_notice, told_reason, told_state
from connector.pages.translating import LANGUAGES, Translator, catalogue, choose_language
from connector.tiktok.explanations import EXPLANATIONS

OTHERS = [language for language in LANGUAGES if language != "en"]
_TEMPLATES = sorted(Path(connector.__file__).parent.glob("*/templates/**/*.html"))
_USED = re.compile(r"""\bt\("([^"]+)"\s*(~)?""")


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def ours(language: str) -> dict[str, str]:
    """Without texts whose English is elsewhere: TikTok's reasons, and sentences that are their own keys."""
    known = {f"reason.{reason}" for reason in EXPLANATIONS}
    texts = {key: text for key, text in catalogue(language).items() if not key.startswith("says.")}
    return {key: text for key, text in texts.items() if key.rpartition(".")[0] not in known}


@pytest.mark.parametrize("language", OTHERS)
def test_every_key_exists_in_every_language(language: str) -> None:
    assert set(ours(language)) == set(ours("en"))


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_has_the_same_names_in_it(language: str) -> None:
    texts = ours(language)

    assert {key for key, text in ours("en").items() if names_in(text) != names_in(texts[key])} == set()


@pytest.mark.parametrize("language", OTHERS)
def test_texts_were_translated(language: str) -> None:
    texts, english = ours(language), ours("en")

    same = {key for key, text in texts.items() if text == english[key] and len(text) > 24}
    assert same == set()


@pytest.mark.parametrize("language", OTHERS)
def test_every_reason_of_tiktok_has_words_in_every_language(language: str) -> None:
    translate = Translator(language)
    english = {reason: told_reason(Translator("en"), reason) for reason in EXPLANATIONS}

    untranslated = {reason for reason in EXPLANATIONS if told_reason(translate, reason) == english[reason]}
    assert untranslated == set()


def test_every_key_that_a_template_names_exists() -> None:
    assert _TEMPLATES
    keys = catalogue("en")
    for template in _TEMPLATES:
        for key, goes_on in _USED.findall(template.read_text("utf-8")):
            known = any(one.startswith(key) for one in keys) if goes_on else key in keys
            assert known, f"{template.name}: {key}"


def test_every_outcome_of_a_check_has_its_words() -> None:
    source = Path(run_checks.__code__.co_filename).read_text("utf-8")
    found = re.findall(r'Check\("(\w+)", (?:"\w+"[^,]*|[^,]+), ("[^)]*)', source)
    assert len(found) > 15
    for key, rest in found:
        for outcome in re.findall(r'"(\w+)"', rest.split("{")[0]):
            assert f"check.{key}.{outcome}" in catalogue("en"), (key, outcome)


def test_unknown_words_are_told_too() -> None:
    translate = Translator("de")

    assert told_notice(translate, "something_new", "").cause == "Es gibt etwas anzusehen (something_new)."
    assert told_state(translate, "held", "").cause.startswith("Käufe warten")
    assert told_reason(translate, "invalid_currency").cause.endswith("(invalid_currency).")
    assert told_reason(translate, "no such reason").cause


def test_braces_in_a_value_are_text() -> None:
    assert "{evil}" in Translator("en")("check.reachable.ok", address="{evil}")


def test_a_key_that_is_nowhere_is_shown_itself() -> None:
    assert Translator("fr")("no.such.key") == "no.such.key"


@pytest.mark.parametrize(
    ("asked", "kept", "header", "language"),
    [
        ("de", "fr", "es", "de"),
        (None, "fr", "es", "fr"),
        (None, None, "es-MX,es;q=0.9,en;q=0.8", "es"),
        (None, None, "en;q=0.2, de-AT;q=0.7", "de"),
        (None, None, "ja, zh;q=0.9", "en"),
        (None, None, "de;q=0, fr;q=0.1", "fr"),
        ("xx", "yy", "", "en"),
        (None, None, "de;q=high", "en"),
        (None, None, "*;q=0.5", "en"),
    ],
)
def test_the_language_is_the_address_the_cookie_or_the_browsers(
    asked: str | None, kept: str | None, header: str, language: str
) -> None:
    assert choose_language(asked, kept, header) == language
