"""The tables: collections, identities, faces, idempotency records, keys, jobs and the audit trail."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    event,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.database.table_types import Base, Key, UtcDateTime, Word

MOST_WORDS = 500  # letters; an index of PostgreSQL takes 2,700 bytes


class CollectionTable(Base):
    """An isolated gallery, bound to one embedding model; `revision` counts its writes.

    `faces` and `identities` are kept up to date, so that a threshold needs no count of millions of rows. `uid` is
    unique also among deleted collections that had the same id. The change log has all changes of revisions above
    `log_from`.
    """

    __tablename__ = "collections"
    __table_args__ = (UniqueConstraint("name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), server_default=text("''"))
    name: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(128))
    dimension: Mapped[int]
    revision: Mapped[int] = mapped_column(BigInteger, default=0)
    log_from: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    index_kind: Mapped[str | None] = mapped_column(String(16))
    """Null: the service's setting."""
    faces: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    identities: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    is_flip_averaged: Mapped[bool] = mapped_column(server_default=true())
    enroll_quality: Mapped[float] = mapped_column("enrol_quality", Float, key="enroll_quality", server_default="0")
    probe_quality: Mapped[float] = mapped_column(Float, server_default="0")
    detector: Mapped[str | None] = mapped_column(String(128))
    """Null, here and in the next three: the service's default."""
    max_fmr: Mapped[float | None] = mapped_column(Float)
    max_fpir: Mapped[float | None] = mapped_column(Float)
    threshold: Mapped[float | None] = mapped_column(Float)
    is_crop_kept: Mapped[bool] = mapped_column(server_default=false())
    on_duplicate: Mapped[str] = mapped_column(Word(16), server_default="flag")
    on_mismatch: Mapped[str] = mapped_column(Word(16), server_default="flag")
    retention_days: Mapped[int | None]
    """Null: no limit."""
    remember_unknown_days: Mapped[int | None]
    is_consent_required: Mapped[bool] = mapped_column(server_default=false())
    is_adaptive: Mapped[bool] = mapped_column(server_default=true())
    impostors: Mapped[str | None] = mapped_column(String(16))
    """Null: the service's setting."""
    liveness: Mapped[str] = mapped_column(Word(16), server_default="off")
    review: Mapped[str] = mapped_column(Word(16), server_default="off")
    review_days: Mapped[int] = mapped_column(server_default="183")
    reviewers: Mapped[int] = mapped_column(server_default="1")
    calibration: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The newest row of `calibration_versions`; null before the first."""
    calibration_version: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class IdentityTable(Base):
    """A person enrolled in a collection, under the caller's own id."""

    __tablename__ = "identities"
    __table_args__ = (
        UniqueConstraint("collection_id", "identity_id"),
        Index(None, "collection_id", "id"),
        Index(None, "collection_id", "enrolled_at"),
        Index(None, "collection_id", "words"),
        Index(None, "expires_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    identity_id: Mapped[str] = mapped_column(String(128))
    name: Mapped[str | None] = mapped_column(String(256))
    words: Mapped[str] = mapped_column(String(MOST_WORDS), server_default=text("''"))
    """Searches compare these, and lists by name are in their order: see `app.gallery.store.name_search`."""
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSON)
    consent: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    enrolled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The last enrollment. Null, which only older versions write, means the same as `updated_at`."""
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class FaceTable(Base):
    """One enrolled template. `id` is the key in the index and is never reused; callers see `face_id`."""

    __tablename__ = "faces"
    __table_args__ = (
        UniqueConstraint("face_id"),
        Index(None, "identity_key"),
        Index(None, "data_key_id"),
        Index(None, "collection_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    face_id: Mapped[str] = mapped_column(String(36))
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    identity_key: Mapped[int] = mapped_column(ForeignKey("identities.id", ondelete="CASCADE"))
    model: Mapped[str] = mapped_column(String(128))
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    """Unit-norm float32, little-endian; sealed (`app.database.cipher`) if a data key exists."""
    data_key_id: Mapped[int | None] = mapped_column(ForeignKey("data_keys.id"))
    """A data key cannot be deleted while a row uses it."""
    norm: Mapped[float] = mapped_column(Float)
    quality: Mapped[float | None] = mapped_column(Float)
    """0..1; null for faces enrolled before quality was stored."""
    quality_members: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Reasons and components of the quality; null for imported faces and those of early versions."""
    detection_score: Mapped[float] = mapped_column(Float)
    box: Mapped[list[float]] = mapped_column(JSON)
    landmarks: Mapped[list[list[float]]] = mapped_column(JSON)
    image_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CropTable(Base):
    """The sealed crop of a face; in a separate table, so that no other query reads it."""

    __tablename__ = "crops"

    __table_args__ = (Index(None, "data_key_id"),)

    face_key: Mapped[int] = mapped_column(ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    data_key_id: Mapped[int | None] = mapped_column(ForeignKey("data_keys.id"))


class NextTemplateTable(Base):
    """A face's template of the next network, or of the previous one, during a model migration."""

    __tablename__ = "next_templates"
    __table_args__ = (Index(None, "data_key_id"),)

    face_key: Mapped[int] = mapped_column(ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(String(128), primary_key=True)
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed for the face, as in `faces`, so that the switch copies it unchanged."""
    data_key_id: Mapped[int | None] = mapped_column(ForeignKey("data_keys.id"))
    norm: Mapped[float] = mapped_column(Float)
    quality: Mapped[float | None] = mapped_column(Float)


class ChangeTable(Base):
    """The change log: a face that a revision of a collection added or removed. The face may be deleted."""

    __tablename__ = "changes"
    __table_args__ = (Index(None, "collection_id", "revision"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    revision: Mapped[int] = mapped_column(BigInteger)
    face_key: Mapped[int] = mapped_column(BigInteger)
    is_removal: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class SharedIndexTable(Base):
    """The revision that a shared index has applied for a collection. The row's lock admits one writer at a time."""

    __tablename__ = "shared_indexes"
    __table_args__ = (UniqueConstraint("collection_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    revision: Mapped[int] = mapped_column(BigInteger)


class EnrollmentTable(Base):
    """The answer to an enrollment with an Idempotency-Key, written in the enrollment's own transaction."""

    __tablename__ = "enrolments"
    __table_args__ = (UniqueConstraint("collection_id", "idempotency_key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    identity_id: Mapped[str | None] = mapped_column(String(128))
    """The identity in the answer, which is deleted with it. Null in rows of older versions."""
    idempotency_key: Mapped[str] = mapped_column(String(255))
    request_sha256: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class DataKeyTable(Base):
    """A data key, wrapped by the master key. The newest one seals new data."""

    __tablename__ = "data_keys"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    master: Mapped[str] = mapped_column(String(16))
    """Fingerprint of the master key."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyTable(Base):
    """An API key: its hash and permissions. Rows are never deleted, because the audit trail refers to them."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("key_id"),
        UniqueConstraint("sha256"),
        # A revoked key's name may be used again.
        Index(
            "ix_api_keys_name_unrevoked",
            "name",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key_id: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    collections: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Null: all of them."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rate: Mapped[str | None] = mapped_column(String(32))
    """`100/minute`, or `none`; null: the service's setting. The same holds for `quota`."""
    quota: Mapped[str | None] = mapped_column(String(32))


class JobTable(Base):
    """A job: its parameters, its progress, and the process that holds its lease."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("job_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    job_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(32))
    collection: Mapped[str | None] = mapped_column(String(64))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    place: Mapped[str | None] = mapped_column(String(36))
    """The data folder whose processes may run it; null: any process."""
    state: Mapped[str] = mapped_column(String(16), index=True)
    done: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int | None] = mapped_column(BigInteger)
    checkpoint: Mapped[dict[str, Any]] = mapped_column(JSON)
    errors: Mapped[int] = mapped_column(BigInteger)
    errors_kept: Mapped[int] = mapped_column(BigInteger)
    """The number of errors at the checkpoint."""
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    failure_code: Mapped[str | None] = mapped_column(String(64))
    failure_detail: Mapped[str | None] = mapped_column(String(1024))
    actor: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(16))
    request_id: Mapped[str | None] = mapped_column(String(128))
    attempts: Mapped[int]
    deaths: Mapped[int]
    """How many processes in a row died without reaching a checkpoint."""
    owner: Mapped[str | None] = mapped_column(String(36))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """If no process holds the job: do not start it before this moment."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class JobErrorTable(Base):
    """An item (a file, a line) that a job refused; numbered from 1 in each job."""

    __tablename__ = "job_errors"
    __table_args__ = (UniqueConstraint("job_key", "number"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    job_key: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(BigInteger)
    item: Mapped[str] = mapped_column(String(512))
    code: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(String(1024))


class AuditTable(Base):
    """The audit trail. Triggers allow only appending; see `app.database.audit`."""

    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("seq"), Index(None, "collection", "subject"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    """1, 2, 3 without a gap."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str | None] = mapped_column(String(16))
    request_id: Mapped[str | None] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))
    collection: Mapped[str | None] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))


class AuditHeadTable(Base):
    """The head of the trail: a single row whose lock orders all writers."""

    __tablename__ = "audit_head"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))


# As in the migration: the row exists as soon as the table does.
_FIRST_HEAD = "INSERT INTO audit_head (seq, sha256) VALUES (0, '" + "0" * 64 + "')"
event.listen(AuditHeadTable.__table__, "after_create", DDL(_FIRST_HEAD))  # type: ignore[no-untyped-call] # SQLAlchemy's
