"""Every pair of colours that text is set in has a contrast of 4.5 : 1, light and dark (WCAG 2.1, 1.4.3)."""

import re
from pathlib import Path

import pytest

import connector.pages

_CSS = (Path(connector.pages.__file__).parent / "style.css").read_text("utf-8")
PAIRS = [
    *((ink, back) for ink in ("ink", "soft", "accent") for back in ("ground", "card")),
    ("accent-ink", "accent"),
    ("accent-ink", "accent-deep"),
    ("ink", "accent-soft"),
    ("soft", "accent-soft"),
    *((one, back) for one in ("ok", "warn", "fail") for back in ("card", f"{one}-soft")),
    *(("ink", f"{one}-soft") for one in ("ok", "warn", "fail", "info")),
]


def colours(dark: bool) -> dict[str, str]:
    light, _, rest = _CSS.partition("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light))
    return found | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", rest)) if dark else found


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("ink", "back"), PAIRS)
def test_text_can_be_read(ink: str, back: str, dark: bool) -> None:
    palette = colours(dark)
    one, other = sorted((luminance(palette[ink]), luminance(palette[back])))

    assert (other + 0.05) / (one + 0.05) >= 4.5
