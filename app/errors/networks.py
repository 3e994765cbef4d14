"""Networks, their packs and their calibrations."""

from app.errors.base import ArcidError


class NetworkError(ArcidError, has_own_code=False):
    """Network that cannot be used; the message explains what to do."""


class NetworkMissing(NetworkError):
    """A network's file is not in the data folder; `arcid models pull` downloads it."""


class NetworkCorrupt(NetworkError):
    """A file's SHA-256 differs from the pinned one."""


class NetworkInvalid(NetworkError):
    """A file is not a network of the kind that its manifest names."""


class ProviderUnavailable(NetworkError):
    """The requested execution provider does not work on this machine."""


class PackUnknown(NetworkError):
    """There is no manifest of this name."""


class ManifestInvalid(NetworkError):
    """A manifest lacks an entry, or has one that is not valid."""


class ArchiveUnavailable(NetworkError):
    """The package that contains a network could not be downloaded or read."""


class LicenceNotAccepted(NetworkError):
    """The pack must not be used commercially, and its licence was not accepted."""


class LivenessUnavailable(ArcidError):
    """Liveness was asked for, and the service has no detector of presentation attacks."""


class CalibrationTooSmall(ArcidError):
    """There are too few people, or too few pairs of different people, to calibrate with."""


class CalibrationInvalid(ArcidError):
    """A calibration file is damaged or of another version."""


class CalibrationMissing(ArcidError):
    """An error rate was requested, but the network in use has no calibration."""
