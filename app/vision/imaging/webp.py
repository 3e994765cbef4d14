"""WebP files: the size of the canvas, read before the decoder allocates it (RFC 9649). Pure."""

import struct


def size(data: bytes) -> tuple[int, int]:
    """Return width and height; raises struct.error or ValueError if the first chunk lacks them."""
    kind = data[12:16]
    if kind == b"VP8X":
        across, down = data[24:27], data[27:30]
        if len(down) == 3:
            return int.from_bytes(across, "little") + 1, int.from_bytes(down, "little") + 1
    elif kind == b"VP8 ":
        across, down = struct.unpack_from("<HH", data, 26)
        return across & 0x3FFF, down & 0x3FFF
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise ValueError("the first chunk is not VP8, VP8L or VP8X")
