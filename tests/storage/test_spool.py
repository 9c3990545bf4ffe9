"""The spool file: what was taken comes back in order, whatever the disk did."""

import io
import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.storage.arrivals import Arrival, digest_of
from connector.storage.spool import Spool
from connector.storage.spool_records import RecordReader, own_digest, write_record

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
        reader = RecordReader(io.BytesIO(whole + records[-1][:length]))
        assert [each.body for each in reader] == bodies[:-1]
        assert reader.damage == [] or b"WHSP" in bodies[-1]
    everything = list(RecordReader(io.BytesIO(whole + records[-1])))
    assert everything == [arrival(number, body) for number, body in enumerate(bodies, 1)]


@given(bodies=_BODIES, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_costs_one_webhook_and_never_gives_another(bodies: list[bytes], data: st.DataObject) -> None:
    records = [write_record(arrival(number, body)) for number, body in enumerate(bodies, 1)]
    spoiled = bytearray(b"".join(records))
    place = data.draw(st.integers(0, len(spoiled) * 8 - 1))
    spoiled[place // 8] ^= 1 << place % 8
    ends = list(accumulate(map(len, records)))
    hit = next(number for number, end in enumerate(ends) if place // 8 < end)
    left = [arrival(number, body) for number, body in enumerate(bodies, 1) if number - 1 != hit]
    assert list(RecordReader(io.BytesIO(bytes(spoiled)))) == left


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


def _spoil(spool: Spool, *damages: tuple[int, int, bytes]) -> list[bytes]:
    """Three webhooks in a file whose bytes are changed: of a record (1 to 3), from a place in it on. The records."""
    records = [write_record(arrival(number)) for number in range(1, 4)]
    spool.append([arrival(number) for number in range(1, 4)])
    spool.close()
    (path,) = spool.folder.iterdir()
    content = bytearray(path.read_bytes())
    for number, place, wrong in damages:
        start = len(b"".join(records[: number - 1])) + place
        content[start : start + len(wrong)] = wrong
    path.write_bytes(bytes(content))
    return records


@pytest.mark.parametrize("place", [0, 5, 9, 20, 200], ids=["magic", "length", "checksum", "about", "body"])
def test_what_stands_behind_a_damaged_record_is_drained_and_the_damage_kept_aside(tmp_path: Path, place: int) -> None:
    spool = Spool(tmp_path / "spool")
    records = _spoil(spool, (2, place, b"\xaa"))
    assert ids(drained(spool)) == [1, 3]
    (kept,) = spool.folder.iterdir()
    assert kept.suffix == ".damaged"
    assert kept.read_bytes() == records[1][:place] + b"\xaa" + records[1][place + 1 :], "and nobody else's data"
    assert not spool.waiting()


def test_a_lost_block_costs_the_records_it_touches_and_no_other(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    records = _spoil(spool, (1, 100, bytes(len(write_record(arrival(1))))))
    assert ids(drained(spool)) == [3]
    (kept,) = spool.folder.iterdir()
    assert len(kept.read_bytes()) == len(records[0]) + len(records[1])


def test_what_a_body_has_of_a_record_is_no_webhook_when_the_record_around_it_is_damaged(tmp_path: Path) -> None:
    """A store could write a record into a body of its own, in another store's name."""
    forged = write_record(arrival(99))
    spool = Spool(tmp_path / "spool")
    spool.append([arrival(1), arrival(2, b'{"id":2}' + forged), arrival(3)])
    spool.close()
    (path,) = spool.folder.iterdir()
    content = bytearray(path.read_bytes())
    content[len(write_record(arrival(1))) + 30] ^= 1
    path.write_bytes(bytes(content))
    assert ids(drained(spool)) == [1, 3]


def test_a_disk_that_takes_nothing_keeps_the_damaged_file_as_it_is(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path / "spool", sync=disk)
    records = _spoil(spool, (2, 20, b"\xaa"))
    disk.answers = [False]
    assert ids(drained(spool)) == [1, 3]
    (kept,) = spool.folder.iterdir()
    assert (kept.suffix, kept.stat().st_size) == (".damaged", sum(map(len, records)))


def test_a_file_that_may_not_be_read_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that a process under another user's name left behind."""
    theirs, ours = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    theirs.append([arrival(1)])
    theirs.close()
    (path,) = ours.folder.iterdir()
    may_open = Path.open

    def refused(this: Path, *arguments: str) -> object:
        if this == path:
            raise PermissionError(13, "Permission denied")
        return may_open(this, *arguments)

    monkeypatch.setattr(Path, "open", refused)
    ours.append([arrival(2)])
    assert ids(drained(ours)) == [2]
    assert ours.waiting(), "and it is still told of"
    monkeypatch.undo()
    assert ids(drained(ours)) == [1]


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
