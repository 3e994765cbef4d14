"""quality of faces, settings of collections, counters"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COUNT = "UPDATE collections SET {0} = (SELECT count(*) FROM {0} WHERE {0}.collection_id = collections.id)"


def _of_collections() -> list[sa.Column[Any]]:
    return [
        sa.Column("faces", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("identities", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("is_flip_averaged", sa.Boolean(), nullable=False, server_default=sa.true()),
        # Existing collections get no quality gates.
        sa.Column("enrol_quality", sa.Float(), nullable=False, server_default="0"),
        sa.Column("probe_quality", sa.Float(), nullable=False, server_default="0"),
    ]


def upgrade() -> None:
    # Add columns one by one. On SQLite, batch mode would create a new table, and dropping the old one would delete the
    # rows that refer to it.
    for column in _of_collections():
        op.add_column("collections", column)
    op.add_column("faces", sa.Column("quality", sa.Float(), nullable=True))
    for table in ("faces", "identities"):
        op.execute(_COUNT.format(table))


def downgrade() -> None:
    op.drop_column("faces", "quality")
    for column in _of_collections():
        op.drop_column("collections", column.name)
