"""Enrol, verify, identify, and what goes without a collection."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from arcid.answers import (
    CalibrationAnswer,
    DetectAnswer,
    EmbedAnswer,
    EnrollAnswer,
    IdentifyAnswer,
    SearchAnswer,
    VerifyAnswer,
)
from arcid.calls import Body, Call, Read, query, reading, said, with_photos
from arcid.photos import Photo, Photos
from arcid.resources import Consent, Reaction

Where = Mapping[str, str | bool | int | float | None]
FaceChoice = Literal["only", "largest"]


def enroll(
    photos: Photos,
    *,
    identity_id: str | None = None,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    consent: Consent | None = None,
    expires_at: datetime | None = None,
    collection: str = "default",
    face: FaceChoice = "only",
    on_duplicate: Reaction | None = None,
    on_mismatch: Reaction | None = None,
    idempotency_key: str | None = None,
) -> Call[EnrollAnswer]:
    """Enrol a person with one or more photos; each photo is accepted or refused for itself.

    Without an `idempotency_key` each call has one of its own, so that a repetition of it enrols once. A name or
    metadata that is given replaces what is stored. Raises Unprocessable with `rejected` when no photo was accepted,
    Conflict with `duplicates` where duplicates are rejected.
    """
    members = {
        "identity_id": identity_id,
        "name": name,
        "metadata": metadata,
        "consent": consent,
        "expires_at": expires_at,
        "collection": collection,
        "face": face,
        "on_duplicate": on_duplicate,
        "on_mismatch": on_mismatch,
    }
    return Call(
        "POST",
        "/enroll",
        reading(EnrollAnswer),
        headers={"Idempotency-Key": idempotency_key or uuid4().hex},
        body=with_photos(members, photos=photos),
        is_repeatable=True,
    )


def verify(
    probe: Photo,
    reference: Photo | None = None,
    *,
    identity_id: str | None = None,
    collection: str = "default",
    max_fmr: float | None = None,
    threshold: float | None = None,
) -> Call[VerifyAnswer]:
    """Compare a probe photo with a reference photo, or with all faces of an enrolled identity.

    `max_fmr` is how many pairs of different people may match; or `threshold` is the similarity that decides.
    """
    members = {"identity_id": identity_id, "collection": collection, "max_fmr": max_fmr, "threshold": threshold}
    return _of_photo("/verify", VerifyAnswer, with_photos(members, probe=probe, reference=reference))


def identify(
    photo: Photo,
    *,
    collection: str = "default",
    top_k: int | None = None,
    max_fpir: float | None = None,
    threshold: float | None = None,
    where: Where | None = None,
) -> Call[IdentifyAnswer]:
    """Look up every face of a photo among the enrolled; no face is an ordinary answer.

    `max_fpir` is how many strangers may find a match in the gallery as large as it is; or `threshold` is the
    similarity that decides. `where` restricts the search to people whose metadata has these members.
    """
    members = {
        "collection": collection,
        "top_k": top_k,
        "max_fpir": max_fpir,
        "threshold": threshold,
        "where": where,
    }
    return _of_photo("/identify", IdentifyAnswer, with_photos(members, photo=photo))


def detect(photo: Photo, *, model: str | None = None) -> Call[DetectAnswer]:
    """Find the faces of a photo, and say how usable they are for a network; nothing is stored."""
    return _of_photo("/detect", DetectAnswer, with_photos({"model": model}, photo=photo))


def embed(photo: Photo, *, model: str | None = None, flip: bool | None = None) -> Call[EmbedAnswer]:
    """Find the faces of a photo and embed them; nothing is stored. `flip` averages with the mirror image."""
    return _of_photo("/embed", EmbedAnswer, with_photos({"model": model, "flip": flip}, photo=photo))


def search(
    embedding: Sequence[float],
    *,
    model: str | None = None,
    collection: str = "default",
    top_k: int | None = None,
    max_fpir: float | None = None,
    threshold: float | None = None,
    where: Where | None = None,
) -> Call[SearchAnswer]:
    """Look up an embedding among the enrolled, as `identify` does; `model` is the network that made it."""
    members = {
        "collection": collection,
        "top_k": top_k,
        "max_fpir": max_fpir,
        "threshold": threshold,
        "where": where,
    }
    numbers = [float(each) for each in embedding]
    return _of_photo("/search", SearchAnswer, Body(json=said({"embedding": numbers, "model": model, **members})))


def calibration(collection: str | None = None) -> Call[CalibrationAnswer]:
    """Tell what each threshold would mean in a collection, by itself the only one that the key is for, or `default`."""
    return Call(
        "GET", "/calibration", reading(CalibrationAnswer), query=query(collection=collection), is_repeatable=True
    )


def _of_photo(path: str, kind: type[Read], body: Body) -> Call[Read]:
    return Call("POST", path, reading(kind), body=body, is_repeatable=True)
