from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from app.access.trail import AuditLine, Trail, TrailBreak
from app.access.trail_pages import AuditFilter, TrailPages
from app.database.audit import Action, Actor, acting, append

NOW = datetime.now(UTC)


@pytest.fixture
def pages(engine):
    return TrailPages(engine)


@pytest.fixture
def written(engine):
    """Write lines: who, action, collection, subject."""

    def write(*lines):
        for actor, action, collection, subject in lines:
            with acting(Actor(actor, f"id-{actor}")), Session(engine) as session, session.begin():
                append(session, action, collection=collection, subject=subject)

    write(
        ("door", Action.IDENTITY_ENROLLED, "staff", "ada"),
        ("door", Action.IDENTITY_ENROLLED, "visitors", "bob"),
        ("root", Action.IDENTITY_DELETED, "staff", "ada"),
        ("root", Action.COLLECTION_DELETED, "staff", None),
        ("door", Action.IDENTITY_ENROLLED, "visitors", "ada"),
    )
    return write


def numbers(page):
    return [each.entry.seq for each in page.lines]


def test_an_empty_trail(pages):
    page = pages.page(AuditFilter(), after=0, limit=5)
    assert (page.lines, page.after) == ([], None)


@pytest.mark.usefixtures("written")
def test_pages_are_newest_first_and_complete(pages, engine):
    first = pages.page(AuditFilter(), after=0, limit=2)
    second = pages.page(AuditFilter(), after=first.after, limit=2)
    third = pages.page(AuditFilter(), after=second.after, limit=2)
    assert [numbers(each) for each in (first, second, third)] == [[5, 4], [3, 2], [1]]
    assert third.after is None
    assert [*first.lines, *second.lines, *third.lines] == list(Trail(engine).lines())[::-1]


def test_lines_that_are_written_meanwhile_move_nothing(pages, written):
    first = pages.page(AuditFilter(), after=0, limit=2)
    written(("root", Action.KEY_CREATED, None, "x"))
    assert numbers(pages.page(AuditFilter(), after=first.after, limit=9)) == [3, 2, 1]


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("which", "found"),
    [
        (AuditFilter(action=Action.IDENTITY_ENROLLED), [5, 2, 1]),
        (AuditFilter(collection="staff"), [4, 3, 1]),
        (AuditFilter(subject="ada"), [5, 3, 1]),
        (AuditFilter(actor="root"), [4, 3]),
        (AuditFilter(actor="id-root"), [4, 3]),
        (AuditFilter(actor="door", collection="visitors", subject="ada"), [5]),
        (AuditFilter(since=NOW - timedelta(hours=1)), [5, 4, 3, 2, 1]),
        (AuditFilter(since=NOW + timedelta(hours=1)), []),
        (AuditFilter(until=NOW - timedelta(hours=1)), []),
        (AuditFilter(actor="nobody"), []),
    ],
)
def test_filters(pages, which, found):
    assert numbers(pages.page(which, after=0, limit=9)) == found
    assert numbers(pages.page(which, after=0, limit=2)) == found[:2]


@pytest.mark.usefixtures("written")
def test_until_is_not_included(pages, engine):
    at = [each.entry.at for each in Trail(engine).lines()]
    assert numbers(pages.page(AuditFilter(since=at[1], until=at[3]), after=0, limit=9)) == [3, 2]


@pytest.mark.usefixtures("written")
def test_a_line_that_was_edited_does_not_hide_the_others(pages, tamper):
    tamper("UPDATE audit SET detail = '[1]' WHERE seq = 3")
    lines = pages.page(AuditFilter(), after=0, limit=9).lines
    assert [each.entry.seq if isinstance(each, AuditLine) else each for each in lines] == [
        *(5, 4),
        TrailBreak(3, "changed: it cannot be read"),
        *(2, 1),
    ]
