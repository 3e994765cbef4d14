"""Which calibration holds for a collection: its own, else the one that ships for the network in use, else none."""

from pathlib import Path

from app.recognition.calibration import Calibration, read_calibration


def file_name(*, network_sha256: str, detector: str, is_flip_averaged: bool) -> str:
    """Return the name of the calibration file of a network as it is used."""
    return f"{network_sha256[:16]}-{detector}-arcface112-{'flip' if is_flip_averaged else 'plain'}.json"


class Calibrations:
    """Calibration files: `shipped` for the network, `own/NAME/` for collections. A new file is used at once."""

    def __init__(self, shipped: Path, own: Path, name: str) -> None:
        """Take the two folders and the file name of the network in use (see `file_name`)."""
        self._shipped = shipped
        self._own = own
        self._name = name
        self._read: dict[Path, tuple[int, Calibration]] = {}

    def path_of(self, collection: str) -> Path:
        """Return where the collection's own calibration for the network in use lies, or would."""
        return self._own / collection / self._name

    def of(self, collection: str) -> Calibration | None:
        """Return the calibration that holds for a collection; raises CalibrationInvalid for a damaged file."""
        for path in (self.path_of(collection), self._shipped / self._name):
            try:
                changed = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue
            known = self._read.get(path)
            if known is None or known[0] != changed:
                known = (changed, read_calibration(path))
                self._read[path] = known
            return known[1]
        return None
