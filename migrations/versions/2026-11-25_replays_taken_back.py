"""What a replay put into the queue and how it stood before, so that a cancelled replay can be taken back."""

import sqlalchemy as sa
from alembic import op

import connector.storage.columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("replay_job", sa.Column("taken_back", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "replay_item",
        sa.Column("row_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("changed_at", connector.storage.columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("row_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("replay_item_of_job", "replay_item", ["job_id", "row_id"])


def downgrade() -> None:
    op.drop_table("replay_item")
    op.drop_column("replay_job", "taken_back")
