"""Records of idempotent enrollments: the fingerprint of a request, by which a repetition is recognized."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

from pydantic import TypeAdapter

from app.gallery.store.values import IdempotencyRecord, Terms
from app.recognition.face_choice import FaceChoice
from app.recognition.liveness.gate import LivenessRequest
from app.recognition.screening import Reactions

_TERMS = TypeAdapter(Terms)
_NO_TERMS = Terms()
_AS_USUAL = Reactions()


def idempotency_record(
    key: str, first: Sequence[object], choice: FaceChoice, last: Sequence[object]
) -> IdempotencyRecord:
    """Return the record of a request (without its answer) by the parts of it before and after its choice.

    Versions without `main` stored `only` also for requests that sent no choice. So both match that record.
    """
    if choice is FaceChoice.LARGEST:
        return IdempotencyRecord(key, fingerprint(*first, choice, *last))
    former = fingerprint(*first, FaceChoice.ONLY, *last)
    return IdempotencyRecord(key, fingerprint(*first, f"{choice} face", *last), former_sha256=former)


def fingerprint(*parts: object) -> str:
    """Return the SHA-256 of a request's parts, as JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def optional_parts(reactions: Reactions, terms: Terms, liveness: LivenessRequest, *, is_exact: bool) -> list[object]:
    """Return what a request's fingerprint covers besides its required parts.

    A default adds nothing, so fingerprints from before these options existed still match.
    """
    parts: list[object] = [] if reactions == _AS_USUAL else [asdict(reactions)]
    if terms != _NO_TERMS:
        parts.append(_TERMS.dump_python(terms, mode="json"))
    if liveness.mode is not None:
        parts.append(f"liveness {liveness.mode}")
    return parts if is_exact else [*parts, "rounded"]  # nobody gets the answer of a caller who sees more
