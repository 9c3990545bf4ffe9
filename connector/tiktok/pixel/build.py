"""One installation's browser script: the minified text with the installation's facts put in. No clock, no network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from connector.core.installation_settings import ConsentPolicy, InstallationSettings, PurchaseName

__all__ = ["EMPTY_SCRIPT", "PixelConfig", "pixel_config", "pixel_script"]

# What a paused or removed installation serves: the shop's page loads something, and nothing happens.
EMPTY_SCRIPT = b"/* Pixel Connector: paused or removed, nothing to do. */\n"

_PLACEHOLDER = "PIXEL_SETTINGS"
_FILE = Path(__file__).parent / "pixel.min.js"
_PURCHASE_NAMES = frozenset(name.value for name in PurchaseName)
# What the script may know without asking the store; the rest depends on the visitor's country.
_REQUIRED: dict[ConsentPolicy, bool] = {ConsentPolicy.REQUIRED: True, ConsentPolicy.OPT_OUT: False}


@dataclass(frozen=True, slots=True)
class PixelConfig:
    """What the script is told besides the pixel's code. `library_url` is TikTok's, without a query."""

    library_url: str
    consent_policy: ConsentPolicy = ConsentPolicy.BY_REGION
    disabled_events: Sequence[str] = ()
    views_direct: bool = False


def pixel_config(settings: InstallationSettings, library_url: str) -> PixelConfig:
    """The part of an installation's settings that the browser may know."""
    return PixelConfig(
        library_url=library_url,
        consent_policy=settings.consent_policy,
        disabled_events=settings.disabled_events,
        views_direct=settings.views_direct,
    )


def pixel_script(pixel_code: str, config: PixelConfig) -> bytes:
    """The script as UTF-8. Without a pixel code there is nothing to load: the empty script."""
    if not pixel_code:
        return EMPTY_SCRIPT
    facts: dict[str, Any] = {"pixelCode": pixel_code, "library": config.library_url}
    # Only what differs from the script's own defaults: every byte is loaded on every page.
    if config.consent_policy in _REQUIRED:
        facts["required"] = _REQUIRED[config.consent_policy]
    if config.disabled_events:
        facts["disabledEvents"] = _with_both_purchases(config.disabled_events)
    if config.views_direct:
        facts["viewsDirect"] = True  # the address comes with the page, as the public id does
    return _template().replace(_PLACEHOLDER, _literal(facts)).encode()


def _with_both_purchases(names: Sequence[str]) -> list[str]:
    both = _PURCHASE_NAMES if not _PURCHASE_NAMES.isdisjoint(names) else frozenset()
    return sorted({*names, *both})


def _literal(facts: dict[str, Any]) -> str:
    """JSON that is a JavaScript literal wherever it stands: ASCII, and nothing that could end a script element."""
    text = json.dumps(facts, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _template() -> str:
    text = _FILE.read_text("utf-8")
    assert text.count(_PLACEHOLDER) == 1, "pixel.min.js takes its settings in one place"
    return text
