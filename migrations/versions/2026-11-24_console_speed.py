"""The dashboards' sums over all installations, and sign-in attempts counted for all processes together.

Each hour's counts of all installations together stand under the empty installation id from now on; those of the
hours before are added up here.
"""

import sqlalchemy as sa
from alembic import op

import connector.storage.columns

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO rollup_hour (hour, installation_id, metric, count) "
        "SELECT hour, '', metric, SUM(count) FROM rollup_hour WHERE installation_id <> '' GROUP BY hour, metric"
    )
    op.create_table(
        "sign_in_count",
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", connector.storage.columns.UtcTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("bucket"),
    )


def downgrade() -> None:
    op.drop_table("sign_in_count")
    op.execute("DELETE FROM rollup_hour WHERE installation_id = ''")
