"""Entry point for Alembic: run the migrations on the connection from `app.database.schema`."""

from typing import Any, Literal

from alembic import context

from app.database import (  # noqa: F401 - registers their tables
    calibration_tables,
    camera_table,
    claim_table,
    delivery_tables,
    event_position_table,
    event_table,
    liveness_calibration_table,
    liveness_tables,
    review_tables,
    rule_tables,
    session_table,
    statistics_tables,
    unknown_face_tables,
)
from app.database.table_types import UtcDateTime
from app.database.tables import CollectionTable


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Render our column types as their plain SQL types, so that a migration does not change with the code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=CollectionTable.metadata,
    render_as_batch=True,
    render_item=render_item,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
