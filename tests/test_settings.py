"""A wrong setting stops the start with one line that names it."""

import pytest

from connector.errors import ConfigurationError
from connector.settings import Settings, load_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONNECTOR_PORT", "eighty"),
        ("CONNECTOR_PORT", "70000"),
        ("CONNECTOR_DATABASE_URL", "mysql://x"),
        ("CONNECTOR_SECRET_KEYS", "short"),
        ("CONNECTOR_PUBLIC_URL", "shop.example"),
        ("CONNECTOR_LOG_FORMAT", "xml"),
        ("CONNECTOR_RETRY_BASE", "-1"),
        ("CONNECTOR_MAX_BODY_BYTES", "1"),
    ],
)
def test_the_fault_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as fault:
        load_settings()

    assert str(fault.value).startswith(f"{name}: ")
    assert "\n" not in str(fault.value)


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_SECRET_KEYS", "hunter2-hunter2")

    with pytest.raises(ConfigurationError) as fault:
        load_settings()

    assert "hunter2" not in str(fault.value)


def test_postgresql_without_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", "postgresql://localhost/x")
    monkeypatch.delenv("CONNECTOR_SECRET_KEYS", raising=False)

    with pytest.raises(ConfigurationError, match="CONNECTOR_SECRET_KEYS"):
        load_settings()


def test_keys_are_split_newest_first() -> None:
    settings = Settings(secret_keys="a" * 32 + " , " + "b" * 32)  # type: ignore[arg-type]
    assert settings.given_keys == ("a" * 32, "b" * 32)
    assert "a" * 32 not in repr(settings)
