"""What the doctor says of the audit log and of what stands in front of the service."""

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text

from connector.operations.doctor import examine
from connector.operations.doctor.check import Check
from connector.operations.doctor.front import public_address
from connector.operations.doctor.tiktok import tiktok_address
from connector.operations.doctor.work import audit_chain, webhook_backlog
from connector.settings import Settings
from connector.storage.audit import audit
from connector.storage.opening import Storage
from tests.clock import Clock
from tests.installations import add_installation
from tests.road.road import arrive_body, order_body


@pytest.fixture
def proxy() -> Iterator[ThreadingHTTPServer]:
    """Answers whatever statuses its path begins with: to a GET, to a POST; as we would, or as another program."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(0, {"status": "up"})

        def do_POST(self) -> None:
            self._answer(1, {"error": "installation_unknown"})

        def _answer(self, place: int, ours: dict[str, str]) -> None:
            statuses, whose = self.path.split("/")[1:3]
            body = json.dumps(ours if whose == "ours" else {}).encode()
            self.send_response(int(statuses.split("-")[place]))
            self.send_header("location", "https://elsewhere.example/")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def looked(settings: Settings, url: str, **changes: object) -> list[Check]:
    return list(public_address(settings.model_copy(update={"public_url": url, **changes})))


def test_what_stays_in_the_spool_is_told_with_its_remedy(settings: Settings, storage: Storage) -> None:
    folder = settings.data_dir / "spool"

    def found() -> Check:
        (check,) = [each for each in examine(settings) if each.name == "spool"]
        return check

    assert found().ok
    folder.mkdir(exist_ok=True)
    waiting, damaged = folder / "1-2-3.spool", folder / "4-5-6.damaged"
    waiting.write_bytes(b"x")
    assert found().ok, "for a while that is what it is for"
    os.utime(waiting, (time.time() - 3600,) * 2)
    assert "connector serve" in found().remedy
    waiting.unlink()
    damaged.write_bytes(b"x")
    assert not found().ok
    assert "connector reconcile" in found().remedy


@pytest.mark.parametrize(
    ("path", "wrong", "word"),
    [
        ("200-404/ours", None, ""),
        ("301-404/ours", "public_address", "redirect"),
        ("502-404/ours", "public_address", "502"),
        ("200-404/theirs", "public_address", "another program"),
        ("200-308/ours", "webhook_address", "redirect"),
        ("200-403/ours", "webhook_address", "403"),
        ("200-405/ours", "webhook_address", "405"),
        ("200-200/ours", "webhook_address", "200"),
    ],
)
def test_what_stands_in_front_is_found(
    settings: Settings, proxy: ThreadingHTTPServer, path: str, wrong: str | None, word: str
) -> None:
    checks = looked(settings, f"http://127.0.0.1:{proxy.server_port}/{path}", allow_private_addresses=True)
    assert [check.name for check in checks if not check.ok] == ([wrong] if wrong else [])
    assert word in checks[-1].text


@pytest.mark.parametrize(("hours", "same"), [(0, True), (5, False), (-5, False)])
def test_a_clock_that_is_not_tiktoks_is_told(
    storage: Storage, settings: Settings, proxy: ThreadingHTTPServer, clock: Clock, hours: float, same: bool
) -> None:
    """On SQLite the database's clock is the machine's own."""
    clock.advance(hours=hours)
    url = f"http://127.0.0.1:{proxy.server_port}/404-404/theirs"
    check = tiktok_address(settings.model_copy(update={"tiktok_api_url": url}), storage)
    assert (check.ok, bool(check.remedy), "same time" in check.text) == (True, not same, same)


def test_a_tiktok_out_of_reach_is_advice(storage: Storage, settings: Settings) -> None:
    check = tiktok_address(settings.model_copy(update={"tiktok_api_url": "http://127.0.0.1:1"}), storage)
    assert check.ok
    assert check.remedy


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_disk_of_a_database_that_lies_elsewhere_is_looked_at(
    storage: Storage, settings: Settings, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    address = f"sqlite:///{elsewhere / 'connector.sqlite3'}"
    names = [check.name for check in examine(settings.model_copy(update={"database_url": address}))]
    assert names[:2] == ["disk_space", "disk_space_of_database"]
    assert "disk_space_of_database" not in [check.name for check in examine(settings)]


def test_webhooks_that_wait_for_their_owner_are_no_backlog(storage: Storage, clock: Clock) -> None:
    """Nothing is mapped before the store has a pixel; more processes would not help."""
    add_installation(storage)
    with storage.database.write() as connection:
        connection.execute(text("UPDATE installation SET pixel_code = ''"))
    arrive_body(storage, "order.updated", order_body(7))
    clock.advance(hours=1)
    assert webhook_backlog(storage).ok
    with storage.database.write() as connection:
        connection.execute(text("UPDATE installation SET pixel_code = 'C4'"))
    assert not webhook_backlog(storage).ok


def test_an_address_that_cannot_be_reached_from_here_is_advice(settings: Settings) -> None:
    (check,) = looked(settings, "http://127.0.0.1:1", allow_private_addresses=True)
    assert check.ok
    assert check.remedy


def test_a_port_that_stores_never_call_is_found(settings: Settings) -> None:
    (check,) = looked(settings, "https://shop.example:9999", allow_private_addresses=False)
    assert (check.ok, "9999" in check.text) == (False, True)


def test_without_a_public_address_nothing_is_looked_for(settings: Settings) -> None:
    assert list(public_address(settings.model_copy(update={"public_url": None}))) == []


def test_a_changed_audit_log_is_found(storage: Storage, settings: Settings) -> None:
    for number in range(3):
        audit(storage, "admin@staff.example", "reveal", target=f"webhook {number}", reason="asked", details={})
    assert audit_chain(storage).ok
    with storage.database.write() as connection:
        if storage.database.is_sqlite:
            connection.execute(text("DROP TRIGGER IF EXISTS audit_log_no_update"))
        else:
            connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER ALL"))
        connection.execute(text("UPDATE audit_log SET reason = 'another' WHERE number = 2"))
    found = {check.name: check for check in examine(settings)}
    assert not found["audit_log"].ok
    assert "2" in found["audit_log"].text
