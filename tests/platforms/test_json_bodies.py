import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import UnreadablePayload
from connector.platforms.json_bodies import read_object


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_body"),
        (b" \r\n\t", "empty_body"),
        (b"\x00\x00", "empty_body"),
        (b"\xef\xbb\xbf", "empty_body"),
        (b"webhook_id=1", "not_json"),
        (b'{"id":1', "not_json"),
        (b'{"id":01}', "not_json"),
        (b"\xff\xfe{}", "not_json"),
        (b"[]", "not_an_object"),
        (b'[{"id":1}]', "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"NaN", "not_an_object"),
        (b"7", "not_an_object"),
        (b'{"a":' * 200_000, "too_deep"),
        (b"[" * 200_000, "too_deep"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "too_deep"),
        (b'{"x":"\\u0000","a":' + b"[" * 1020 + b"]" * 1020 + b"}", "too_deep"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else value,
)
def test_what_cannot_be_read_has_its_reason(body, reason):
    with pytest.raises(UnreadablePayload) as caught:
        read_object(body)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"id":1,"id":2}', {"id": 2}),
        (b'\xef\xbb\xbf{"id":1}', {"id": 1}),
        (b'{"a":"x\\u0000y"}', {"a": "xy"}),
        (b'{"a\\u0000":["\\u0000"]}', {"a": [""]}),
        (b'{"a":"\\ud83d"}', {"a": ""}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a":"x\\udc00y","b":"\\u0000"}', {"a": "xy", "b": ""}),
        (b'{"a":"\xff"}', {"a": "�"}),
        (b'{"a":"line\nbreak"}', {"a": "line\nbreak"}),
        (b'{"a":1e999}', {"a": float("inf")}),
    ],
)
def test_odd_bodies_become_clean_values(body, value):
    assert read_object(body) == value


def test_huge_numbers_and_nan_do_not_stop_the_rest():
    value = read_object(b'{"id":5,"a":NaN,"b":' + b"9" * 5000 + b"}")
    assert value["id"] == 5


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, values))
def test_ordinary_json_is_read_as_it_is(value):
    assert read_object(json.dumps(value).encode()) == value


@given(st.binary() | st.text(alphabet='{}[]":,\\u0d8 \0a1').map(str.encode))
def test_only_unreadable_payload_is_raised_and_texts_are_clean(body):
    try:
        value = read_object(body)
    except UnreadablePayload:
        return
    written = json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate has no UTF-8 form
    assert b"\\u0000" not in written
