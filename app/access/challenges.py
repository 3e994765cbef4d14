"""Liveness challenges: each is answered once, in time, and by frames that were not sent before."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex, token_urlsafe

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.access.secret import sha256_of
from app.database.liveness_tables import ChallengeTable, SeenFrameTable
from app.errors import ChallengeExpired, ChallengeUnknown, ChallengeUsed, FramesReplayed

_LIFETIME = timedelta(seconds=60)
_MEMORY = timedelta(days=1)
_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge of a collection, and its prompts in the order in which a person must follow them."""

    challenge_id: str
    collection: str
    prompts: tuple[str, ...]
    created_at: datetime
    expires_at: datetime


class ChallengeStore:
    """Issues and uses challenges. Every method is one transaction, so replicas may share a database.

    The nonce of a challenge is a random secret, as that of an API key is. Only its hash is stored.
    """

    def __init__(self, engine: Engine, *, lifetime: timedelta = _LIFETIME, memory: timedelta = _MEMORY) -> None:
        """Create the store.

        Args:
            engine: Engine of the database.
            lifetime: Time to answer a challenge.
            memory: How long the hashes of frames are kept.
        """
        self._engine = engine
        self._lifetime = lifetime
        self._memory = memory

    def issue(self, collection: str, prompts: Sequence[str]) -> tuple[Challenge, str]:
        """Store a new challenge and return it with its nonce."""
        now, nonce = datetime.now(UTC), token_urlsafe(_RANDOM_BYTES)
        challenge = Challenge(token_hex(16), collection, tuple(prompts), now, now + self._lifetime)
        row = insert(ChallengeTable).values(
            challenge_id=challenge.challenge_id,
            sha256=sha256_of(nonce),
            collection=collection,
            prompts=list(prompts),
            created_at=now,
            expires_at=challenge.expires_at,
        )
        with self._engine.begin() as connection:
            connection.execute(row)
        return challenge, nonce

    def use(self, challenge_id: str, nonce: str, collection: str) -> Challenge:
        """Mark a challenge as used and return it; of several at once, one succeeds.

        Raises ChallengeUnknown, also if the nonce or the collection is another one, ChallengeUsed and ChallengeExpired.
        """
        table, now = ChallengeTable, datetime.now(UTC)
        is_this = (table.challenge_id == challenge_id) & (table.sha256 == sha256_of(nonce))
        is_this &= table.collection == collection
        is_open = table.used_at.is_(None) & (table.expires_at > now)
        with self._engine.begin() as connection:
            is_used_now = connection.execute(update(table).where(is_this, is_open).values(used_at=now)).rowcount == 1
            row = connection.execute(
                select(table.prompts, table.created_at, table.expires_at, table.used_at).where(is_this)
            ).one_or_none()
        if row is None:
            raise ChallengeUnknown(
                f"collection {collection!r} has no challenge {challenge_id!r} with this nonce; send "
                "the collection, id and nonce of one challenge, or ask for a new one"
            )
        if not is_used_now and row.used_at is not None:
            raise ChallengeUsed(f"the challenge {challenge_id!r} was answered before; ask for a new one")
        if not is_used_now:
            raise ChallengeExpired(
                f"the challenge {challenge_id!r} expired at {row.expires_at:%H:%M:%S} UTC; ask for a new one"
            )
        return Challenge(challenge_id, collection, tuple(row.prompts), row.created_at, row.expires_at)

    def remember(self, hashes: Collection[str]) -> None:
        """Store the hashes of frames; raises FramesReplayed if one of them is stored already."""
        expires_at = datetime.now(UTC) + self._memory
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    insert(SeenFrameTable), [{"sha256": each, "expires_at": expires_at} for each in sorted(hashes)]
                )
        except IntegrityError as error:
            raise FramesReplayed("a frame was in an earlier answer; take new frames for a new challenge") from error

    def delete_expired(self) -> None:
        """Delete what has expired."""
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            for table in (ChallengeTable, SeenFrameTable):
                connection.execute(delete(table).where(table.expires_at <= now))
