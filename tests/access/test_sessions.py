from datetime import timedelta

import pytest

from app.access.key_cache import Access
from app.access.keys import NewSession, Scope
from app.access.sessions import SessionStore
from app.errors import KeyInvalid, KeyMissing, SessionUnknown

HOUR, PAST = timedelta(hours=1), timedelta(hours=-1)
ADA = NewSession("subject-of-ada", "ada", frozenset({Scope.RECOGNISE}), frozenset({"staff"}))


@pytest.fixture
def sessions(engine):
    return SessionStore(engine)


@pytest.fixture
def access(keys, sessions):
    return Access(keys, sessions=sessions)


def test_a_session_authenticates_until_it_ends(access, sessions):
    session, secret = sessions.start(ADA, HOUR)
    access.refresh()
    principal = access.principal(secret)
    assert (principal.name, principal.key_id) == ("ada", session.key_id)
    assert (principal.scopes, principal.collections) == (ADA.scopes, ADA.collections)
    assert access.admits(principal)
    sessions.end(session.key_id)
    access.refresh()
    with pytest.raises(KeyInvalid):
        access.principal(secret)
    assert not access.admits(principal)


def test_an_expired_session_is_refused_and_later_deleted(access, sessions):
    session, secret = sessions.start(ADA, PAST)
    access.refresh()
    with pytest.raises(KeyInvalid, match="expired"):
        access.principal(secret)
    assert sessions.all() == []
    sessions.start(ADA, HOUR)
    assert session.key_id not in {each.key_id for each in sessions.by_sha256().values()}


def test_where_people_can_sign_in_everybody_must(access):
    access.refresh()
    with pytest.raises(KeyMissing):
        access.principal(None)


def test_an_unknown_session_cannot_be_ended(sessions):
    with pytest.raises(SessionUnknown):
        sessions.end("none")


def test_start_and_end_are_in_the_trail(sessions, trail):
    session, _ = sessions.start(ADA, HOUR)
    sessions.end(session.key_id)
    lines = [each.entry for each in trail.lines()]
    assert [(each.action, each.subject) for each in lines[-2:]] == [
        ("session.started", "ada"),
        ("session.ended", "ada"),
    ]
    assert (lines[-2].actor, lines[-2].key_id) == ("ada", session.key_id)
    assert "subject-of-ada" not in str(lines)
