"""encryption at rest, retention, consent"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("master", sa.String(length=16), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_keys")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "claims",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=36), nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
        sa.UniqueConstraint("name", name=op.f("uq_claims_name")),
        sqlite_autoincrement=True,
    )
    # In SQL, because SQLite would otherwise copy the whole table to add a foreign key.
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE faces ADD COLUMN data_key_id {kind} CONSTRAINT fk_faces_data_key_id_data_keys "
        "REFERENCES data_keys (id)"
    )
    op.create_index(op.f("ix_faces_data_key_id"), "faces", ["data_key_id"])
    op.add_column("collections", sa.Column("retention_days", sa.Integer(), nullable=True))
    required = sa.Column("is_consent_required", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("collections", required)
    op.add_column("identities", sa.Column("consent", sa.JSON(), nullable=True))
    op.add_column("identities", sa.Column("enrolled_at", _MOMENT, nullable=True))
    op.add_column("identities", sa.Column("expires_at", _MOMENT, nullable=True))
    # This erases nobody too early: the last face was added when the identity was last changed, or before.
    op.execute("UPDATE identities SET enrolled_at = updated_at")
    op.create_index(op.f("ix_identities_collection_id_enrolled_at"), "identities", ["collection_id", "enrolled_at"])
    op.create_index(op.f("ix_identities_expires_at"), "identities", ["expires_at"])


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM data_keys")).scalar():
        raise RuntimeError("templates are encrypted; this cannot be undone by a migration")
    op.drop_index(op.f("ix_identities_expires_at"), table_name="identities")
    op.drop_index(op.f("ix_identities_collection_id_enrolled_at"), table_name="identities")
    for column in ("consent", "enrolled_at", "expires_at"):
        op.drop_column("identities", column)
    for column in ("retention_days", "is_consent_required"):
        op.drop_column("collections", column)
    op.drop_index(op.f("ix_faces_data_key_id"), table_name="faces")
    op.drop_column("faces", "data_key_id")
    op.drop_table("claims")
    op.drop_table("data_keys")
