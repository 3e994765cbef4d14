"""collections say how verdicts on liveness are used"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("collections", sa.Column("liveness", sa.String(length=16), nullable=False, server_default="off"))


def downgrade() -> None:
    op.drop_column("collections", "liveness")
