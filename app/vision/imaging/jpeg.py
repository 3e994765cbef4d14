"""JPEG files: the facts in their markers, read before any pixel is decoded, and the bytes that pixels need. Pure.

Markers and scans: ITU-T T.81 (1992), annexes B and G.
"""

import re
import struct
from dataclasses import dataclass, field

from app.errors import ImageDamaged, ImageTooCostly, ImageUnsupported
from app.vision.imaging import orientation

_EOI, _SOS, _DQT, _DRI, _DHT, _APP0, _APP1, _APP14 = 0xD9, 0xDA, 0xDB, 0xDD, 0xC4, 0xE0, 0xE1, 0xEE
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_OTHER_FRAMES = {
    0xC3: "lossless JPEG",
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE), "hierarchical JPEG"),
    **dict.fromkeys((0xC9, 0xCA, 0xCB), "JPEG with arithmetic coding"),
    0xF7: "JPEG-LS",
}
_REMEDY = "save it as a baseline JPEG of 8 bits, or as a PNG"
# Within a scan, 0xFF is followed by zero or starts a restart marker. Markers below 0xC0 cannot occur here.
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
_RESTARTS = tuple(bytes((0xFF, last)) for last in range(0xD0, 0xD8))
_MOST_SEGMENTS = 10_000
_MOST_SIDES = 4
_MOST_COMPONENTS = 4
_COEFFICIENTS = 64

END = b"\xff\xd9"
MOST_BLOCKS = 16_000_000
"""Most 8x8 blocks that all scans together may visit. A progressive photo of 50 megapixels from libjpeg without
subsampling has 11 million, a baseline one 3 million. A visit takes up to 45 ns, even without any bytes."""
_MOST_BLOCKS_WITHOUT_END = MOST_BLOCKS // 3  # a file without an end is decoded twice


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG before it is decoded.

    `blocks` counts the blocks that all scans visit, plus more for scans that refine coefficients (`_cost`). `data` is
    the file without metadata and with an end marker. `is_ended` is true if the file had that marker itself.
    """

    width: int
    height: int
    components: int
    orientation: int
    blocks: int
    is_ended: bool
    data: bytes

    def require_few_scans(self) -> None:
        """Raise ImageTooCostly if the scans visit too many blocks."""
        most = MOST_BLOCKS if self.is_ended else _MOST_BLOCKS_WITHOUT_END
        if self.blocks > most:
            raise ImageTooCostly(
                f"the scans of the JPEG take as long as {self.blocks:,} blocks of 8x8 pixels; at most {most:,} are "
                "accepted",
                "save it again as a baseline JPEG",
            )


def read(data: bytes) -> Jpeg:
    """Read the markers of a JPEG, to the end of its first picture.

    Raises ImageUnsupported for kinds of JPEG that are not decoded, ImageTooCostly for too many segments, and
    ImageDamaged if there is no complete picture.
    """
    reader = _Reader(data)
    reader.read()
    return reader.jpeg()


def _cost(blocks: int, refining: int) -> int:
    """Return the number of blocks that take as long as `blocks` and `refining` bytes of refinement scans together.

    A refinement byte takes up to 120 ns, so it counts as two blocks. A photo of 48 megapixels has up to 5 million. With
    them a file may take 1.5 times as long as without.
    """
    return max(blocks, 2 * (blocks + 2 * refining) // 3)


@dataclass(slots=True)
class _Component:
    across: int
    down: int
    blocks: int = 0
    own: int = 0
    missing: list[int] = field(default_factory=lambda: [-1] * _COEFFICIENTS)  # bits of each coefficient; -1: all


@dataclass(slots=True)
class _Reader:
    """Reader of the segments; it keeps those that pixels need."""

    data: bytes
    parts: list[bytes] = field(default_factory=lambda: [b"\xff\xd8"])
    components: dict[int, _Component] = field(default_factory=dict)
    width: int = 0
    height: int = 0
    frame: int = 0
    has_exif: bool = False
    orientation: int = 1
    blocks: int = 0
    refining: int = 0
    units: int = 0
    interval: int = 0
    lacks_restarts: bool = False
    is_ended: bool = False

    def read(self) -> None:
        at = 2
        for _ in range(_MOST_SEGMENTS):
            match = _MARKER.search(self.data, at)
            if match is None:
                return
            marker, start = self.data[match.end() - 1], match.end()
            if marker == _EOI:
                self.is_ended = True
                return
            length = int.from_bytes(self.data[start : start + 2], "big")
            segment = self.data[start + 2 : start + length]
            if length < 2 or len(segment) != length - 2:
                return
            at = start + length
            if marker == _SOS:
                self._scan(segment)
                following = _MARKER.search(self.data, at)
                at = len(self.data) if following is None else following.start()
                self._follow(segment, start + length, at)
            else:
                self._note(marker, segment)
            if self._is_needed(marker, segment):
                self.parts.append(self.data[match.start() : at])
        raise ImageTooCostly(f"the JPEG has more than {_MOST_SEGMENTS:,} segments", "save it again as an ordinary JPEG")

    def jpeg(self) -> Jpeg:
        if not self.blocks or not self.width or not self.height:
            raise ImageDamaged("JPEG")
        if not self.is_ended and any(max(part.missing) > 0 or min(part.missing) < 0 for part in self._all()):
            raise ImageDamaged("JPEG", "cut short: scans are missing")
        if not self.is_ended and self.lacks_restarts:
            raise ImageDamaged("JPEG", "cut short: restart markers are missing")
        data = b"".join(self.parts).rstrip(b"\xff") + END
        return Jpeg(
            self.width,
            self.height,
            len(self.components),
            self.orientation,
            _cost(self.blocks, self.refining),
            self.is_ended,
            data,
        )

    def _all(self) -> list[_Component]:
        return list(self.components.values())

    def _note(self, marker: int, segment: bytes) -> None:
        if marker in _OTHER_FRAMES:
            raise ImageUnsupported(f"a {_OTHER_FRAMES[marker]}", _REMEDY)
        if marker in {_BASELINE, _EXTENDED, _PROGRESSIVE}:
            self._start(marker, segment)
        elif marker == _DRI:
            self.interval = int.from_bytes(segment[:2], "big")
        elif marker == _APP1 and segment.startswith(b"Exif\0") and not self.has_exif:
            self.has_exif = True
            self.orientation = orientation.of_exif(segment[6:])

    def _start(self, marker: int, segment: bytes) -> None:
        try:
            depth, height, width, count = struct.unpack_from(">BHHB", segment)
            sizes = [(segment[at], segment[at + 1]) for at in range(6, 6 + 3 * count, 3)]
        except (struct.error, IndexError):
            raise ImageDamaged("JPEG", "damaged: its header is cut short") from None
        if depth != 8:
            raise ImageUnsupported(f"a {depth}-bit JPEG", _REMEDY)
        if self.components or not 1 <= count <= _MOST_COMPONENTS:
            raise ImageDamaged("JPEG", "damaged: its header is not valid")
        self.frame, self.width, self.height = marker, width, height
        self.components = {name: _Component(sampling >> 4, sampling & 15) for name, sampling in sizes}
        if not all(1 <= side <= _MOST_SIDES for part in self._all() for side in (part.across, part.down)):
            raise ImageDamaged("JPEG", "damaged: its sampling factors are not valid")
        across, down = max(part.across for part in self._all()), max(part.down for part in self._all())
        self.units = -(-width // (8 * across)) * -(-height // (8 * down))
        for part in self._all():
            part.blocks = self.units * part.across * part.down
            # In a separate scan, a component has no blocks beyond its edges (T.81, A.2.2).
            part.own = -(-width * part.across // (8 * across)) * -(-height * part.down // (8 * down))

    def _scan(self, segment: bytes) -> None:
        """Count the blocks of a scan, and note the bits of the coefficients that it adds."""
        count = segment[0] if segment else 0
        if len(segment) < 4 + 2 * count or not count or not self.components:
            raise ImageDamaged("JPEG", "damaged: a scan's header is not valid")
        first, last, bits = segment[1 + 2 * count], segment[2 + 2 * count], segment[3 + 2 * count] & 15
        if self.frame != _PROGRESSIVE:
            first, last, bits = 0, _COEFFICIENTS - 1, 0
        for name in segment[1 : 1 + 2 * count : 2]:
            component = self.components.get(name)
            if component is None:
                raise ImageDamaged("JPEG", "damaged: a scan names a component that does not exist")
            self.blocks += component.blocks
            for coefficient in range(first, min(last + 1, _COEFFICIENTS)):
                component.missing[coefficient] = bits

    def _follow(self, segment: bytes, start: int, end: int) -> None:
        """Count the bytes that refine coefficients, and note whether the scan lacks restart markers."""
        count = segment[0]
        if self.frame == _PROGRESSIVE and segment[1 + 2 * count] and segment[3 + 2 * count] >> 4:
            self.refining += end - start
        if self.interval:
            units = self.components[segment[1]].own if count == 1 else self.units
            restarts = sum(self.data.count(marker, start, end) for marker in _RESTARTS)
            self.lacks_restarts |= restarts < -(-units // self.interval) - 1

    def _is_needed(self, marker: int, segment: bytes) -> bool:
        """Return whether the pixels depend on a segment: tables, frames, scans, and colour information."""
        if marker == _APP14:
            return segment.startswith(b"Adobe")
        return marker in {_BASELINE, _EXTENDED, _PROGRESSIVE, _DHT, _SOS, _DQT, _DRI, _APP0}
