"""One holder at a time, whoever asks at the same moment."""

import threading
from datetime import timedelta

from connector.storage.leases import give_back_lease, take_lease
from connector.storage.opening import Storage

MINUTE = timedelta(seconds=60)


def test_of_many_one_gets_it(storage: Storage) -> None:
    start, got = threading.Barrier(8), []

    def ask(name: str) -> None:
        start.wait()
        if take_lease(storage, "hooks:x", name, MINUTE):
            got.append(name)

    threads = [threading.Thread(target=ask, args=(f"holder-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(got) == 1


def test_the_holder_renews_and_gives_back_and_others_cannot(storage: Storage) -> None:
    assert take_lease(storage, "hooks:x", "a", MINUTE)
    assert take_lease(storage, "hooks:x", "a", MINUTE)
    give_back_lease(storage, "hooks:x", "b")
    assert not take_lease(storage, "hooks:x", "b", MINUTE)
    give_back_lease(storage, "hooks:x", "a")
    assert take_lease(storage, "hooks:x", "b", MINUTE)


def test_one_that_ran_out_is_taken_over(storage: Storage) -> None:
    assert take_lease(storage, "hooks:x", "a", timedelta(seconds=-1))
    assert take_lease(storage, "hooks:x", "b", MINUTE)
    assert not take_lease(storage, "hooks:x", "a", MINUTE)
