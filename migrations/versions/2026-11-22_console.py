"""The console: staff, sessions, audit, replays, rollups, alert rules, saved links, and its few indexes."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import connector.storage.columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TROUBLE = "state = 'held' OR state = 'rejected' OR state = 'dead'"
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(length: int) -> sa.types.TypeEngine:
    return sqlmodel.sql.sqltypes.AutoString(length=length)


def _time(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, connector.storage.columns.UtcTime(timezone=True), nullable=nullable)


def _id(name: str = "id") -> sa.Column:
    return sa.Column(name, _BIG, autoincrement=False, nullable=False)


def _column(name: str, kind: sa.types.TypeEngine, nullable: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "staff",
        _id(),
        _column("email", _text(254)),
        _column("role", _text(12)),
        _column("password_hash", _text(200)),
        _column("active", sa.Boolean()),
        _time("created_at"),
        _time("last_sign_in_at", nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "staff_session",
        _column("digest", sa.LargeBinary()),
        _column("staff_id", _BIG),
        _time("created_at"),
        _time("seen_at"),
        _time("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("session_of_staff", "staff_session", ["staff_id"])
    op.create_table(
        "audit_log",
        _id("number"),
        _time("at"),
        _column("actor", _text(254)),
        _column("action", _text(40)),
        _column("installation_id", _text(40)),
        _column("target", _text(200)),
        _column("reason", _text(500)),
        _column("details", sa.Text()),
        _column("hash", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "audit_head",
        _column("id", sa.Integer()),
        _column("number", _BIG),
        _column("seal", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "replay_job",
        _id(),
        _column("installation_id", _text(40)),
        _column("actor", _text(254)),
        _column("reason", _text(500)),
        _column("selection", sa.Text()),
        _column("state", _text(12)),
        _column("total", sa.Integer()),
        _column("replayed", sa.Integer()),
        _column("skipped", sa.Integer()),
        _column("position", _BIG),
        _time("created_at"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rollup_hour",
        _time("hour"),
        _column("installation_id", _text(40)),
        _column("metric", _text(40)),
        _column("count", _BIG),
        sa.PrimaryKeyConstraint("hour", "installation_id", "metric"),
        sqlite_with_rowid=False,
    )
    op.create_index("rollup_of_installation", "rollup_hour", ["installation_id", "hour"])
    op.create_table(
        "rollup_cursor",
        _column("source", _text(20)),
        _column("position", _BIG),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "alert_rule",
        _id(),
        _column("installation_id", _text(40)),
        _column("kind", _text(20)),
        _column("threshold", sa.Integer()),
        _column("channel", _text(8)),
        _column("target", _text(500)),
        _column("secret", sa.LargeBinary(), nullable=True),
        _column("enabled", sa.Boolean()),
        _column("firing", sa.Text()),
        _time("last_fired_at", nullable=True),
        _column("last_result", _text(200)),
        _column("created_by", _text(254)),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "saved_link",
        _id(),
        _column("title", _text(80)),
        _column("address", _text(1000)),
        _column("created_by", _text(254)),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    _make_indexes()
    _make_the_log_append_only()


def _make_indexes() -> None:
    trouble = sa.text(_TROUBLE)
    op.create_index("event_trouble", "event", ["state", "id"], sqlite_where=trouble, postgresql_where=trouble)
    unreadable = sa.text("state = 'unreadable'")
    op.create_index("webhook_unreadable", "webhook", ["id"], sqlite_where=unreadable, postgresql_where=unreadable)
    op.create_index("attempt_of_request", "delivery_attempt", ["request_id"])
    op.create_index("event_of_attempt", "attempt_event", ["attempt_id"])


def _make_the_log_append_only() -> None:
    """The chain shows a change afterwards; this refuses it at once."""
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_log_no_{change.lower()} BEFORE {change} ON audit_log "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()"
    )


def downgrade() -> None:
    for index, table in (
        ("event_of_attempt", "attempt_event"),
        ("attempt_of_request", "delivery_attempt"),
        ("webhook_unreadable", "webhook"),
        ("event_trouble", "event"),
    ):
        op.drop_index(index, table_name=table)
    for table in (
        "saved_link",
        "alert_rule",
        "rollup_cursor",
        "rollup_hour",
        "replay_job",
        "audit_head",
        "audit_log",
        "staff_session",
        "staff",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION audit_log_refuse()")
