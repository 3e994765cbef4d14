"""Which calibration holds for a collection: its own, else the one that ships for the network in use, else none."""

from collections.abc import Callable
from pathlib import Path

from app.recognition.decisions.calibration.error_rates import Calibration, read_calibration


def file_name(*, network_sha256: str, detector: str, is_flip_averaged: bool) -> str:
    """Return the name of the calibration file of a network as it is used."""
    return f"{network_sha256[:16]}-{detector}-arcface112-{'flip' if is_flip_averaged else 'plain'}.json"


class Calibrations:
    """Calibration files: those that ship for the network, `own/NAME/` for collections. A new file is used at once."""

    def __init__(self, shipped: Path, own: Path, name_for: Callable[[bool], str]) -> None:
        """Take the two folders and the file name of the network in use, with or without flip averaging."""
        self._shipped = shipped
        self._own = own
        self._name_for = name_for
        self._read: dict[Path, tuple[int, Calibration]] = {}

    def path_of(self, collection: str, *, is_flip_averaged: bool) -> Path:
        """Return where the collection's own calibration for the network in use lies, or would."""
        return self._own / collection / self._name_for(is_flip_averaged)

    def of(self, collection: str, *, is_flip_averaged: bool) -> Calibration | None:
        """Return the calibration that holds for a collection; raises CalibrationInvalid for a damaged file."""
        own = self._current(self.path_of(collection, is_flip_averaged=is_flip_averaged))
        return own or self.shipped(is_flip_averaged=is_flip_averaged)

    def shipped(self, *, is_flip_averaged: bool) -> Calibration | None:
        """Return the calibration that ships for the network in use; raises CalibrationInvalid for a damaged file."""
        return self._current(self._shipped / self._name_for(is_flip_averaged))

    def _current(self, path: Path) -> Calibration | None:
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        known = self._read.get(path)
        if known is None or known[0] != changed:
            known = (changed, read_calibration(path))
            self._read[path] = known
        return known[1]
