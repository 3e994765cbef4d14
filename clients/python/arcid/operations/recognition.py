"""Recognition: enrollment, verification, identification, detection, embedding and search."""

from collections.abc import Iterable, Mapping, Sequence
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
from arcid.attributes import AttributeName
from arcid.calls import Body, Call, ValueT, photo_body, query, value_reader, without_none
from arcid.photos import Photo, Photos
from arcid.resources import Consent, LivenessMode, ScreeningAction

Where = Mapping[str, str | bool | int | float | None]
FaceChoice = Literal["main", "only", "largest"]


def enroll(
    photos: Photos,
    *,
    identity_id: str | None = None,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    consent: Consent | None = None,
    expires_at: datetime | None = None,
    collection: str = "default",
    face: FaceChoice = "main",
    on_duplicate: ScreeningAction | None = None,
    on_mismatch: ScreeningAction | None = None,
    liveness: LivenessMode | None = None,
    idempotency_key: str | None = None,
) -> Call[EnrollAnswer]:
    """Enroll a person with one or more photos; each photo is accepted or rejected on its own.

    Without an `idempotency_key`, each call gets a new one, so that its retries enroll once. A given name or metadata
    replaces the stored one. Raises Unprocessable with `rejected` if all are, and Conflict with `duplicates`.
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
        "liveness": liveness,
    }
    return Call(
        "POST",
        "/enroll",
        value_reader(EnrollAnswer),
        headers={"Idempotency-Key": idempotency_key or uuid4().hex},
        body=photo_body(members, photos=photos),
        is_repeatable=True,
    )


def verify(
    probe: Photos,
    reference: Photo | None = None,
    *,
    identity_id: str | None = None,
    collection: str = "default",
    max_fmr: float | None = None,
    threshold: float | None = None,
    landmarks: bool | None = None,
    components: bool | None = None,
    liveness: LivenessMode | None = None,
) -> Call[VerifyAnswer]:
    """Compare a probe with a reference photo or with the faces of an enrolled identity.

    The probe is one photo, or up to 10 photos of one person, which are fused.
    Set either `max_fmr`, the allowed share of pairs of different people that match, or `threshold`, a similarity.
    """
    members = {
        "identity_id": identity_id,
        "collection": collection,
        "max_fmr": max_fmr,
        "threshold": threshold,
        "landmarks": landmarks,
        "components": components,
        "liveness": liveness,
    }
    return _post("/verify", VerifyAnswer, photo_body(members, probe=probe, reference=reference))


def identify(
    photo: Photos,
    *,
    photos_of: Literal["many", "one_person"] | None = None,
    collection: str = "default",
    top_k: int | None = None,
    max_fpir: float | None = None,
    threshold: float | None = None,
    where: Where | None = None,
    landmarks: bool | None = None,
    components: bool | None = None,
    liveness: LivenessMode | None = None,
    remember_unknown: bool | None = None,
) -> Call[IdentifyAnswer]:
    """Search the gallery for every face of a photo. A photo without faces is not an error.

    With `photos_of="many"`, look up each of up to 50 photos; `answers` has an entry for each of them.
    With `photos_of="one_person"`, search for the person of up to 10 photos, which are fused; a single entry of `faces`
    is the answer, and photos without faces are an error.
    Set either `max_fpir`, the allowed share of strangers that match at the current gallery size, or `threshold`, a
    similarity. `where` restricts the search to people with these metadata values.
    With `remember_unknown`, the service keeps the faces that match nobody, if the collection allows it.
    """
    members = {
        "collection": collection,
        "top_k": top_k,
        "max_fpir": max_fpir,
        "threshold": threshold,
        "where": where,
        "photos_of": photos_of,
        "landmarks": landmarks,
        "components": components,
        "liveness": liveness,
        "remember_unknown": remember_unknown,
    }
    return _post("/identify", IdentifyAnswer, photo_body(members, photo=photo))


def detect(
    photo: Photos,
    *,
    photos_of: Literal["many"] | None = None,
    model: str | None = None,
    landmarks: bool | None = None,
    components: bool | None = None,
    liveness: LivenessMode | None = None,
    attributes: Iterable[AttributeName] = (),
) -> Call[DetectAnswer]:
    """Detect the faces of a photo and rate their quality for a network. Nothing is stored.

    With `photos_of="many"`, examine up to 50 photos; `answers` has an entry for each of them.
    Each face gets the `attributes` that are named. Raises Forbidden for those that the service does not allow.
    """
    members = {
        "photos_of": photos_of,
        "model": model,
        "landmarks": landmarks,
        "components": components,
        "liveness": liveness,
        "attributes": ",".join(attributes) or None,
    }
    return _post("/detect", DetectAnswer, photo_body(members, photo=photo))


def embed(
    photo: Photo,
    *,
    model: str | None = None,
    flip: bool | None = None,
    landmarks: bool | None = None,
    components: bool | None = None,
) -> Call[EmbedAnswer]:
    """Detect and embed the faces of a photo. Nothing is stored. `flip` averages with the mirrored face."""
    members = {"model": model, "flip": flip, "landmarks": landmarks, "components": components}
    return _post("/embed", EmbedAnswer, photo_body(members, photo=photo))


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
    """Search the gallery for an embedding, like `identify`; `model` is the network that computed it."""
    members = {
        "collection": collection,
        "top_k": top_k,
        "max_fpir": max_fpir,
        "threshold": threshold,
        "where": where,
    }
    numbers = [float(value) for value in embedding]
    return _post("/search", SearchAnswer, Body(json=without_none({"embedding": numbers, "model": model, **members})))


def calibration(collection: str | None = None) -> Call[CalibrationAnswer]:
    """Return the error rates of thresholds in a collection. The default is the key's only collection, or `default`."""
    return Call(
        "GET", "/calibration", value_reader(CalibrationAnswer), query=query(collection=collection), is_repeatable=True
    )


def _post(path: str, kind: type[ValueT], body: Body) -> Call[ValueT]:
    return Call("POST", path, value_reader(kind), body=body, is_repeatable=True)
