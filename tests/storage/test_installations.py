"""Installations as rows: versions of the program run side by side during an upgrade."""

import json

import pytest
from sqlalchemy import update

from connector.storage.installations import change_installation, find_installation
from connector.storage.notices import open_notices, raise_notice
from connector.storage.opening import Storage
from connector.storage.tables import Installation
from tests.installations import add_installation


def test_a_setting_that_a_newer_version_wrote_is_left_out(storage: Storage) -> None:
    record = add_installation(storage)
    texts = json.loads(record.settings.model_dump_json()) | {"of_a_later_version": True}
    with storage.database.write() as connection:
        connection.execute(update(Installation.__table__).values(settings=json.dumps(texts)))

    with storage.database.read() as connection:
        found = find_installation(connection, record.id)

    assert found is not None
    assert found.settings == record.settings


@pytest.mark.parametrize(
    ("decision", "is_over"),
    [
        ({"filter_other_addresses": True}, True),
        ({"own_addresses": ("staging.example",)}, True),
        ({"copy_addresses": ("third.example",)}, False),
        ({"send_renewals": True}, False),
    ],
)
def test_settings_end_the_notice_that_they_decide(
    storage: Storage, decision: dict[str, object], is_over: bool
) -> None:
    record, now = add_installation(storage), storage.now()
    settings = record.settings.model_copy(update=decision)
    with storage.database.write() as connection:
        for kind, details in (("other_address", "staging.example"), ("pixel_conflict", "C4OTHER")):
            raise_notice(
                connection, row_id=storage.new_id(), installation_id=record.id, kind=kind, details=details, now=now
            )
        change_installation(connection, record.id, now, settings=settings)

    with storage.database.read() as connection:
        left = {one.kind for one in open_notices(connection, record.id)}
    assert left == {"pixel_conflict"} | (set() if is_over else {"other_address"})
