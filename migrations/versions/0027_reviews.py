"""reviews: matches that people decide"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _belongs_to(table: str, column: str, owner: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}_{owner}"
    return sa.ForeignKeyConstraint([column], [f"{owner}.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.add_column("collections", sa.Column("review", sa.String(length=16), server_default="off", nullable=False))
    op.add_column("collections", sa.Column("review_days", sa.Integer(), server_default="183", nullable=False))
    op.add_column("collections", sa.Column("reviewers", sa.Integer(), server_default="1", nullable=False))
    op.create_table(
        "reviews",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("review_id", sa.String(length=36), nullable=False),
        sa.Column("collection_id", _KEY, nullable=False),
        sa.Column("identity_key", _KEY, nullable=False),
        sa.Column("same_as", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("input_sha256", sa.String(length=64), nullable=True),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("closed_at", _TIME, nullable=True),
        _belongs_to("reviews", "collection_id", "collections"),
        _belongs_to("reviews", "identity_key", "identities"),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
        sa.UniqueConstraint("review_id", name="uq_reviews_review_id"),
        sa.UniqueConstraint("collection_id", "same_as", name="uq_reviews_collection_id_same_as"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reviews_collection_id_state_id", "reviews", ["collection_id", "state", "id"])
    op.create_index("ix_reviews_identity_key", "reviews", ["identity_key"])
    _create_parts()


def _create_parts() -> None:
    op.create_table(
        "review_candidates",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("review_key", _KEY, nullable=False),
        sa.Column("identity_key", _KEY, nullable=False),
        sa.Column("face_id", sa.String(length=36), nullable=True),
        sa.Column("similarity", sa.Float(), nullable=False),
        sa.Column("fmr", sa.Float(), nullable=True),
        sa.Column("fpir", sa.Float(), nullable=True),
        _belongs_to("review_candidates", "review_key", "reviews"),
        _belongs_to("review_candidates", "identity_key", "identities"),
        sa.PrimaryKeyConstraint("id", name="pk_review_candidates"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_candidates_review_key", "review_candidates", ["review_key"])
    op.create_index("ix_review_candidates_identity_key", "review_candidates", ["identity_key"])
    op.create_table(
        "review_decisions",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("review_key", _KEY, nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("identity_key", _KEY, nullable=True),
        sa.Column("reviewer", sa.String(length=300), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("note", sa.String(length=1000), nullable=True),
        sa.Column("decided_at", _TIME, nullable=False),
        _belongs_to("review_decisions", "review_key", "reviews"),
        _belongs_to("review_decisions", "identity_key", "identities"),
        sa.PrimaryKeyConstraint("id", name="pk_review_decisions"),
        sa.UniqueConstraint("review_key", "reviewer", name="uq_review_decisions_review_key_reviewer"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_decisions_identity_key", "review_decisions", ["identity_key"])
    op.create_table(
        "review_images",
        sa.Column("review_key", _KEY, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("data_key_id", _KEY, nullable=True),
        _belongs_to("review_images", "review_key", "reviews"),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name="fk_review_images_data_key_id_data_keys"),
        sa.PrimaryKeyConstraint("review_key", name="pk_review_images"),
    )
    op.create_index("ix_review_images_data_key_id", "review_images", ["data_key_id"])


def downgrade() -> None:
    for table in ("review_images", "review_decisions", "review_candidates", "reviews"):
        op.drop_table(table)
    for column in ("reviewers", "review_days", "review"):
        op.drop_column("collections", column)
