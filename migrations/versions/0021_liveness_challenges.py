"""liveness challenges, and the frames that answered them"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "liveness_challenges",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("challenge_id", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("collection", sa.String(length=64), nullable=False),
        sa.Column("prompts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_liveness_challenges"),
        sa.UniqueConstraint("challenge_id", name="uq_liveness_challenges_challenge_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_liveness_challenges_expires_at", "liveness_challenges", ["expires_at"])
    op.create_table(
        "liveness_frames",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_liveness_frames"),
        sa.UniqueConstraint("sha256", name="uq_liveness_frames_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_liveness_frames_expires_at", "liveness_frames", ["expires_at"])


def downgrade() -> None:
    op.drop_table("liveness_frames")
    op.drop_table("liveness_challenges")
