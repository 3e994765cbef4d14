"""rules for sightings, and the position of the newest event"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    positions = op.create_table(
        "event_positions",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_positions"),
        sqlite_autoincrement=True,
    )
    op.bulk_insert(positions, [{"last": 0}])
    op.create_table(
        "rules",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("rule_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("collections", sa.JSON(), nullable=True),
        sa.Column("cameras", sa.JSON(), nullable=True),
        sa.Column("verdicts", sa.JSON(), nullable=False),
        sa.Column("is_live_required", sa.Boolean(), nullable=False),
        sa.Column("quiet_hours", sa.JSON(), nullable=True),
        sa.Column("cooldown_seconds", sa.Integer(), nullable=False),
        sa.Column("send_to", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
        sa.UniqueConstraint("rule_id", name="uq_rules_rule_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rule_cooldowns",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("rule_id", sa.String(length=36), nullable=False),
        sa.Column("camera", sa.String(length=128), nullable=False),
        sa.Column("collection", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rule_cooldowns"),
        sa.UniqueConstraint(
            "collection",
            "subject",
            "camera",
            "rule_id",
            name="uq_rule_cooldowns_collection_subject_camera_rule_id",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rule_cooldowns_at", "rule_cooldowns", ["at"])
    op.create_index("ix_rule_cooldowns_rule_id", "rule_cooldowns", ["rule_id"])


def downgrade() -> None:
    op.drop_table("rule_cooldowns")
    op.drop_table("rules")
    op.drop_table("event_positions")
