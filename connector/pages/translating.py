"""Texts of the pages in four languages: one folder per language, TOML files in it, dotted keys.

A text may hold `{names}`; `Translator` fills them in. Texts are plain: templates escape them.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["LANGUAGES", "Translator", "catalogue", "choose_language"]

# In their own words, for the switch on each page.
LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}
_FOLDER = Path(__file__).parent / "languages"


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language, key to text."""
    texts: dict[str, str] = {}
    for file in sorted((_FOLDER / language).glob("*.toml")):
        texts.update(_flat(tomllib.loads(file.read_text("utf-8"))))
    return texts


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@dataclass(frozen=True, slots=True)
class Translator:
    """`translator("install.title", store="…")`. A key that is nowhere is shown itself, so that it is noticed."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key in this language, else in English."""
        text = catalogue(self.language).get(key) or catalogue("en").get(key, key)
        return text.format_map(values) if values else text

    def has(self, key: str) -> bool:
        """Whether there is such a text in this language."""
        return key in catalogue(self.language)


def choose_language(asked: str | None, kept: str | None, accept_language: str) -> str:
    """The address' `lang`, else the one chosen before, else the browser's list (RFC 9110), else English."""
    for wanted in (asked, kept, *_by_weight(accept_language)):
        short = (wanted or "").strip().lower()[:2]
        if short in LANGUAGES:
            return short
    return "en"


def _by_weight(header: str) -> list[str]:
    """Language tags of Accept-Language, the most wanted first; refused ones (q=0) left out."""
    found: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, weight = part.partition(";q=")
        try:
            found.append((float(weight) if weight else 1.0, tag.strip()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(found, key=lambda one: -one[0]) if weight > 0]
