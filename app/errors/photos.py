"""Photos that cannot be used, and their URLs."""

from app.errors.base import ArcidError


class PhotoRefused(ArcidError, has_own_code=False):
    """Photo that cannot be used; the code gives the reason."""


class NotAnImage(PhotoRefused):
    """The bytes are not an image of a supported format."""


class ImageDamaged(PhotoRefused):
    """The photo starts as an image of a supported format, but is truncated or damaged."""

    def __init__(self, kind: str = "", flaw: str = "cut short or damaged") -> None:
        """Name the format, and the flaw if it is known."""
        super().__init__(f"the {kind} image is {flaw}" if kind else f"the image is {flaw}")


class ImageUnsupported(PhotoRefused):
    """The photo's format is recognized but not decoded: JPEG XL, 12-bit JPEG, floating-point TIFF."""

    def __init__(self, kind: str, remedy: str) -> None:
        """Name the format (after "the photo is") and how to convert the photo."""
        super().__init__(f"the photo is {kind}, which is not supported; {remedy}")


class ImageTooCostly(PhotoRefused):
    """Decoding the photo would take too long for its size; checked before any pixel is decoded."""

    def __init__(self, problem: str, remedy: str = "save it again") -> None:
        super().__init__(f"{problem}; {remedy}")


class TooManyBytes(PhotoRefused):
    """The photo has more bytes than the service accepts."""

    def __init__(self, most: int, size: int | None = None) -> None:
        """Take the limit, and the photo's size if it is known."""
        bytes_ = "too many bytes" if size is None else f"{size:,} bytes"
        super().__init__(f"the photo has {bytes_}; at most {most:,} are accepted")


class TooManyPixels(PhotoRefused):
    """The photo has more pixels than the service accepts; checked before any pixel is decoded."""


class NoFace(PhotoRefused):
    """No face was found in the photo."""

    message = "no face was found in the photo"


class SeveralFaces(PhotoRefused):
    """The photo shows several faces and the caller did not choose one."""


class LowQuality(PhotoRefused):
    """The face's quality is too low to enroll it; the message gives the reason."""


class FaceMismatch(PhotoRefused):
    """The face does not look like the identity's other faces, and the collection rejects mismatches."""


class PresentationAttack(PhotoRefused):
    """The photo seems to show a print or a screen instead of a person, and liveness is enforced."""

    message = "the photo seems to show a print or a screen instead of a person"


class UrlNotAllowed(PhotoRefused):
    """The service may not fetch the photo's URL."""


class UrlUnreachable(PhotoRefused):
    """The URL gave no photo; only the operator learns why, from `reason`."""


class UrlsDisabled(ArcidError):
    """Photos by URL are disabled."""
