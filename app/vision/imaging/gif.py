"""GIF files: a bound on the blocks before the first picture. Pure."""

from app.errors import ImageDamaged, ImageTooCostly

_HEADER = 13
_MOST_BLOCKS = 100_000
_EXTENSION, _PICTURE = 0x21, 0x2C


def require_few_blocks(data: bytes) -> None:
    """Raise ImageTooCostly if too many blocks precede the first picture, ImageDamaged if there is no picture."""
    try:
        flags, at = data[10], _HEADER
        at += 3 * (2 << (flags & 7)) if flags & 0x80 else 0
        is_inside = False
        for _ in range(_MOST_BLOCKS):
            if is_inside:
                length = data[at]
                at += length + 1
                is_inside = length > 0
            elif data[at] == _EXTENSION:
                at += 2
                is_inside = True
            elif data[at] == _PICTURE:
                return
            else:
                at += 1
    except IndexError:
        raise ImageDamaged("GIF") from None
    raise ImageTooCostly(f"the GIF has more than {_MOST_BLOCKS:,} blocks before its picture")
