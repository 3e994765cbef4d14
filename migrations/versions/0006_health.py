"""what enrolments do about duplicates and photos that do not fit"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("on_duplicate", "on_mismatch")


def upgrade() -> None:
    # Column by column, as 0002 explains. Collections that are there flag as well: an answer says more, nothing else.
    for name in _COLUMNS:
        op.add_column("collections", sa.Column(name, sa.String(16), nullable=False, server_default="flag"))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("collections", name)
