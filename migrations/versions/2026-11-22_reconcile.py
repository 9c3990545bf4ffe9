"""Reconciliation and housekeeping: runs, periodic tasks with their lease, cursors of walks over old rows."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import connector.storage.columns

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WAITS = sa.text("state = 'asked'")


def _text(name: str, length: int) -> sa.Column:
    return sa.Column(name, sqlmodel.sql.sqltypes.AutoString(length=length), nullable=False)


def _time(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, connector.storage.columns.UtcTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "reconcile_run",
        sa.Column("id", _BIG, autoincrement=False, nullable=False),
        _text("installation_id", 40),
        _text("reason", 12),
        _text("state", 8),
        _time("since", nullable=False),
        _time("until"),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("orders", "paid", "accepted", "fetched")),
        sa.Column("report", sa.Text(), nullable=False),
        _text("fault", 40),
        _time("created_at", nullable=False),
        _time("finished_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("reconcile_run", schema=None) as batch_op:
        batch_op.create_index("reconcile_run_of_installation", ["installation_id", "id"], unique=False)
        batch_op.create_index(
            "reconcile_run_waiting", ["id"], unique=False, sqlite_where=_WAITS, postgresql_where=_WAITS
        )

    op.create_table(
        "maintenance_task",
        _text("name", 40),
        _text("holder", 80),
        *(_time(name) for name in ("lease_until", "started_at", "finished_at")),
        _text("result", 80),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "housekeeping_cursor",
        _text("name", 20),
        sa.Column("position", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("housekeeping_cursor")
    op.drop_table("maintenance_task")
    with op.batch_alter_table("reconcile_run", schema=None) as batch_op:
        batch_op.drop_index("reconcile_run_waiting")
        batch_op.drop_index("reconcile_run_of_installation")

    op.drop_table("reconcile_run")
