"""collections say which impostors their error rates are about"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("collections", sa.Column("impostors", sa.String(length=16), nullable=True))


def downgrade() -> None:
    op.drop_column("collections", "impostors")
