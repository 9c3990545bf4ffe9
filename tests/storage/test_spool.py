"""The spool file: what was taken comes back in order, whatever the disk did."""

import io
import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.storage.arrivals import Arrival, digest_of
from connector.storage.spool import Spool, own_digest, read_records, write_record

_TIME = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def arrival(number: int, body: bytes = b"", *, deduplicate: bool = True) -> Arrival:
    body = body or b'{"id":%d}' % number
    digest = digest_of("installation1", "order.created", body)
    return Arrival(number, "installation1", "order.created", _TIME, digest, "{}", body, deduplicate)


def drained(spool: Spool) -> list[Arrival]:
    found: list[Arrival] = []
    while (file := spool.oldest()) is not None:
        while part := file.next(2, 1 << 20):
            found += part
        spool.finished(file)
    return found


def ids(arrivals: list[Arrival]) -> list[int]:
    return [each.id for each in arrivals]


class Disk:
    """Syncs as told: False fails as a dying disk does."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)

    def __call__(self, descriptor: int) -> None:
        os.fsync(descriptor)
        if self.answers and not self.answers.pop(0):
            raise OSError(5, "Input/output error")


@contextmanager
def disk_with(size: int) -> Iterator[None]:
    """Files grow to `size` bytes and no further; what does not fit is taken in part, as by a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


_BODIES = st.lists(st.binary(min_size=1, max_size=40) | st.just(b"WHSP\0\0\0\x01"), min_size=1, max_size=5)


@given(bodies=_BODIES)
@settings(max_examples=40, deadline=None)
def test_a_torn_last_record_is_recognised_at_every_length(bodies: list[bytes]) -> None:
    records = [write_record(arrival(number, body)) for number, body in enumerate(bodies, 1)]
    whole = b"".join(records[:-1])
    for length in range(len(records[-1])):
        found = list(read_records(io.BytesIO(whole + records[-1][:length])))
        assert [each.body for each in found] == bodies[:-1]
    everything = list(read_records(io.BytesIO(whole + records[-1])))
    assert everything == [arrival(number, body) for number, body in enumerate(bodies, 1)]


@given(bodies=_BODIES, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_never_gives_another_webhook(bodies: list[bytes], data: st.DataObject) -> None:
    records = [write_record(arrival(number, body)) for number, body in enumerate(bodies, 1)]
    spoiled = bytearray(b"".join(records))
    place = data.draw(st.integers(0, len(spoiled) * 8 - 1))
    spoiled[place // 8] ^= 1 << place % 8
    found = list(read_records(io.BytesIO(bytes(spoiled))))
    assert found == [arrival(number, body) for number, body in enumerate(bodies, 1)][: len(found)]
    assert len(found) < len(bodies)


def test_what_was_taken_comes_back_in_order_and_the_files_go(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for start in (1, 4, 7):
        spool.append([arrival(number) for number in range(start, start + 3)])
    assert spool.waiting()
    assert ids(drained(spool)) == list(range(1, 10))
    assert not spool.waiting()
    assert list(spool.folder.iterdir()) == []


def test_nobody_else_may_read_what_customers_wrote(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([arrival(1)])
    (path,) = spool.folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700


def test_a_file_whose_writer_lives_is_left_alone(tmp_path: Path) -> None:
    theirs, ours = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    theirs.append([arrival(1)])
    assert drained(ours) == []
    theirs.append([arrival(2)])
    theirs.close()
    assert ids(drained(ours)) == [1, 2]


def test_a_file_that_is_being_drained_is_not_drained_twice(tmp_path: Path) -> None:
    one, other = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    one.append([arrival(1)])
    file = one.oldest()
    assert file is not None
    assert other.oldest() is None
    one.finished(file)
    assert other.oldest() is None


def test_after_a_failed_fsync_a_new_file_is_begun(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path / "spool", sync=disk)
    spool.append([arrival(1)])
    disk.answers = [False]
    spool.append([arrival(2)])
    assert len(list(spool.folder.iterdir())) == 2
    spool.append([arrival(3)])
    assert len(list(spool.folder.iterdir())) == 2
    assert ids(drained(spool)) == [1, 2, 3]


def test_a_disk_that_only_fails_takes_nothing_and_says_so(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path / "spool", sync=disk)
    spool.append([arrival(1)])
    disk.answers = [False] * 4
    with pytest.raises(OSError, match="Input/output"):
        spool.append([arrival(2)])
    disk.answers = []
    spool.append([arrival(3)])
    assert ids(drained(spool)) == [1, 3]


def test_a_full_disk_takes_nothing_by_half(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    record = len(write_record(arrival(1)))
    with disk_with(record * 2 + 20):
        spool.append([arrival(1)])
        spool.append([arrival(2)])
        spool.append([arrival(3)])  # no room left in the first file: a new one takes it
        with pytest.raises(OSError, match="File too large"):
            spool.append([arrival(4), arrival(5), arrival(6)])
    spool.append([arrival(7)])
    assert ids(drained(spool)) == [1, 2, 3, 7]


def test_it_knows_whether_it_would_take_anything_and_leaves_no_trace(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert spool.takes()
    with disk_with(100):
        assert not spool.takes()
    assert list(spool.folder.iterdir()) == []
    spool.append([arrival(1)])
    assert spool.takes()
    assert ids(drained(spool)) == [1]


def test_a_clock_that_is_set_back_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, hour in enumerate((9, 4, 12, 3), 1):
        monkeypatch.setattr("connector.storage.spool.time.time_ns", lambda hour=hour: hour * 3_600_000_000_000)
        spool = Spool(tmp_path / "spool")
        spool.append([arrival(number)])
        spool.close()  # as at the end of a process
    assert ids(drained(spool)) == [1, 2, 3, 4]


def test_without_a_folder_nothing_is_taken(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        Spool(tmp_path / "spool").append([arrival(1)])


def test_a_file_damaged_in_its_middle_is_kept_aside(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([arrival(number) for number in range(1, 4)])
    spool.close()
    (path,) = spool.folder.iterdir()
    content = bytearray(path.read_bytes())
    content[len(write_record(arrival(1))) + 20] ^= 1
    path.write_bytes(bytes(content))
    assert ids(drained(spool)) == [1]
    assert [each.suffix for each in spool.folder.iterdir()] == [".damaged"]
    assert not spool.waiting()


def test_a_torn_file_is_not_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([arrival(1), arrival(2)])
    spool.close()
    (path,) = spool.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert ids(drained(spool)) == [1]
    assert list(spool.folder.iterdir()) == []


def test_equal_bodies_that_are_no_copies_get_keys_of_their_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([arrival(1, b"{}", deduplicate=False), arrival(2, b"{}", deduplicate=False)])
    first, second = drained(spool)
    assert first.deduplicate
    assert first.digest != second.digest
    assert first.digest == own_digest(arrival(1, b"{}").digest, 1)


def test_large_spools_are_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.storage.spool._LARGEST_FILE", 500)
    spool = Spool(tmp_path / "spool")
    for number in range(1, 11):
        spool.append([arrival(number)])
    assert len(list(spool.folder.iterdir())) > 2
    spool.close()
    assert ids(drained(spool)) == list(range(1, 11))
