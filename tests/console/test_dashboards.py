"""What the charts say of hours in which there was nothing to say."""

import re
from datetime import timedelta

from sqlalchemy import insert

from connector.operations.rollups import EVERYBODY, hour_of
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
