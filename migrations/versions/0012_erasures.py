"""index the audit trail by its subjects"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_collection_subject", "audit", ["collection", "subject"])


def downgrade() -> None:
    op.drop_index("ix_audit_collection_subject", "audit")
