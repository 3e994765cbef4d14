"""File formats that are not decoded: recognized by their first bytes, and named in the error. Pure."""

from collections.abc import Sequence

from app.errors import ImageUnsupported, NotAnImage, PhotoRefused

_SAVE = "save it as a JPEG or PNG"
_BRANDS = 12  # most compatible brands of an ISO file that are compared

_HEIC = b"heic heix hevc hevx heim heis hevm hevs".split()
_HEIF = b"mif1 mif2 msf1 miaf".split()
_VIDEO = (
    *(b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"mp4v", b"mmp4", b"avc1", b"M4V ", b"M4VP"),
    *(b"qt  ", b"3gp4", b"3gp5", b"3gp6", b"3g2a", b"dash", b"f4v "),
)
_AVIF = (b"avif", b"avis")

# Pictures: offset of the signature, signature, name.
_PICTURES: Sequence[tuple[int, bytes, str]] = (
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"II\xbc\x01", "JPEG XR"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"8BPS", "Photoshop (PSD)"),
    (0, b"gimp xcf", "GIMP (XCF)"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"qoif", "QOI"),
    (0, b"DDS ", "DDS"),
    (0, b"\xabKTX ", "KTX texture"),
    (0, b"\x00\x00\x01\x00", "icon (ICO)"),
    (0, b"icns", "Apple icon (ICNS)"),
    (0, b"FUJIFILMCCD-RAW", "Fujifilm RAW"),
    (0, b"IIRO", "Olympus RAW"),
    (0, b"IIRS", "Olympus RAW"),
    (0, b"MMOR", "Olympus RAW"),
    (0, b"IIU\x00", "Panasonic RAW"),
    (0, b"FOVb", "Sigma RAW"),
    (0, b"\x00MRM", "Minolta RAW"),
    (0, b"II\x1a\x00\x00\x00HEAPCCDR", "Canon RAW"),
    (0, b"SIMPLE  =", "FITS"),
    (128, b"DICM", "DICOM"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"\xd7\xcd\xc6\x9a", "Windows metafile (WMF)"),
    (40, b" EMF", "Windows metafile (EMF)"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"\x01\xda", "SGI"),
    (0, b"\x0a\x05\x01\x08", "PCX"),
    (0, b"/* XPM", "XPM"),
    (0, b"FLIF", "FLIF"),
    (0, b"\x97JB2\r\n\x1a\n", "JBIG2"),
    (0, b"\x8aMNG", "MNG"),
    (0, b"\x8bJNG", "JNG"),
    *((0, b"P" + bytes([digit]), "PNM") for digit in b"1234567Ff"),
)
# Files that are not pictures.
_OTHERS: Sequence[tuple[int, bytes, str]] = (
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP file"),
    (0, b"PK\x05\x06", "a ZIP file"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"\xfd7zXZ\x00", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
    (0, b"Rar!\x1a\x07", "a RAR file"),
    (257, b"ustar", "a tar file"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    (8, b"AVI ", "a video (AVI)"),
    (0, b"FLV\x01", "a video (Flash)"),
    (0, b"\x00\x00\x01\xba", "a video (MPEG)"),
    (0, b"\x00\x00\x01\xb3", "a video (MPEG)"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video (WMV)"),
    (4, b"moov", "a video (QuickTime)"),
    (4, b"mdat", "a video (QuickTime)"),
    (4, b"wide", "a video (QuickTime)"),
    (0, b"ID3", "a sound file"),
    (0, b"OggS", "a sound or video file (Ogg)"),
    (0, b"fLaC", "a sound file"),
    (8, b"WAVE", "a sound file"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"version https://git-lfs", "a pointer to a file in Git LFS, not the file"),
    (0, b"data:", "a data: URL, not the bytes that it stands for"),
)
_MARKUP: Sequence[tuple[bytes, str]] = (
    (b"<svg", "SVG"),
    (b"<!doctype html", "HTML"),
    (b"<html", "HTML"),
    (b"<head", "HTML"),
    (b"<body", "HTML"),
)
_MARKUP_WITHIN = 1024
_LONGEST_TEXT = 100


def is_avif(data: bytes) -> bool:
    """Return whether a file is AVIF by its main brand, or by a compatible brand if the main one is generic."""
    brands = _brands(data)
    return bool(brands) and (brands[0] in _AVIF or (brands[0] in _HEIF and any(brand in _AVIF for brand in brands)))


def is_heif(data: bytes) -> bool:
    """Return whether a file is HEIC or another HEIF by its brands, and not AVIF."""
    brands = _brands(data)
    is_heic = bool(brands) and (brands[0] in _HEIC + _HEIF or any(brand in _HEIC for brand in brands))
    return is_heic and not is_avif(data)


def refusal(data: bytes, formats: Sequence[str]) -> PhotoRefused:
    """Return the error for a file that is not one of the decoded `formats`; it names the file's format if known."""
    if not data:
        return NotAnImage("the photo is empty: it has 0 bytes")
    if name := _picture(data):
        return ImageUnsupported(f"of the kind {name}", _SAVE)
    accepted = ", ".join(formats)
    if name := _other(data):
        return NotAnImage(f"the bytes are {name}, not a photo; send one of {accepted}")
    if _is_short_text(data):
        return NotAnImage(f"the bytes are a short text, not an image; send one of {accepted}")
    return NotAnImage(f"the bytes are not an image of a supported format ({accepted})")


def _is_short_text(data: bytes) -> bool:
    """Return whether bytes are a short line of text, such as the name of a file."""
    return len(data) <= _LONGEST_TEXT and data.isascii() and data.decode("ascii").strip().isprintable()


def _picture(data: bytes) -> str | None:
    brands = _brands(data)
    if brands:
        return _iso(brands)
    named = next((name for at, start, name in _PICTURES if data.startswith(start, at)), None)
    return "SVG" if named is None and _markup(data) == "SVG" else named


def _other(data: bytes) -> str | None:
    if any(brand in _VIDEO for brand in _brands(data)):
        return "a video (MP4 or QuickTime)"
    if _markup(data) == "HTML":
        return "a page of HTML"
    return next((name for at, start, name in _OTHERS if data.startswith(start, at)), None)


def _iso(brands: Sequence[bytes]) -> str | None:
    """Return the format of a picture in an ISO file by its brands; the first is the main brand."""
    if brands[0] == b"crx ":
        return "Canon RAW (CR3)"
    if brands[0] in (b"jp2 ", b"jpx ", b"jpm "):
        return "JPEG 2000"
    return None if any(brand in _VIDEO for brand in brands) else f"ISO file of the brand {_text(brands[0])}"


def _brands(data: bytes) -> Sequence[bytes]:
    if data[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(data[:4], "big"), len(data), 16 + 4 * _BRANDS)
    return (data[8:12], *(data[at : at + 4] for at in range(16, end, 4)))


def _text(brand: bytes) -> str:
    return repr(brand.decode("latin-1"))


def _markup(data: bytes) -> str | None:
    start = data[:_MARKUP_WITHIN].removeprefix(b"\xef\xbb\xbf")
    text = (start.decode("utf-16", "ignore").encode() if start[:2] in (b"\xff\xfe", b"\xfe\xff") else start).lower()
    if not text.lstrip().startswith(b"<"):
        return None
    matches = [(text.find(tag), name) for tag, name in _MARKUP if tag in text]
    return min(matches)[1] if matches else None
