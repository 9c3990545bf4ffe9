"""Installing: attempts, access to the store, subscriptions, script tags, the owner's sign-in."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import connector.storage.columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "install_attempt",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("store_url", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(length=12), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(length=60), nullable=False),
        sa.Column("keys", sa.LargeBinary(), nullable=True),
        sa.Column("keys_proven", sa.Boolean(), nullable=False),
        sa.Column("authentication", sqlmodel.sql.sqltypes.AutoString(length=8), nullable=False),
        sa.Column("link_secret", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("expires_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("approved_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.Column("returned_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("state_hash"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("install_attempt", schema=None) as batch_op:
        batch_op.create_index("install_attempt_browser", ["browser_hash"], unique=False)
        batch_op.create_index("install_attempt_installation", ["installation_id"], unique=False)

    op.create_table(
        "owner_link",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("user_name", sqlmodel.sql.sqltypes.AutoString(length=80), nullable=False),
        sa.Column("expires_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "owner_password",
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("password_hash", sqlmodel.sql.sqltypes.AutoString(length=200), nullable=False),
        sa.Column("changed_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("installation_id"),
    )
    op.create_table(
        "owner_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("came_by", sqlmodel.sql.sqltypes.AutoString(length=12), nullable=False),
        sa.Column("user_name", sqlmodel.sql.sqltypes.AutoString(length=80), nullable=False),
        sa.Column("created_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("expires_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("owner_session", schema=None) as batch_op:
        batch_op.create_index("owner_session_installation", ["installation_id"], unique=False)

    op.create_table(
        "script_tag",
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("remote_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("src", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("seen_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.Column("checked_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("installation_id"),
    )
    op.create_table(
        "store_access",
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("authentication", sqlmodel.sql.sqltypes.AutoString(length=8), nullable=False),
        sa.Column("keys_work", sa.Boolean(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.Column("checked_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("installation_id"),
    )
    op.create_table(
        "webhook_subscription",
        sa.Column("installation_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("topic", sqlmodel.sql.sqltypes.AutoString(length=100), nullable=False),
        sa.Column("remote_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_url", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(length=12), nullable=False),
        sa.Column("secret_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("healthy_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.Column("revived_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.Column("checked_at", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("installation_id", "topic"),
    )


def downgrade() -> None:
    op.drop_table("webhook_subscription")
    op.drop_table("store_access")
    op.drop_table("script_tag")
    with op.batch_alter_table("owner_session", schema=None) as batch_op:
        batch_op.drop_index("owner_session_installation")

    op.drop_table("owner_session")
    op.drop_table("owner_password")
    op.drop_table("owner_link")
    with op.batch_alter_table("install_attempt", schema=None) as batch_op:
        batch_op.drop_index("install_attempt_installation")
        batch_op.drop_index("install_attempt_browser")

    op.drop_table("install_attempt")
