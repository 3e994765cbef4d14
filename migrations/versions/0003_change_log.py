"""change log, shared indexes"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("collections", sa.Column("uid", sa.String(length=36), nullable=False, server_default=""))
    op.add_column("collections", sa.Column("log_from", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("collections", sa.Column("index_kind", sa.String(length=16), nullable=True))
    op.add_column("enrolments", sa.Column("identity_id", sa.String(length=128), nullable=True))
    collections = sa.table(
        "collections", sa.column("id"), sa.column("uid"), sa.column("log_from"), sa.column("revision")
    )
    bind = op.get_bind()
    for (key,) in bind.execute(sa.select(collections.c.id)).all():
        # Earlier writes are not in the log, so replicas start by reading the faces themselves.
        values = {"uid": str(uuid4()), "log_from": collections.c.revision}
        bind.execute(collections.update().where(collections.c.id == key).values(values))
    op.create_table(
        "changes",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("face_key", sa.BigInteger(), nullable=False),
        sa.Column("is_removal", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_changes_collection_id_collections"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_changes_collection_id_revision"), "changes", ["collection_id", "revision"])
    op.create_index(op.f("ix_changes_created_at"), "changes", ["created_at"])
    op.create_table(
        "shared_indexes",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_shared_indexes_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shared_indexes")),
        sa.UniqueConstraint("collection_id", "name", name=op.f("uq_shared_indexes_collection_id_name")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("shared_indexes")
    op.drop_table("changes")
    op.drop_column("enrolments", "identity_id")
    for column in ("index_kind", "log_from", "uid"):
        op.drop_column("collections", column)
