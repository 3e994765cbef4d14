"""Insert or update, which SQLAlchemy has for each dialect only."""

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects import postgresql, sqlite

from app.database.table_types import Base


def insert_for(bind: Engine | Connection, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an insert into a table that has `on_conflict_do_update`, in the dialect of an engine or connection."""
    return postgresql.insert(table) if bind.dialect.name == "postgresql" else sqlite.insert(table)
