"""The script as it is shipped: current, small, and safe wherever it is put."""

import gzip
import hashlib
import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import connector.tiktok.pixel as pixel
from connector.core.installation_settings import ConsentPolicy, InstallationSettings
from connector.tiktok.pixel import EMPTY_SCRIPT, PixelConfig, pixel_script
from connector.tiktok.pixel.build import pixel_config

FOLDER = Path(pixel.__file__).parent
LIBRARY = "https://analytics.tiktok.com/i18n/pixel/events.js"
BUDGET = 3 * 1024
CODE = "C1ABCDEFGHIJKLMNOPQR"


def facts_in(script: bytes) -> dict[str, object]:
    found = re.search(rb'\{"pixelCode":.*?"library":".*?".*?\}', script)
    assert found is not None
    return dict(json.loads(found[0]))


def test_the_minified_file_was_made_of_this_source() -> None:
    lines = (FOLDER / "pixel.sha256").read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split() for line in lines)}
    files = [*sorted((FOLDER / "source").glob("*.js")), FOLDER / "pixel.min.js"]
    actual = {str(path.relative_to(FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert recorded == actual, "run connector/tiktok/pixel/minify.sh"


def test_stays_in_its_budget() -> None:
    for config in (
        PixelConfig(LIBRARY),
        PixelConfig(LIBRARY, ConsentPolicy.REQUIRED, views_direct=True),
        PixelConfig(LIBRARY, disabled_events=("Search", "AddPaymentInfo")),
    ):
        assert len(gzip.compress(pixel_script(CODE, config), 9)) <= BUDGET


def test_tells_the_browser_only_what_it_may_know() -> None:
    settings = InstallationSettings(consent_policy=ConsentPolicy.OPT_OUT, test_event_code="TEST1", views_direct=True)
    script = pixel_script(CODE, pixel_config(settings, LIBRARY))
    assert facts_in(script) == {"pixelCode": CODE, "library": LIBRARY, "required": False, "viewsDirect": True}


def test_both_names_of_a_purchase_go_together() -> None:
    script = pixel_script(CODE, PixelConfig(LIBRARY, disabled_events=("Purchase",)))
    assert facts_in(script)["disabledEvents"] == ["CompletePayment", "Purchase"]


def test_without_a_pixel_there_is_nothing_to_do() -> None:
    assert pixel_script("", PixelConfig(LIBRARY)) == EMPTY_SCRIPT


@given(st.text(min_size=1), st.text())
def test_odd_settings_stay_inside_their_literal(code: str, library: str) -> None:
    script = pixel_script(code, PixelConfig(library))
    assert script.isascii()
    literal = script[script.index(b'{"pixelCode"') :]
    facts, _ = json.JSONDecoder().raw_decode(literal.decode())
    assert facts == {"pixelCode": code, "library": library}
    assert b"</" not in literal[: len(json.dumps(facts))]
