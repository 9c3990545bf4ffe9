"""The road: installations, webhooks, events, work, attempts, consent, refusals."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import connector.storage.columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempt_event",
        sa.Column(
            "event_row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.PrimaryKeyConstraint("event_row_id", "attempt_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "consent_record",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(length=8), nullable=False),
        sa.Column("source", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("global_privacy_control", sa.Boolean(), nullable=False),
        sa.Column("stated_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.Column("recorded_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("webhook_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("consent_record", schema=None) as batch_op:
        batch_op.create_index("consent_of_subject", ["subject", "id"], unique=False)

    op.create_table(
        "credential",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(length=24), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("expires_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("credential", schema=None) as batch_op:
        batch_op.create_index("credential_owner", ["installation_id", "kind"], unique=False)

    op.create_table(
        "delivery_attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("pixel_code", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("started_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("event_count", sa.Integer(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("message", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("request_id", sqlmodel.sql.sqltypes.AutoString(length=100), nullable=False),
        sa.Column("result", sqlmodel.sql.sqltypes.AutoString(length=20), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("delivery_attempt", schema=None) as batch_op:
        batch_op.create_index("attempt_of_installation", ["installation_id", "id"], unique=False)

    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("webhook_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sqlmodel.sql.sqltypes.AutoString(length=128), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(length=50), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(length=80), nullable=False),
        sa.Column("value", connector.storage.columns.DecimalText(length=40), nullable=True),
        sa.Column("currency", sqlmodel.sql.sqltypes.AutoString(length=3), nullable=True),
        sa.Column("order_id", sqlmodel.sql.sqltypes.AutoString(length=24), nullable=True),
        sa.Column("event_time", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("pixel_code", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("test_event_code", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("match_keys", sqlmodel.sql.sqltypes.AutoString(length=120), nullable=False),
        sa.Column("warnings", sqlmodel.sql.sqltypes.AutoString(length=200), nullable=False),
        sa.Column("consent", sqlmodel.sql.sqltypes.AutoString(length=60), nullable=False),
        sa.Column("consent_policy", sqlmodel.sql.sqltypes.AutoString(length=12), nullable=False),
        sa.Column("country", sqlmodel.sql.sqltypes.AutoString(length=2), nullable=True),
        sa.Column("visitor_subject", sa.LargeBinary(), nullable=True),
        sa.Column("order_subject", sa.LargeBinary(), nullable=True),
        sa.Column("browser_copy", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.Column("created_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("updated_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("delivered_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id", "installation_id", name="event_once"),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index("event_of_installation", ["installation_id", "id"], unique=False)
        batch_op.create_index("event_of_order", ["installation_id", "order_id"], unique=False)
        batch_op.create_index("event_of_state", ["installation_id", "state", "id"], unique=False)
        batch_op.create_index("event_of_visitor", ["visitor_subject"], unique=False)

    op.create_table(
        "event_work",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("lane", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
        sa.Column("run_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("lease_token", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("event_work", schema=None) as batch_op:
        batch_op.create_index("event_work_turn", ["lane", "installation_id", "run_at", "id"], unique=False)

    op.create_table(
        "installation",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("platform", sqlmodel.sql.sqltypes.AutoString(length=20), nullable=False),
        sa.Column("store_url", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("store_name", sqlmodel.sql.sqltypes.AutoString(length=200), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(length=12), nullable=False),
        sa.Column("access", sqlmodel.sql.sqltypes.AutoString(length=8), nullable=False),
        sa.Column("access_reason", sqlmodel.sql.sqltypes.AutoString(length=60), nullable=False),
        sa.Column("pixel_code", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("currency", sqlmodel.sql.sqltypes.AutoString(length=3), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("created_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("updated_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_id"),
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("details", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("last_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("resolved_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("installation_id", "kind", name="notice_once"),
    )
    op.create_table(
        "order_ledger",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("order_id", sqlmodel.sql.sqltypes.AutoString(length=24), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("modified_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.Column("event_row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("order_ledger", schema=None) as batch_op:
        batch_op.create_index("order_ledger_number", ["installation_id", "order_id"], unique=False)

    op.create_table(
        "process_heartbeat",
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(length=80), nullable=False),
        sa.Column("role", sqlmodel.sql.sqltypes.AutoString(length=12), nullable=False),
        sa.Column("seen_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "refusal_count",
        sa.Column("hour", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "installation_id", "reason"),
    )
    op.create_table(
        "refused_webhook",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("received_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("topic", sqlmodel.sql.sqltypes.AutoString(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("refused_webhook", schema=None) as batch_op:
        batch_op.create_index("refused_of_installation", ["installation_id", "id"], unique=False)

    op.create_table(
        "search_term",
        sa.Column("term", sa.LargeBinary(), nullable=False),
        sa.Column(
            "webhook_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.PrimaryKeyConstraint("term", "webhook_id"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("search_term", schema=None) as batch_op:
        batch_op.create_index("search_term_of_webhook", ["webhook_id"], unique=False)

    op.create_table(
        "webhook",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("topic", sqlmodel.sql.sqltypes.AutoString(length=100), nullable=False),
        sa.Column("received_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_encoding", sqlmodel.sql.sqltypes.AutoString(length=8), nullable=False),
        sa.Column("source", sqlmodel.sql.sqltypes.AutoString(length=12), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(length=12), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(length=80), nullable=False),
        sa.Column("order_id", sqlmodel.sql.sqltypes.AutoString(length=24), nullable=True),
        sa.Column("processed_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        postgresql_partition_by="RANGE (id)",
    )
    with op.batch_alter_table("webhook", schema=None) as batch_op:
        batch_op.create_index("webhook_of_installation", ["installation_id", "id"], unique=False)
        batch_op.create_index("webhook_of_order", ["installation_id", "order_id"], unique=False)

    op.create_table(
        "webhook_key",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("webhook_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("last_copy_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "webhook_work",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("lane", sqlmodel.sql.sqltypes.AutoString(length=10), nullable=False),
        sa.Column("run_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("lease_token", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("webhook_work", schema=None) as batch_op:
        batch_op.create_index("webhook_work_turn", ["lane", "installation_id", "run_at", "id"], unique=False)

    if op.get_bind().dialect.name == "postgresql":
        # History is cut by id, which is time; what no weekly partition takes lands here.
        op.execute("CREATE TABLE webhook_p_default PARTITION OF webhook DEFAULT")


def downgrade() -> None:
    with op.batch_alter_table("webhook_work", schema=None) as batch_op:
        batch_op.drop_index("webhook_work_turn")

    op.drop_table("webhook_work")
    op.drop_table("webhook_key")
    with op.batch_alter_table("webhook", schema=None) as batch_op:
        batch_op.drop_index("webhook_of_order")
        batch_op.drop_index("webhook_of_installation")

    op.drop_table("webhook")
    with op.batch_alter_table("search_term", schema=None) as batch_op:
        batch_op.drop_index("search_term_of_webhook")

    op.drop_table("search_term")
    with op.batch_alter_table("refused_webhook", schema=None) as batch_op:
        batch_op.drop_index("refused_of_installation")

    op.drop_table("refused_webhook")
    op.drop_table("refusal_count")
    op.drop_table("process_heartbeat")
    with op.batch_alter_table("order_ledger", schema=None) as batch_op:
        batch_op.drop_index("order_ledger_number")

    op.drop_table("order_ledger")
    op.drop_table("notice")
    op.drop_table("installation")
    with op.batch_alter_table("event_work", schema=None) as batch_op:
        batch_op.drop_index("event_work_turn")

    op.drop_table("event_work")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index("event_of_visitor")
        batch_op.drop_index("event_of_state")
        batch_op.drop_index("event_of_order")
        batch_op.drop_index("event_of_installation")

    op.drop_table("event")
    with op.batch_alter_table("delivery_attempt", schema=None) as batch_op:
        batch_op.drop_index("attempt_of_installation")

    op.drop_table("delivery_attempt")
    with op.batch_alter_table("credential", schema=None) as batch_op:
        batch_op.drop_index("credential_owner")

    op.drop_table("credential")
    with op.batch_alter_table("consent_record", schema=None) as batch_op:
        batch_op.drop_index("consent_of_subject")

    op.drop_table("consent_record")
    op.drop_table("attempt_event")
