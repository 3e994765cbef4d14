"""identities are listed page by page"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_identities_collection_id_id"), "identities", ["collection_id", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_identities_collection_id_id"), table_name="identities")
