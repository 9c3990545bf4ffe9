"""How the languages are written: their typography, one way to address the reader, one word for one thing."""

import re

import pytest

from connector.pages.translating import LANGUAGES, catalogue

_PLAIN_APOSTROPHE = re.compile(r"\w'\w")
# Spanish says "tú" to everybody; these forms say "usted".
_USTED = re.compile(
    r"\b(?:usted|[Ii]nténtelo|[Ee]spere|[Vv]uelva|[Ee]lija|[Cc]ompruebe|[Pp]ulse|[Cc]onecte|[Ee]scriba|[Aa]bra|[Pp]ida"
    r"|[Rr]evise|[Mm]ire|[Ii]ndique|[Ii]nstale|[Ee]mpiece|[Vv]acíe|[Gg]uarde)\b"
)
_DU = re.compile(r"\b(?:[Dd]u|[Dd]ich|[Dd]ir|[Dd]eine?[mnrs]?)\b")
_TU = re.compile(r"\b(?:tu|toi|ton|tes)\b")
# A word for a thing that has another one everywhere else in that language.
_OTHER_WORDS = {
    "de": ("Abbildung", "Klick-Kennung", "fallen lassen", "Eingangsstelle", "abspielen"),
    "es": ("Administrador de eventos", "repetición", "alarma", " id de", "Apaga"),
    "fr": ("gestionnaire d’événements", "monnaie", "relance", " id d", "au support", "Reconnecte"),
}


def texts(language: str) -> dict[str, str]:
    return {key: text for key, text in catalogue(language).items() if text}


def test_french_marks_stand_behind_a_space_that_never_breaks() -> None:
    for key, text in texts("fr").items():
        shown = re.sub(r"https?://\S+|{\w+}", "x", text)
        assert not re.search(r"(?<![\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}])[;?!»]", shown), (key, text)
        assert not re.search(r"(?<!\N{NO-BREAK SPACE}):(?= |$)", shown), (key, text)
        assert not _PLAIN_APOSTROPHE.search(shown), (key, text)


@pytest.mark.parametrize(("language", "other"), [("es", _USTED), ("de", _DU), ("fr", _TU)])
def test_everybody_is_addressed_in_one_way(language: str, other: re.Pattern[str]) -> None:
    strays = {key: text for key, text in texts(language).items() if other.search(text)}
    assert strays == {}


@pytest.mark.parametrize("language", sorted(_OTHER_WORDS))
def test_one_thing_has_one_word(language: str) -> None:
    strays = {key: word for key, text in texts(language).items() for word in _OTHER_WORDS[language] if word in text}
    assert strays == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_straight_quotes_no_double_spaces_no_number_in_front_of_a_plural_that_may_be_one(language: str) -> None:
    for key, text in texts(language).items():
        assert '"' not in text, key
        assert "  " not in text, key
        assert text == text.strip(), key
    for name in ("plan_total", "plan_webhooks", "start", "start_webhooks", "waiting"):
        assert not re.search(r"{(total|count)} \w", catalogue(language)[f"console.replay.{name}"]), name
