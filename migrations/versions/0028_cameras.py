"""cameras"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cameras",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("camera_id", sa.String(length=48), nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("url", sa.LargeBinary(), nullable=True),
        sa.Column("data_key_id", _KEY, nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("fps", sa.Float(), nullable=False),
        sa.Column("has_motion_gate", sa.Boolean(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("keeps_images", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_frame_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("frames_dropped", sa.BigInteger(), nullable=False),
        sa.Column("open_tracks", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_cameras_collection_id_collections", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name="fk_cameras_data_key_id_data_keys"),
        sa.PrimaryKeyConstraint("id", name="pk_cameras"),
        sa.UniqueConstraint("camera_id", name="uq_cameras_camera_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_cameras_collection_id", "cameras", ["collection_id"])
    op.create_index("ix_cameras_data_key_id", "cameras", ["data_key_id"])


def downgrade() -> None:
    op.drop_table("cameras")
