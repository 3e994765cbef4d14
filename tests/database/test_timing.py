import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.database.engine import open_engine
from app.observability.stages import recording


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    yield engine
    engine.dispose()


def test_statements_are_the_stage_database(engine):
    with recording() as stages, engine.begin() as connection:
        connection.execute(text("create table a (x integer)"))
        connection.execute(text("insert into a values (:x)"), [{"x": 1}, {"x": 2}])
    assert list(stages) == ["database"]
    assert 0 < stages["database"] < 5


def test_a_statement_that_fails_leaves_nothing_behind(engine):
    with recording(), engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("select nonsense"))
    with recording() as again, engine.connect() as connection:
        connection.execute(text("select 1"))
    assert list(again) == ["database"]


def test_nobody_needs_to_record(engine):
    with engine.connect() as connection:
        assert connection.execute(text("select 1")).scalar() == 1
