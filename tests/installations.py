"""Installations for tests."""

from connector.core.installation_settings import InstallationSettings
from connector.storage.installations import InstallationRecord, add_credential, insert_installation
from connector.storage.opening import Storage

SECRET = "whsec_test_0123456789abcdef"
TOKEN = "stand-in-access"
PIXEL = "CSTANDIN000000000000"


def add_installation(
    storage: Storage,
    installation_id: str = "installation1",
    *,
    public_id: str = "",
    state: str = "active",
    secret: str = SECRET,
    token: str | None = TOKEN,
    pixel_code: str = PIXEL,
    **settings: object,
) -> InstallationRecord:
    """An active WooCommerce installation whose unknown consent sends, unless told otherwise."""
    now = storage.now()
    record = InstallationRecord(
        id=installation_id,
        public_id=public_id or f"public-{installation_id}",
        platform="woocommerce",
        store_url="https://shop.example",
        store_name="",
        state=state,
        access="ok",
        access_reason="",
        pixel_code=pixel_code,
        currency="EUR",
        settings=InstallationSettings.model_validate({"consent_policy": "opt_out"} | settings),
        created_at=now,
        updated_at=now,
    )
    with storage.database.write() as connection:
        insert_installation(connection, record)
        for kind, text in (("webhook_secret", secret), ("access_token", token)):
            if text is not None:
                add_credential(
                    connection,
                    storage.keys,
                    row_id=storage.new_id(),
                    installation_id=installation_id,
                    kind=kind,
                    text=text,
                    now=now,
                )
    return record
