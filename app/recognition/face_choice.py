"""The choice of the face of a photo that is enrolled."""

from enum import StrEnum

from app.errors import NoFace, SeveralFaces
from app.recognition.analysis import AnalysedFaces, Face


class FaceChoice(StrEnum):
    """Which face of a photo with several is enrolled.

    The main face (`largest`), the main face unless another one is nearly as prominent (`main`), or none (`only`).
    """

    MAIN = "main"
    ONLY = "only"
    LARGEST = "largest"


def chosen_face(faces: AnalysedFaces, choice: FaceChoice) -> Face:
    """Return the face of a photo that is enrolled.

    Raises NoFace, and SeveralFaces if the photo has other faces that the choice does not allow.
    """
    if not faces:
        raise NoFace
    if faces.detected > 1 and choice is FaceChoice.ONLY:
        raise SeveralFaces(f"the photo shows {faces.detected} faces; crop it, or send face=main")
    if faces.rivals and choice is FaceChoice.MAIN:
        raise SeveralFaces(
            f"the photo shows {faces.detected} faces, and another one is nearly as prominent as the main face; crop "
            "it, or send face=largest"
        )
    return faces[0]
