"""adaptive calibration: the version in use, earlier versions, moments of probes"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    adaptive = sa.Column("is_adaptive", sa.Boolean(), nullable=False, server_default=sa.true())
    op.add_column("collections", adaptive)
    op.add_column("collections", sa.Column("calibration", sa.JSON(), nullable=True))
    version = sa.Column("calibration_version", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("collections", version)
    op.create_table(
        "calibration_versions",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("calibration", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_calibration_versions_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_versions")),
        sa.UniqueConstraint("collection_id", "version", name=op.f("uq_calibration_versions_collection_id_version")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "probe_moments",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("probes", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("squares", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_probe_moments_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_probe_moments")),
        sa.UniqueConstraint("collection_id", "uid", name=op.f("uq_probe_moments_collection_id_uid")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("probe_moments")
    op.drop_table("calibration_versions")
    for column in ("calibration_version", "calibration", "is_adaptive"):
        op.drop_column("collections", column)
