"""faces have the reasons and components of their quality"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("faces", sa.Column("quality_members", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("faces", "quality_members")
