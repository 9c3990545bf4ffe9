from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from connector.operations.doctor.machine import sqlite_library
from connector.storage.deliveries import lose_access
from connector.storage.installations import add_credential, open_credentials
from connector.storage.migrating import REVISIONS
from connector.storage.tables import Credential, ProcessHeartbeat
from tests.cli.conftest import KEY, Answer, Commands, Opener
from tests.cli.road import arrive, paid_order, sample

_heartbeat = ProcessHeartbeat.__table__  # type: ignore[attr-defined]


def found_wrong(answer: Answer) -> list[str]:
    return [check["name"] for check in answer.document if not check["ok"]]


def test_migrate_makes_the_tables_and_says_so(cli: Commands, tmp_path: Path) -> None:
    (tmp_path / "data" / "connector.sqlite3").unlink()  # as on the first day
    first = cli("migrate", "--json").document
    assert first["migrated"] is True
    assert first["revision"]
    again = cli("migrate", "--json").document
    assert (again["migrated"], again["revision"]) == (False, None)
    assert cli("installations", "list", "--json").document == []


def test_a_database_of_a_newer_version_is_told_from_an_older_one(both: Commands, opened: Opener) -> None:
    both("migrate")
    both.add()
    with opened().database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for command in (["serve"], ["migrate"], ["installations", "list", "--json"]):
        assert "of a newer version of this program" in both(*command).refused()
    answer = both("doctor", "--json")
    assert (answer.code, found_wrong(answer)) == (1, ["migrations"])


def test_code_that_restarts_in_the_middle_of_an_upgrade_works_on_with_what_was_only_added(
    both: Commands, opened: Opener
) -> None:
    both("migrate")
    both.add()
    with opened().database.write() as connection:
        connection.execute(
            text("UPDATE alembic_version SET version_num = :newer"), {"newer": f"{REVISIONS[-1][0]}999"}
        )
    assert len(both("installations", "list", "--json").document) == 1
    assert both("migrate", "--json").document["migrated"] is False
    answer = both("doctor", "--json")
    said = {check["name"]: check for check in answer.document}["migrations"]
    assert (said["ok"], "newer version" in said["text"]) == (True, True)


def test_only_the_service_may_read_its_files(cli: Commands, tmp_path: Path) -> None:
    cli.add()
    made = tmp_path / "data"
    assert made.stat().st_mode & 0o077 == 0
    assert {file.name for file in made.iterdir()} >= {"connector.sqlite3"}
    assert not [file for file in made.iterdir() if file.stat().st_mode & 0o077]


def test_an_address_of_a_file_that_cannot_be_is_named(
    cli: Commands, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    environment.setenv("CONNECTOR_DATABASE_URL", f"sqlite:///{tmp_path}/file/connector.sqlite3")
    line = cli("installations", "list").refused()
    assert line.startswith("error: CONNECTOR_DATABASE_URL: ")
    assert str(tmp_path / "file") in line


def test_rotate_keys_seals_every_credential_anew(
    both: Commands, opened: Opener, environment: pytest.MonkeyPatch
) -> None:
    added = both.add(token="kept")["installation_id"]
    storage = opened()
    with storage.database.write() as connection:
        for number in range(450):
            add_credential(
                connection, storage.keys, row_id=storage.new_id(), installation_id=added, kind="link_secret",
                text=f"link {number}", now=storage.now(),
            )  # fmt: skip
    environment.setenv("CONNECTOR_SECRET_KEYS", f"{'n' * 40},{KEY}")
    assert both("rotate-keys", "--json").document == {"rotated": 453, "total": 453}
    assert both("rotate-keys", "--json").document == {"rotated": 0, "total": 453}
    environment.setenv("CONNECTOR_SECRET_KEYS", "n" * 40)
    storage = opened()
    with storage.database.read() as connection:
        assert open_credentials(connection, storage.keys, added, "access_token", storage.now()) == ["kept"]
        links = open_credentials(connection, storage.keys, added, "link_secret", storage.now())
        assert sorted(links) == sorted(f"link {number}" for number in range(450))


def test_doctor_finds_nothing_wrong_with_a_new_installation(both: Commands) -> None:
    added = both.add()["installation_id"]
    answer = both("doctor", "--installation", added, "--json")
    assert answer.code == 0, answer.out
    assert all(set(check) == {"name", "ok", "text", "remedy"} for check in answer.document)
    names = {check["name"] for check in answer.document}
    assert names > {"database", "migrations", "clock", "disk_space", "fsync_time", "secret_keys", "event_backlog"}
    assert names > {"processes", "access", "access_token", "webhook_secret", "notices", "held_events"}


def test_doctor_on_nothing_at_all(cli: Commands) -> None:
    assert cli("doctor").code == 0


def test_doctor_tells_of_lost_access(cli: Commands, opened: Opener) -> None:
    added = cli.add()["installation_id"]
    storage = opened()
    with storage.database.write() as connection:
        lose_access(
            connection, notice_id=1, installation_id=added, reason="token_revoked", details="", now=storage.now()
        )
    answer = cli("doctor", "--json")
    assert (answer.code, found_wrong(answer)) == (1, [f"access {added}"])
    answer = cli("doctor", "--installation", added)
    assert answer.code == 1
    assert "reconnect" in answer.out


def test_doctor_tells_of_a_missing_secret_and_of_an_unreadable_one(cli: Commands, opened: Opener) -> None:
    added = cli.add()["installation_id"]
    credential = Credential.__table__  # type: ignore[attr-defined]
    storage = opened()
    with storage.database.write() as connection:
        connection.execute(credential.delete().where(credential.c.kind == "webhook_secret"))
        connection.execute(
            credential.update().where(credential.c.kind == "access_token").values(ciphertext=b"damaged" * 9)
        )
    answer = cli("doctor", "--installation", added, "--json")
    assert (answer.code, found_wrong(answer)) == (1, ["secret_keys", "webhook_secret"])


def test_doctor_tells_of_a_lost_key(cli: Commands, environment: pytest.MonkeyPatch) -> None:
    cli.add()
    environment.setenv("CONNECTOR_SECRET_KEYS", "x" * 40)
    answer = cli("doctor", "--json")
    assert (answer.code, found_wrong(answer)) == (1, ["secret_keys"])


def test_doctor_tells_of_a_database_that_does_not_answer(cli: Commands, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CONNECTOR_DATABASE_URL", "postgresql://user:canary-7f3a@127.0.0.1:1/x")
    answer = cli("doctor", "--json")
    assert (answer.code, found_wrong(answer)) == (1, ["database"])
    assert "canary-7f3a" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("role", "ago", "wrong"),
    [("serve", 1, []), ("deliver", 1, []), ("receive", 1, ["processes"]), ("serve", 90, ["processes"])],
)
def test_doctor_tells_when_nobody_sends(
    both: Commands, opened: Opener, role: str, ago: int, wrong: list[str]
) -> None:
    both.add()
    storage = opened()
    seen = storage.now() - timedelta(seconds=ago)
    with storage.database.write() as connection:
        connection.execute(insert(_heartbeat), {"name": "here-1", "role": role, "seen_at": seen, "details": "{}"})
    assert found_wrong(both("doctor", "--json")) == wrong


def test_doctor_tells_of_work_that_nobody_does(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    now = opened()
    paid_order(now, added)
    arrive(now, added, "order.updated", sample(now, id=41), process=False)
    assert found_wrong(both("doctor", "--json")) == []
    hour = timedelta(hours=1)
    with now.database.write() as connection:
        for table in ("event_work", "webhook_work"):
            rows = _table(table)
            ids = [int(i) for i in connection.execute(select(rows.c.id)).scalars()]
            # An id is a time: an hour earlier.
            for row_id in ids:
                earlier = row_id - (int(hour.total_seconds()) * 1000 << 22)
                connection.execute(
                    rows.update().where(rows.c.id == row_id).values(id=earlier, run_at=now.now() - hour)
                )
    assert found_wrong(both("doctor", "--json")) == ["webhook_backlog", "event_backlog"]
    both("installations", "pause", added)
    assert found_wrong(both("doctor", "--json")) == ["webhook_backlog"]


def _table(name: str):  # type: ignore[no-untyped-def]
    from sqlmodel import SQLModel

    return SQLModel.metadata.tables[name]


@pytest.mark.parametrize(
    ("version", "advised"), [("3.40.1", True), ("3.51.2", True), ("3.51.3", False), ("3.52.0", False)]
)
def test_the_known_fault_of_sqlite_is_a_warning(version: str, advised: bool) -> None:
    check = sqlite_library(version)
    assert check.ok
    assert bool(check.remedy) is advised


def test_the_secret_keys_are_made_on_first_use(
    cli: Commands, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.delenv("CONNECTOR_SECRET_KEYS")
    cli.add()
    assert len((tmp_path / "data" / "secret_keys").read_text().strip()) >= 32
    assert cli("doctor").code == 0
