"""The scheduled look at a storefront, against the stand-in's real pages."""

from dataclasses import replace

import pytest

from connector.demo.store_stand_in import StandInStore
from connector.install.storefronts import is_due, watch_storefront
from connector.platforms.woocommerce.store_api import COMPANION_TOPICS
from connector.storage.installations import InstallationRecord, all_installations
from connector.storage.notices import open_notices, resolve_notices
from tests.install.conftest import Running
from tests.install.walking import installed

OTHER = "<script>ttq.load('CSOMEBODYELSE0000001');</script>"


@pytest.fixture
def installation(connector: Running, store: StandInStore) -> InstallationRecord:
    store.has_plugin = True
    installed(connector, store)
    with connector.services.storage.database.read() as connection:
        return all_installations(connection)[0]


def notices(connector: Running) -> dict[str, str]:
    with connector.services.storage.database.read() as connection:
        return {one.kind: one.details for one in open_notices(connection)}


def test_a_script_that_is_there_is_left_alone(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    before = dict(store.script_tags)

    look = watch_storefront(connector.services, installation)

    assert (look.has_script, look.mended, store.script_tags) == (True, False, before)
    assert notices(connector) == {}


def test_a_script_tag_that_was_lost_is_registered_again(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    sources = list(store.script_tags.values())
    store.script_tags.clear()

    look = watch_storefront(connector.services, installation)

    assert (look.has_script, look.mended) == (True, True)
    assert list(store.script_tags.values()) == sources
    assert notices(connector) == {}


def test_a_script_that_stays_away_is_told_and_its_return_ends_the_notice(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    connection, shown = dict(store.connection), dict(store.script_tags)
    away = {1: "https://elsewhere.example/other.js"}
    store.script_tags = _Unprintable(shown)
    watch_storefront(connector.services, installation)
    assert notices(connector) == {}  # a page cache may be behind

    connector.clock.move(hours=1)
    assert watch_storefront(connector.services, installation).has_script is False
    assert notices(connector) == {"script_missing": ""}

    store.script_tags, store.connection = shown | away, connection
    connector.clock.move(hours=1)
    watch_storefront(connector.services, installation)
    assert notices(connector) == {}


class _Unprintable(dict[int, str]):
    """Registered, but another plugin takes the scripts out of the pages."""

    def values(self):  # type: ignore[no-untyped-def]
        return []


def test_a_store_that_does_not_answer_says_nothing_about_the_script(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    watch_storefront(connector.services, installation)
    connector.clock.move(hours=7)
    store.stop()

    assert watch_storefront(connector.services, installation).has_script is None
    store.start()
    assert is_due(connector.services, installation)


def test_looks_come_some_times_a_day_and_each_hour_while_it_is_missing(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    assert is_due(connector.services, installation)
    watch_storefront(connector.services, installation)
    connector.clock.move(hours=5)
    assert not is_due(connector.services, installation)
    connector.clock.move(hours=2)
    store.script_tags = _Unprintable(store.script_tags)
    watch_storefront(connector.services, installation)
    connector.clock.move(minutes=61)

    assert is_due(connector.services, installation)


def test_a_plugin_that_comes_later_is_set_up_without_its_page(connector: Running, store: StandInStore) -> None:
    installed(connector, store)
    with connector.services.storage.database.read() as connection:
        installation = all_installations(connection)[0]
    store.has_plugin = True

    watch_storefront(connector.services, installation)

    assert store.connection["installation_id"] == installation.id
    assert {one.topic for one in store.webhooks.values()} >= set(COMPANION_TOPICS)


def test_a_plugin_of_another_connection_is_not_taken_over(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    watch_storefront(connector.services, installation)
    store.connection, store.script_tags = {"installation_id": "another", "link_secret": "s"}, {}

    watch_storefront(connector.services, installation)

    assert (store.connection["installation_id"], store.script_tags) == ("another", {})


def test_another_pixel_is_named_once_and_again_when_it_changes_or_comes_back(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    services = connector.services

    def seen() -> dict[str, str]:
        watch_storefront(services, installation)
        found = notices(connector)
        with services.storage.database.write() as connection:
            resolve_notices(connection, installation.id, ("pixel_conflict",), services.now())
        return found

    store.head_html = OTHER
    assert seen() == {"pixel_conflict": "TikTok pixel CSOMEBODYELSE0000001"}
    assert seen() == {}
    store.head_html = OTHER + "<script src='https://www.googletagmanager.com/gtm.js?id=GTM-AB12'></script>"
    assert seen()["pixel_conflict"].endswith("Google Tag Manager GTM-AB12")
    store.head_html = ""
    assert seen() == {}
    store.head_html = OTHER
    assert seen() != {}


def test_a_store_added_by_hand_is_not_called(connector: Running, installation: InstallationRecord) -> None:
    stranger = replace(installation, id="by-hand")

    assert watch_storefront(connector.services, stranger).has_script is None
