"""Write a new migration from the difference between the tables in the code and a database at the current head."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from app.database.engine import open_engine, sqlite_url
from app.database.schema import Schema

if __name__ == "__main__":
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(sqlite_url(Path(folder) / "head.db"))
        Schema(engine, here).upgrade()
        config = Config()
        config.set_main_option("script_location", str(here))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.revision(
                config, sys.argv[1], autogenerate=True, rev_id=f"{len(list(here.glob('versions/*.py'))) + 1:04}"
            )
        engine.dispose()
