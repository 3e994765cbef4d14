"""hourly counts of requests, verdicts, refusals and quality"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "statistics",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("collection_id", _KEY, nullable=True),
        sa.Column("scope", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("series", sa.String(length=16), nullable=False),
        sa.Column("operation", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name="fk_statistics_collection_id_collections",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_statistics"),
        sa.UniqueConstraint(
            *("scope", "hour", "series", "operation", "label"),
            name="uq_statistics_scope_hour_series_operation_label",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_statistics_hour", "statistics", ["hour"])
    op.create_index("ix_statistics_collection_id", "statistics", ["collection_id"])


def downgrade() -> None:
    op.drop_index("ix_statistics_collection_id", table_name="statistics")
    op.drop_index("ix_statistics_hour", table_name="statistics")
    op.drop_table("statistics")
