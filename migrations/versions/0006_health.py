"""policies of enrollments for duplicates and mismatched photos"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("on_duplicate", "on_mismatch")


def upgrade() -> None:
    # Add columns one by one, as 0002 explains. Existing collections also get `flag`, which only adds fields to answers.
    for name in _COLUMNS:
        op.add_column("collections", sa.Column(name, sa.String(16), nullable=False, server_default="flag"))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("collections", name)
