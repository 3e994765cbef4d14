"""Schemas of API keys and of the caller. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.access.keys import ApiKey, KeyState, NewKey, Principal, Scope
from app.access.rates import Rate
from app.api.schemas.fields import Moment, StrictSchema
from app.api.schemas.resources import Cursor
from app.names import CollectionName

_MOST_COLLECTIONS = 1000
KeyId = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[0-9A-Za-z_-]+$")]
"""Public id of an API key or a session, in a path."""
RateText = Annotated[
    str,
    StringConstraints(pattern=r"^([1-9][0-9]{0,8}/(second|minute|hour|day)|none)$"),
    Field(examples=["100/minute"]),
]
_LIMIT = "Null: that of the key that creates it, or the service's setting."


class KeyRequest(StrictSchema):
    """A new API key."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "door", "scopes": ["recognise"], "rate": "100/minute"}]}
    )

    name: Annotated[CollectionName, Field(description="Purpose of the key; lists and the audit trail show it.")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    collections: Annotated[
        list[CollectionName] | None,
        Field(min_length=1, max_length=_MOST_COLLECTIONS, description="Null: all collections."),
    ] = None
    expires_at: Annotated[Moment | None, Field(description="Null: never.")] = None
    rate: Annotated[RateText | None, Field(description=f"Requests in a time, or `none`. {_LIMIT}")] = None
    quota: Annotated[RateText | None, Field(description=f"As `rate`, over a longer time. {_LIMIT}")] = None

    def value(self) -> NewKey:
        """Return the value."""
        return NewKey(
            self.name, self.scopes, self.collections, self.expires_at, _parsed(self.rate), _parsed(self.quota)
        )


class KeySchema(BaseModel):
    """An API key without its secret."""

    key_id: Annotated[str, Field(description="Public; the second part of the key.")]
    name: str
    scopes: list[Scope]
    collections: Annotated[list[str] | None, Field(description="Null: all collections.")]
    rate: Annotated[str | None, Field(description="Null: the service's setting, also for `quota`.")]
    quota: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    state: KeyState

    @classmethod
    def of(cls, key: ApiKey, now: datetime) -> "KeySchema":
        """Return the schema of a key, with its state at a moment."""
        return cls(
            key_id=key.key_id,
            name=key.name,
            scopes=[scope for scope in Scope if scope in key.scopes],
            collections=_sorted(key.collections),
            rate=_text(key.rate),
            quota=_text(key.quota),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            state=key.state(now),
        )


class CreatedKeySchema(KeySchema):
    """A new API key with its secret, which the service does not store."""

    secret: Annotated[str, Field(description="The key to send; it is never shown again.")]


class KeysPage(BaseModel):
    """API keys, the oldest first."""

    keys: list[KeySchema]
    next_cursor: Cursor


class CallerSchema(BaseModel):
    """The caller and their permissions."""

    key_id: Annotated[str | None, Field(description="Null if the service has no keys.")]
    name: str
    scopes: Annotated[list[Scope], Field(description="All that the caller has; `admin` includes the others.")]
    collections: Annotated[list[str] | None, Field(description="Null: all collections.")]
    expires_at: datetime | None
    rate: Annotated[str | None, Field(description="Null: the service's setting, also for `quota`.")]
    quota: str | None
    is_session: Annotated[bool, Field(description="A person has signed in; DELETE /sessions/current signs out.")]
    keys_required: Annotated[bool, Field(description="False: the service has no keys and answers without one.")]
    can_create_keys: Annotated[
        bool, Field(description="POST /keys is allowed. Without keys, only to a client on the service's machine.")
    ]

    @classmethod
    def of(cls, caller: Principal, *, is_on_this_machine: bool) -> "CallerSchema":
        """Return the schema of a caller."""
        has_key = caller.key_id is not None
        return cls(
            key_id=caller.key_id,
            name=caller.name,
            scopes=[scope for scope in Scope if caller.has(scope)],
            collections=_sorted(caller.collections),
            expires_at=caller.expires_at,
            rate=_text(caller.rate),
            quota=_text(caller.quota),
            is_session=caller.is_session,
            keys_required=has_key,
            can_create_keys=caller.has(Scope.ADMIN) and (has_key or is_on_this_machine),
        )


def _parsed(text: str | None) -> Rate | None:
    return None if text is None else Rate.parse(text)


def _text(rate: Rate | None) -> str | None:
    return None if rate is None else str(rate)


def _sorted(collections: frozenset[str] | None) -> list[str] | None:
    return None if collections is None else sorted(collections)
