"""unknown faces and their groups"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _foreign(table: str, column: str, to: str, on_delete: str | None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}_{to}", ondelete=on_delete)


def upgrade() -> None:
    op.add_column("collections", sa.Column("remember_unknown_days", sa.Integer(), nullable=True))
    op.create_table(
        "unknown_groups",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("faces", sa.BigInteger(), nullable=False),
        sa.Column("face_id", sa.String(length=36), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unknown_groups"),
        _foreign("unknown_groups", "collection_id", "collections", "CASCADE"),
        sa.UniqueConstraint("group_id", name="uq_unknown_groups_group_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_unknown_groups_collection_id_faces", "unknown_groups", ["collection_id", "faces"])
    _create_faces()
    op.create_table(
        "unknown_crops",
        sa.Column("face_key", _KEY, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("data_key_id", _KEY, nullable=True),
        sa.PrimaryKeyConstraint("face_key", name="pk_unknown_crops"),
        _foreign("unknown_crops", "face_key", "unknown_faces", "CASCADE"),
        _foreign("unknown_crops", "data_key_id", "data_keys", None),
    )
    op.create_index("ix_unknown_crops_data_key_id", "unknown_crops", ["data_key_id"])
    op.create_table(
        "unknown_separations",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("first_key", _KEY, nullable=False),
        sa.Column("second_key", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unknown_separations"),
        _foreign("unknown_separations", "collection_id", "collections", "CASCADE"),
        _foreign("unknown_separations", "first_key", "unknown_groups", "CASCADE"),
        _foreign("unknown_separations", "second_key", "unknown_groups", "CASCADE"),
        sa.UniqueConstraint("first_key", "second_key", name="uq_unknown_separations_first_key_second_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_unknown_separations_collection_id", "unknown_separations", ["collection_id"])
    op.create_index("ix_unknown_separations_second_key", "unknown_separations", ["second_key"])


def _create_faces() -> None:
    op.create_table(
        "unknown_faces",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("face_id", sa.String(length=36), nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("group_key", _KEY, nullable=True),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("data_key_id", _KEY, nullable=True),
        sa.Column("norm", sa.Float(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("quality_members", sa.JSON(), nullable=True),
        sa.Column("detection_score", sa.Float(), nullable=False),
        sa.Column("box", sa.JSON(), nullable=False),
        sa.Column("landmarks", sa.JSON(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=True),
        sa.Column("image_sha256", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unknown_faces"),
        _foreign("unknown_faces", "collection_id", "collections", "CASCADE"),
        _foreign("unknown_faces", "group_key", "unknown_groups", "SET NULL"),
        _foreign("unknown_faces", "data_key_id", "data_keys", None),
        sa.UniqueConstraint("face_id", name="uq_unknown_faces_face_id"),
        sa.UniqueConstraint(
            "collection_id", "image_sha256", "place", name="uq_unknown_faces_collection_id_image_sha256_place"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_unknown_faces_collection_id_seen_at", "unknown_faces", ["collection_id", "seen_at"])
    op.create_index("ix_unknown_faces_group_key", "unknown_faces", ["group_key"])
    op.create_index("ix_unknown_faces_data_key_id", "unknown_faces", ["data_key_id"])


def downgrade() -> None:
    for table in ("unknown_separations", "unknown_crops", "unknown_faces", "unknown_groups"):
        op.drop_table(table)
    op.drop_column("collections", "remember_unknown_days")
