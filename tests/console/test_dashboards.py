"""What dashboards and lists say when there is nothing to say, and what they call things."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import insert

from connector.console.overview_pages import settings_shown
from connector.core.installation_settings import InstallationSettings
from connector.pages.translating import LANGUAGES, Translator
from connector.storage.rollups import EVERYBODY, hour_of
from connector.storage.tables_console import RollupHour
from tests.console.test_pages_render import client_of
from tests.console.world import SUPPORT, World


def count(world: World, hours_ago: int, **metrics: int) -> None:
    """As the periodic task would have counted that hour."""
    hour = hour_of(world.storage.now()) - timedelta(hours=hours_ago)
    rows = [
        {"hour": hour, "installation_id": owner, "metric": name, "count": number}
        for name, number in metrics.items()
        for owner in ("inst1", EVERYBODY)
    ]
    with world.storage.database.write() as connection:
        connection.execute(insert(RollupHour.__table__), rows)


def cards(world: World, path: str) -> dict[str, str]:
    """Each chart's card by its title."""
    page = client_of(world, SUPPORT).get(path, headers={"accept-language": "en"}).text
    found = re.findall(r'<section class="card" data-chart=.*?</section>', page, re.DOTALL)
    return {re.search(r'card-title">([^<]*)', one)[1].strip(): one for one in found}  # type: ignore[index]


def test_hours_in_which_nothing_was_accepted_have_no_latency(staffed: World) -> None:
    count(staffed, 3, arrived=5, accepted=5, latency_3=5)
    count(staffed, 1, arrived=4)

    for path in ("/console/", "/console/installations/inst1"):
        latency = cards(staffed, path)["Order to acceptance (seconds)"]
        assert latency.count("<circle") == 2  # p50 and p95 of the one hour that has them
        assert re.findall(r'<td class="num">([^<]*)</td>', latency).count("10") == 2
        assert '<td class="num">0</td>' not in latency


def test_the_hour_that_has_not_begun_is_not_drawn(staffed: World) -> None:
    count(staffed, 0, arrived=5)

    arrivals = cards(staffed, "/console/")["Arrivals"]

    times = re.findall(r'datetime="([^"]*)"', arrivals)
    assert times[-1].startswith(hour_of(staffed.storage.now()).isoformat()[:13])
    assert re.findall(r'<td class="num">([^<]*)</td>', arrivals)[-1] == "5"


@pytest.mark.parametrize("language", LANGUAGES)
def test_settings_are_called_as_on_the_owners_page(staffed: World, language: str) -> None:
    t = Translator(language)
    settings = InstallationSettings(
        disabled_events=("Search",),
        custom_events={"action.my_booking": "Booking"},
        paid_statuses=("completed", "packed"),
    )

    shown = dict(settings_shown(settings, t))

    assert not [name for name in shown if "_" in name or "." in name]
    assert shown[t("setting.consent_policy.name")] == t("setting.consent_policy.by_region.name")
    assert shown[t("setting.paid_statuses.name")] == f"{t('setting.paid_statuses.completed')}, packed"
    assert shown[t("console.overview.events_off")] == t("event.Search")
    assert shown[t("setting.custom_events.name")] == "action.my_booking = Booking"
    assert shown[t("setting.send_product_names.name")] == t("console.yes")
    assert shown[t("setting.send_renewals.name")] == ""


def test_a_stores_trouble_says_why_what_to_do_and_leads_to_the_rows(staffed: World) -> None:
    staffed.add_installation("inst2", access="lost", access_reason="token_revoked")
    staffed.add_order("32", state="held", reason="browser_copy_probable", delivered_at=None)
    client = client_of(staffed, SUPPORT)

    lost, held = (client.get(f"/console/installations/{one}").text for one in ("inst2", "inst1"))

    assert "The access token is wrong or was revoked. Connect TikTok again" in lost
    (address,) = re.findall(r'<a href="([^"]*)">Events wait for a decision', held)
    assert "/orders/32" in client.get(address.replace("&amp;", "&")).text


def test_a_list_that_its_filters_have_emptied_names_them_and_leads_back(staffed: World) -> None:
    staffed.add_order()

    page = client_of(staffed, SUPPORT).get("/console/events?state=dead&since=2026-01-02T03:04:05").text

    told = re.sub(r"<[^>]*>", "", re.search(r"<summary>Filters.*?</summary>", page, re.DOTALL)[0])  # type: ignore[index]
    assert " ".join(told.split()) == "Filters State: given up From: 2026-01-02 03:04:05 UTC"
    assert '<a class="btn" href="/console/events">Clear</a>' in page
