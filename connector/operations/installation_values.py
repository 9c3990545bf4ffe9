"""What somebody types about an installation, read into values: one table of names, one line per fault."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from connector.core.event_names import MAPPED_EVENTS
from connector.core.installation_settings import InstallationSettings
from connector.errors import UsageError
from connector.platforms.woocommerce.connect import read_store_url
from connector.storage.installations import InstallationRecord

__all__ = [
    "ALLOWED_KEYS",
    "changed_values",
    "currency_of",
    "pixel_code_of",
    "settings_with",
    "store_url_of",
]

_PIXEL_CODE = re.compile(r"[A-Za-z0-9]{1,64}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_STATUS = re.compile(r"[a-z0-9_-]{1,40}")
_CLEARED = frozenset({"", "null"})
_TEST_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NAME_LIMIT = 200
_URL_LIMIT = 500
_SECRET_WORDS = ("token", "secret", "password", "consumer_key", "credential")


def store_url_of(text: str) -> str:
    """The store's home address in its normal form. Raises UsageError."""
    with_scheme = re.match(r"\s*https?://", text, re.IGNORECASE) is not None
    found = read_store_url(text) if with_scheme else None
    if found is None or len(found) > _URL_LIMIT:
        raise UsageError("the store's address must look like https://shop.example")
    return found


def pixel_code_of(text: str) -> str:
    """A pixel code as TikTok's Events Manager shows it. Raises UsageError."""
    if not _PIXEL_CODE.fullmatch(text):
        raise UsageError("a pixel code is 1 to 64 letters and digits, as in TikTok's Events Manager")
    return text


def currency_of(text: str) -> str:
    """ISO 4217 in capitals; empty stays empty. Raises UsageError."""
    if text and not _CURRENCY.fullmatch(text):
        raise UsageError("a currency is three letters, for example EUR")
    return text.upper()


def _cleared(read: Callable[[str], str]) -> Callable[[str], str]:
    """The same, where null clears as nothing does."""
    return lambda text: read("" if text == "null" else text)


def _store_name_of(text: str) -> str:
    if len(text) > _NAME_LIMIT or not text.isprintable():
        raise UsageError(f"a store's name is one line of up to {_NAME_LIMIT} characters")
    return text


_COLUMNS: Mapping[str, Callable[[str], str]] = {
    "pixel_code": pixel_code_of,
    "store_url": store_url_of,
    "store_name": _cleared(_store_name_of),
    "currency": _cleared(currency_of),
}


def _plain(text: str) -> Any:
    """A JSON string or null, else the text as it is: a code of digits stays text."""
    found = _json(text)
    return found if found is None or isinstance(found, str) else text


def _flag(text: str) -> Any:
    return _json(text)


def _words(text: str) -> Any:
    found = _json(text)
    if isinstance(found, list):
        return found
    return [word.strip() for word in str(text).split(",") if word.strip()]


def _statuses(text: str) -> Any:
    """Order statuses as WordPress keeps them; another word would be a typing error that stops all purchases."""
    words = _words(text)
    for word in words:
        if not isinstance(word, str) or not _STATUS.fullmatch(word):
            raise UsageError("paid_statuses takes order statuses, for example paid_statuses=processing,completed")
    return words


def _pairs(text: str) -> Any:
    """A JSON object, or `topic:Name` pairs with commas between them; a topic may hold colons itself."""
    found = _json(text)
    if isinstance(found, dict):
        return found
    parts = [part.strip().rpartition(":") for part in text.split(",") if part.strip()]
    if any(not topic.strip() or not name.strip() for topic, _, name in parts):
        raise UsageError("custom_events takes topic:Name pairs, for example custom_events=booking.made:Booking")
    return {topic.strip(): name.strip() for topic, _, name in parts}


def _time(text: str) -> Any:
    """ISO 8601; without a zone it is UTC. Nothing or null: no expiry."""
    if text in ("", "null"):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("test_event_code_expires_at takes a time such as 2026-12-31T18:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _test_code(text: str) -> Any:
    found = None if text == "" else _plain(text)
    if found is not None and not _TEST_CODE.fullmatch(found):
        raise UsageError("a test event code is 1 to 40 letters, digits, _ and -, as TikTok's Events Manager shows it")
    return found


_SETTINGS: Mapping[str, Callable[[str], Any]] = {
    "consent_policy": _plain,
    "paid_statuses": _statuses,
    "value_basis": _plain,
    "content_id": _plain,
    "purchase_event": _plain,
    "disabled_events": _words,
    "custom_events": _pairs,
    "send_renewals": _flag,
    "send_product_names": _flag,
    "test_event_code": _test_code,
    "test_event_code_expires_at": _time,
    "views_direct": _flag,
    "filter_other_addresses": _flag,
    "copy_addresses": _words,
    "own_addresses": _words,
}

ALLOWED_KEYS = tuple(sorted({*_COLUMNS, *_SETTINGS, *InstallationSettings.model_fields}))


def changed_values(record: InstallationRecord, assignments: list[str]) -> tuple[dict[str, Any], InstallationSettings]:
    """Columns to change and the whole new settings, out of `KEY=VALUE` texts. Raises UsageError."""
    texts = dict(_split(assignment) for assignment in assignments)
    columns = {name: _COLUMNS[name](text) for name, text in texts.items() if name in _COLUMNS}
    rest = {name: text for name, text in texts.items() if name not in _COLUMNS}
    return columns, settings_with(record.settings, rest)


def settings_with(settings: InstallationSettings, texts: Mapping[str, str]) -> InstallationSettings:
    """Settings with these changed, each given as text. Raises UsageError."""
    cleared = {name for name, text in texts.items() if text in _CLEARED}
    values = {name: value for name, value in settings.model_dump().items() if name not in cleared}
    values |= {name: _SETTINGS.get(name, _plain)(text) for name, text in texts.items() if name not in cleared}
    if "test_event_code" in texts and "test_event_code_expires_at" not in texts:
        values["test_event_code_expires_at"] = None  # the old expiry was the old code's
    try:
        changed = InstallationSettings.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        name = fault["loc"][0] if fault["loc"] else "settings"
        raise UsageError(f"{name}: {fault['msg'].removeprefix('Value error, ')}") from None
    if "disabled_events" in texts:
        _check_disabled(changed)
    return changed


def _check_disabled(settings: InstallationSettings) -> None:
    """A name that no event has would switch nothing off, and nobody would notice. Raises UsageError."""
    known = {*MAPPED_EVENTS, *settings.custom_events.values()}
    for name in settings.disabled_events:
        if name not in known:
            raise UsageError(
                f"disabled_events: there is no event {name[:50]!r}; there are: {', '.join(sorted(known))}"
            )


def _split(assignment: str) -> tuple[str, str]:
    name, sign, text = assignment.partition("=")
    name = name.strip()
    if name not in ALLOWED_KEYS and any(word in name.lower() for word in _SECRET_WORDS):
        # The value is not repeated: it may be the secret itself.
        raise UsageError("secrets are not set here: use `installations reconnect ID --access-token-stdin`")
    if not sign:
        raise UsageError("each change is KEY=VALUE, for example pixel_code=C4ABC123")
    if name not in ALLOWED_KEYS:
        raise UsageError(f"there is no setting {name[:40]!r}; there are: {', '.join(ALLOWED_KEYS)}")
    return name, text.strip()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
