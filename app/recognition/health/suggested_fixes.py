"""Suggested fixes for health-check findings: calls of the API. Pure."""

from urllib.parse import quote

from app.recognition.health.findings import SuggestedFix


def merge(collection: str, identity_id: str, into: str) -> SuggestedFix:
    """Give all faces of one identity to another."""
    return SuggestedFix(
        "POST", f"/collections/{_in_path(collection)}/identities/{_in_path(identity_id)}/merge", {"into": into}
    )


def move(collection: str, face_id: str, identity_id: str) -> SuggestedFix:
    """Give one face to another identity."""
    return SuggestedFix("POST", f"{_face(collection, face_id)}/move", {"identity_id": identity_id})


def delete(collection: str, face_id: str) -> SuggestedFix:
    """Delete one face."""
    return SuggestedFix("DELETE", _face(collection, face_id))


def photograph(collection: str, identity_id: str) -> SuggestedFix:
    """Enroll a photo, which has to be added to the body; for an identity that has no other good face."""
    return SuggestedFix("POST", "/enroll", {"collection": collection, "identity_id": identity_id, "photos": []})


def _face(collection: str, face_id: str) -> str:
    return f"/collections/{_in_path(collection)}/faces/{_in_path(face_id)}"


def _in_path(text: str) -> str:
    return quote(text, safe="")
