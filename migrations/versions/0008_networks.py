"""collections have a detector, a policy and crops; templates of another network"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _of_collections() -> list[sa.Column[Any]]:
    return [
        # Null: the service's default.
        sa.Column("detector", sa.String(128), nullable=True),
        sa.Column("max_fmr", sa.Float(), nullable=True),
        sa.Column("max_fpir", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("is_crop_kept", sa.Boolean(), nullable=False, server_default=sa.false()),
    ]


def _face_key() -> sa.Column[Any]:
    return sa.Column("face_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _goes_with_its_face(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_face_key_faces")
    return sa.ForeignKeyConstraint(["face_key"], ["faces.id"], name=name, ondelete="CASCADE")


def _data_key() -> sa.Column[Any]:
    return sa.Column("data_key_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)


def _sealed_with(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f(f"fk_{table}_data_key_id_data_keys"))


def upgrade() -> None:
    # Add columns one by one, as 0002 explains.
    for column in _of_collections():
        op.add_column("collections", column)
    op.create_table(
        "crops",
        _face_key(),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        _data_key(),
        _sealed_with("crops"),
        _goes_with_its_face("crops"),
        sa.PrimaryKeyConstraint("face_key", name=op.f("pk_crops")),
    )
    op.create_table(
        "next_templates",
        _face_key(),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        _data_key(),
        _sealed_with("next_templates"),
        sa.Column("norm", sa.Float(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=True),
        _goes_with_its_face("next_templates"),
        sa.PrimaryKeyConstraint("face_key", "model", name=op.f("pk_next_templates")),
    )
    for table in ("crops", "next_templates"):
        op.create_index(op.f(f"ix_{table}_data_key_id"), table, ["data_key_id"])


def downgrade() -> None:
    op.drop_table("next_templates")
    op.drop_table("crops")
    for column in _of_collections():
        op.drop_column("collections", column.name)
