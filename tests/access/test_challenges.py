from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from app.access.challenges import ChallengeStore
from app.database.liveness_tables import ChallengeTable, SeenFrameTable
from app.errors import ArcidError, ChallengeExpired, ChallengeUnknown, ChallengeUsed, FramesReplayed

PROMPTS = ("turn_left", "look_up")
HASHES = ["a" * 64, "b" * 64]
PAST = timedelta(seconds=-1)


@pytest.fixture
def challenges(engine):
    return ChallengeStore(engine)


def test_a_challenge_is_used_once(challenges):
    challenge, nonce = challenges.issue("staff", PROMPTS)
    assert challenges.use(challenge.challenge_id, nonce, "staff") == challenge
    with pytest.raises(ChallengeUsed):
        challenges.use(challenge.challenge_id, nonce, "staff")


def test_of_several_answers_at_once_one_counts(challenges, at_once):
    challenge, nonce = challenges.issue("staff", PROMPTS)

    def use():
        try:
            return challenges.use(challenge.challenge_id, nonce, "staff")
        except ArcidError as error:
            return error.code

    assert sorted(map(str, at_once(*[use] * 5))) == sorted([str(challenge), *["challenge_used"] * 4])


def test_a_challenge_needs_its_nonce_and_its_collection(challenges):
    challenge, nonce = challenges.issue("staff", PROMPTS)
    other, _ = challenges.issue("staff", PROMPTS)
    attempts = [
        partial(challenges.use, challenge.challenge_id, "guessed", "staff"),
        partial(challenges.use, challenge.challenge_id, nonce, "visitors"),
        partial(challenges.use, other.challenge_id, nonce, "staff"),
        partial(challenges.use, "0" * 32, nonce, "staff"),
    ]
    for attempt in attempts:
        with pytest.raises(ChallengeUnknown):
            attempt()
    assert challenges.use(challenge.challenge_id, nonce, "staff") == challenge


def test_an_expired_challenge_is_refused_and_later_deleted(engine):
    late = ChallengeStore(engine, lifetime=PAST)
    challenge, nonce = late.issue("staff", PROMPTS)
    with pytest.raises(ChallengeExpired):
        late.use(challenge.challenge_id, nonce, "staff")
    late.delete_expired()
    with pytest.raises(ChallengeUnknown):
        late.use(challenge.challenge_id, nonce, "staff")


def test_a_frame_is_accepted_once_until_it_is_forgotten(engine, challenges):
    challenges.remember(HASHES)
    with pytest.raises(FramesReplayed):
        challenges.remember(["c" * 64, HASHES[1]])
    challenges.remember(["c" * 64])  # nothing of the refused answer was stored
    challenges.delete_expired()
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(SeenFrameTable)) == 3


def test_what_has_expired_is_deleted(engine):
    late = ChallengeStore(engine, lifetime=PAST, memory=PAST)
    late.issue("staff", PROMPTS)
    late.remember(HASHES)
    late.delete_expired()
    with engine.connect() as connection:
        for table in (ChallengeTable, SeenFrameTable):
            assert connection.scalar(select(func.count()).select_from(table)) == 0


def test_neither_the_nonce_nor_a_name_is_stored(engine, challenges):
    _, nonce = challenges.issue("staff", PROMPTS)
    with engine.connect() as connection:
        assert nonce not in str(connection.execute(select(ChallengeTable.__table__)).all())
