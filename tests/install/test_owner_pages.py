"""The owner's pages, as a browser reads and posts them."""

import pytest

from connector.demo.store_stand_in import StandInStore
from tests.install.conftest import Running
from tests.install.walking import signed_in

PIXEL = "CTESTPIXEL0000000001"


@pytest.mark.parametrize(
    "path", ["/owner", "/owner/tiktok", "/owner/store", "/owner/settings", "/owner/plugin", "/owner/uninstall"]
)
def test_every_page_answers(connector: Running, store: StandInStore, path: str) -> None:
    browser = signed_in(connector, store)

    assert browser.get(path).status_code == 200
