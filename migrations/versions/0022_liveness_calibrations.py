"""thresholds of liveness for the camera of a collection"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "liveness_calibrations",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("calibration", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name="fk_liveness_calibrations_collection_id_collections",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_liveness_calibrations"),
        sa.UniqueConstraint("collection_id", "version", name="uq_liveness_calibrations_collection_id_version"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("liveness_calibrations")
