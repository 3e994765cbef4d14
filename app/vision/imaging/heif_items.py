"""HEIF files: what their main picture costs to decode, and the file without its metadata. Pure.

Boxes: ISO/IEC 23008-12 and 14496-12.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.errors import ImageDamaged, ImageTooCostly, ImageUnsupported
from app.vision.imaging import hevc
from app.vision.imaging.iso import Cursor, Extents, boxes, locations

_CODED = b"hvc1"
_DERIVED = (b"grid", b"iovl", b"iden")
_NAMES: Mapping[bytes, str] = {
    b"av01": "AV1",
    b"avc1": "H.264",
    b"j2k1": "JPEG 2000",
    b"jpeg": "JPEG",
    b"unci": "no codec",
    b"vvc1": "VVC",
}
_SAVE = "save it as a JPEG or PNG"
_DEEPEST = 4
_MOST_REFERENCES = 100_000
_ALPHA = (b"urn:mpeg:hevc:2015:auxid:1\0", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")
_PROFILES = (b"prof", b"rICC")


@dataclass(frozen=True, slots=True)
class Cost:
    """Pixels that the main picture codes or allocates, and bytes of its streams. A part counts each time it is used."""

    pixels: int
    bytes: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.pixels + other.pixels, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class Heif:
    """A HEIF file without colour profiles and metadata of its pictures, and the cost of its main picture."""

    data: bytes
    cost: Cost


def read(data: bytes) -> Heif:
    """Read the boxes of a HEIF file.

    Raises:
        ImageDamaged: If they cannot be followed.
        ImageTooCostly: If there are too many.
        ImageUnsupported: If the main picture is not HEVC.
    """
    try:
        found = list(boxes(data, 0, len(data)))
        kinds = [kind for kind, _, _ in found]
        if b"meta" not in kinds and b"moov" in kinds:
            raise ImageUnsupported("a HEIF sequence without a still picture", _SAVE)
        [(start, end)] = [(start, end) for kind, start, end in found if kind == b"meta"]  # a second one is an error
        items = _items(data, start + 4, end)
        return Heif(_without_metadata(data, items), items.cost(items.main, 0))
    except (struct.error, IndexError, KeyError, ValueError):
        raise ImageDamaged("HEIC") from None


@dataclass(slots=True)
class _Items:
    """The items of a file: kinds, extents, references by kind as (from, to), properties as boxes."""

    data: bytes
    main: int
    kinds: Mapping[int, bytes]
    extents: Mapping[int, Extents]
    references: list[tuple[bytes, int, tuple[int, ...]]]
    properties: Mapping[int, Mapping[bytes, bytes]]
    removable: list[int]
    known: dict[int, Cost] = field(default_factory=dict)

    def cost(self, item: int, depth: int) -> Cost:
        """Return the cost of a picture with its tiles and its alpha plane."""
        if depth > _DEEPEST:
            raise ImageTooCostly("the pictures of the HEIC contain each other too deeply")
        if item not in self.known:
            own = self._coded(item) if self.kinds[item] == _CODED else self._derived(item, depth)
            for kind, source, targets in self.references:
                if kind == b"auxl" and item in targets and self._is_alpha(source):
                    own += self.cost(source, depth + 1)
            self.known[item] = own
        return self.known[item]

    def _coded(self, item: int) -> Cost:
        stream = self._content(item)
        return Cost(hevc.coded_pixels(self.properties[item][b"hvcC"], stream), len(stream))

    def _derived(self, item: int, depth: int) -> Cost:
        kind = self.kinds[item]
        if kind not in _DERIVED:
            name = _NAMES.get(kind, f"of the kind {kind.decode('latin-1')!r}")
            raise ImageUnsupported(f"a HEIF picture in {name}" if kind in _NAMES else f"a HEIF picture {name}", _SAVE)
        own = Cost(_canvas(kind, self._content(item)) if kind != b"iden" else 0, 0)
        for reference, source, targets in self.references:
            if reference == b"dimg" and source == item:
                for target in targets:
                    own += self.cost(target, depth + 1)
        return own

    def _is_alpha(self, item: int) -> bool:
        return self.properties.get(item, {}).get(b"auxC", b"")[4:].startswith(_ALPHA)

    def _content(self, item: int) -> bytes:
        """Return the bytes of an item; raises ValueError if the file ends before them, or if they are larger."""
        extents = self.extents[item]
        pieces = [self.data[at : at + length] if length else self.data[at:] for at, length in extents]
        is_whole = all(len(piece) == length or not length for piece, (_, length) in zip(pieces, extents, strict=True))
        if not is_whole or sum(map(len, pieces)) > len(self.data):
            raise ValueError("an item is not within the file")
        return b"".join(pieces)


def _canvas(kind: bytes, content: bytes) -> int:
    """Return the pixels of the picture that a grid or an overlay makes."""
    if kind == b"grid":
        width, height = struct.unpack_from(">II" if content[1] & 1 else ">HH", content, 4)
    else:
        width, height = struct.unpack_from(">II" if content[1] & 1 else ">HH", content, 10)
    return int(width * height)


def _items(data: bytes, start: int, end: int) -> _Items:
    inside: dict[bytes, tuple[int, int]] = {}
    for kind, first, last in boxes(data, start, end):
        if kind in inside and kind != b"free":
            raise ValueError("a box occurs twice: decoders differ in which one they read")
        inside[kind] = (first, last)
    at = inside[b"pitm"][0]
    references, described = _references(data, *inside[b"iref"]) if b"iref" in inside else ([], [])
    properties, profiles = _properties(data, *inside[b"iprp"])
    return _Items(
        data,
        main=Cursor(data, at + 4).number(4 if data[at] else 2),
        kinds=_kinds(data, *inside[b"iinf"]),
        extents=locations(data, inside[b"iloc"][0], inside.get(b"idat", (0, 0))[0]),
        references=references,
        properties=properties,
        removable=described + profiles,
    )


def _kinds(data: bytes, start: int, end: int) -> Mapping[int, bytes]:
    kinds: dict[int, bytes] = {}
    for kind, at, _ in boxes(data, start + (6 if data[start] == 0 else 8), end):
        if kind == b"infe" and data[at] >= 2:
            item, name = struct.unpack_from(">I2x4s" if data[at] > 2 else ">H2x4s", data, at + 4)
            if item in kinds:
                raise ValueError("an item occurs twice")
            kinds[item] = name
    return kinds


def _references(data: bytes, start: int, end: int) -> tuple[list[tuple[bytes, int, tuple[int, ...]]], list[int]]:
    """Return the references between items, and the positions of those that give metadata to pictures."""
    references, described, count = [], [], 0
    width = 4 if data[start] else 2
    for kind, at, _ in boxes(data, start + 4, end):
        cursor = Cursor(data, at)
        source = cursor.number(width)
        targets = tuple(cursor.number(width) for _ in range(cursor.number(2)))
        count += 1 + len(targets)
        if count > _MOST_REFERENCES:
            raise ImageTooCostly(f"the HEIC has more than {_MOST_REFERENCES:,} references")
        references.append((kind, source, targets))
        if kind == b"cdsc":
            described.append(at - 4)
    return references, described


def _properties(data: bytes, start: int, end: int) -> tuple[Mapping[int, Mapping[bytes, bytes]], list[int]]:
    """Return the properties of items that matter here, and the positions of colour profiles."""
    inside = list(boxes(data, start, end))
    [(first, last)] = [(first, last) for kind, first, last in inside if kind == b"ipco"]
    known = list(boxes(data, first, last))
    properties: dict[int, dict[bytes, bytes]] = {}
    for item, index in (pair for kind, at, _ in inside if kind == b"ipma" for pair in _associations(data, at)):
        own = properties.setdefault(item, {})
        kind, at, stop = known[index - 1] if 0 < index <= len(known) else (b"", 0, 0)
        if kind in {b"hvcC", b"auxC"}:
            if kind in own:
                raise ValueError("an item has two configurations")
            own[kind] = data[at:stop]
    return properties, [at - 4 for kind, at, _ in known if kind == b"colr" and data[at : at + 4] in _PROFILES]


def _associations(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield pairs of an item and the number of one of its properties, from 1."""
    cursor = Cursor(data, at + 4)
    is_long = data[at + 3] & 1
    for _ in range(cursor.number(4)):
        item = cursor.number(4 if data[at] else 2)
        for _ in range(cursor.number(1)):
            yield item, cursor.number(2) & 0x7FFF if is_long else cursor.number(1) & 0x7F


def _without_metadata(data: bytes, items: _Items) -> bytes:
    """Return the file with its profiles and references to metadata renamed: their decoder copies them per picture."""
    changed = bytearray(data)
    for at in items.removable:
        changed[at : at + 4] = b"free"
    return bytes(changed)
