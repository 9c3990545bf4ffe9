"""The short form of the fuzzer: shapes by Hypothesis, then some thousand broken webhooks and a look at the memory."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak.fuzz import Server, _volley, broken_request, fuzzed_server, send

_LINES = st.lists(st.binary(max_size=60), max_size=12).map(b"\r\n".join)
_HEADS = st.builds(
    lambda method, path, lines: b"%s %s HTTP/1.1\r\n%s\r\n\r\n" % (method, path, lines),
    st.sampled_from([b"POST", b"GET", b"PUT", b"BREW", b""]),
    st.binary(max_size=40).map(lambda tail: b"/webhooks/woocommerce/" + tail),
    _LINES,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with fuzzed_server() as running:
        yield running


_BROKEN = st.integers(0, 1 << 40).map(lambda seed: broken_request(random.Random(seed)))


@given(data=st.binary(max_size=300) | _HEADS | _BROKEN)
@settings(max_examples=300, deadline=None)
def test_no_bytes_are_our_fault(server: Server, data: bytes) -> None:
    assert all(status < 500 for status in send(server.port, data))
    assert server.alive()


def test_thousands_of_broken_webhooks_leave_no_row_and_no_memory(server: Server) -> None:
    statuses: Counter[int] = Counter()
    rows = server.rows()
    with ThreadPoolExecutor(8) as threads:
        _volley(server, threads, 1000, 1, statuses)
        before = server.memory()
        _volley(server, threads, 2000, 2, statuses)
    assert server.memory() - before < 20_000_000
    assert statuses[401] > 100
    assert statuses[400] > 100
    assert not any(status >= 500 for status in statuses)
    assert server.rows() == rows
    assert server.takes(rows + 1)
    assert server.rows() == rows + 1
