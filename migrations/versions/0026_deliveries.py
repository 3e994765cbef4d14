"""destinations of events, and their deliveries"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _time(name: str, *, nullable: bool = True) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _owner(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}", ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "destinations",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("destination_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=300), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("data_key_id", _KEY, nullable=True),
        _time("previous_until"),
        sa.Column("kinds", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("collections", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("is_image_sent", sa.Boolean(), nullable=False),
        _time("created_at", nullable=False),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name="fk_destinations_data_key_id_data_keys"),
        sa.PrimaryKeyConstraint("id", name="pk_destinations"),
        sa.UniqueConstraint("destination_id", name="uq_destinations_destination_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_destinations_data_key_id", "destinations", ["data_key_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("event_key", _KEY, nullable=False),
        sa.Column("destination_key", _KEY, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _time("queued_at", nullable=False),
        _time("next_at"),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        _time("delivered_at"),
        _owner("deliveries", "event_key", "events"),
        _owner("deliveries", "destination_key", "destinations"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("event_key", "destination_key", name="uq_deliveries_event_key_destination_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_deliveries_destination_key_state_key_position",
        "deliveries",
        ["destination_key", "state", "key", "position"],
    )
    op.create_table(
        "delivery_lanes",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("destination_key", _KEY, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        _time("next_at", nullable=False),
        sa.Column("owner", sa.String(length=36), nullable=True),
        _time("leased_until"),
        _owner("delivery_lanes", "destination_key", "destinations"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_lanes"),
        sa.UniqueConstraint("destination_key", "key", name="uq_delivery_lanes_destination_key_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_delivery_lanes_destination_key_next_at", "delivery_lanes", ["destination_key", "next_at"])
    op.create_table(
        "delivery_head",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_head"),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO delivery_head (position) VALUES (0)")


def downgrade() -> None:
    for table in ("delivery_head", "delivery_lanes", "deliveries", "destinations"):
        op.drop_table(table)
