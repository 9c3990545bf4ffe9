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
        ("CONNECTOR_PUBLIC_URL", "https://"),
        ("CONNECTOR_PUBLIC_URL", "https://ana:secret@connector.example"),
        ("CONNECTOR_PUBLIC_URL", "https://two words.example"),
        ("CONNECTOR_PUBLIC_URL", "https://connector.example/?a=b"),
        ("CONNECTOR_PUBLIC_URL", "https://connector.example:99999"),
        ("CONNECTOR_TIKTOK_API_URL", "http://"),
        ("CONNECTOR_TIKTOK_PIXEL_URL", "https://[::1"),
        ("CONNECTOR_DATABASE_URL", "sqlite://"),
        ("CONNECTOR_DATABASE_URL", "sqlite:///:memory:"),
        ("CONNECTOR_SECRET_KEYS", " , "),
    ],
)
def test_the_fault_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as fault:
        load_settings()

    assert str(fault.value).startswith(f"{name}: ")
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("name", [f"CONNECTOR_{name.upper()}" for name in Settings.model_fields])
def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name, raising=False)
    unset = load_settings()

    monkeypatch.setenv(name, "")

    assert load_settings() == unset


def test_an_address_keeps_its_folder_and_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_PUBLIC_URL", "https://connector.example:8080/tiktok/")

    assert load_settings().public_url == "https://connector.example:8080/tiktok"


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
