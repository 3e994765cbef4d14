"""Errors for files that are not decoded name the format and the remedy."""

import io
import struct

import numpy as np
import pytest
from PIL import Image as Pillow

from app.errors import ImageDamaged, ImageUnsupported, NotAnImage, PhotoRefused
from app.vision.imaging.decode import Limits, decode


def iso(*brands: bytes) -> bytes:
    return struct.pack(">I4s4s4x", 16 + 4 * len(brands), b"ftyp", brands[0]) + b"".join(brands) + bytes(40)


def jpeg(frame: int, depth: int = 8) -> bytes:
    data = io.BytesIO()
    Pillow.new("RGB", (32, 32)).save(data, "JPEG")
    changed = bytearray(data.getvalue())
    at = changed.index(b"\xff\xc0")
    changed[at + 1], changed[at + 4] = frame, depth
    return bytes(changed)


def tiff(*, bits: int, form: int, samples: int, compression: int = 1, **more: int) -> bytes:
    tags = {256: 8, 257: 8, 258: bits, 259: compression, 262: 2 if samples > 1 else 1, 273: 200, 277: samples}
    tags |= {
        278: 8,
        279: 8 * 8 * samples * bits // 8,
        339: form,
        **{int(tag[1:]): value for tag, value in more.items()},
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return (b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)).ljust(200, b"\0") + bytes(8 * 8 * 32)


def saved(kind: str) -> bytes:
    data = io.BytesIO()
    Pillow.new("RGB", (8, 8)).save(data, kind)
    return data.getvalue()


NAMED = {
    "JPEG 2000": (saved("JPEG2000"), "JPEG 2000"),
    "JPEG 2000 codestream": (b"\xff\x4f\xff\x51" + bytes(40), "JPEG 2000"),
    "JPEG XL": (b"\xff\x0a" + bytes(40), "JPEG XL"),
    "JPEG XL in boxes": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "JPEG XL"),
    "JPEG XR": (b"II\xbc\x01" + bytes(40), "JPEG XR"),
    "12 bits": (jpeg(0xC1, 12), "12-bit JPEG"),
    "lossless": (jpeg(0xC3), "lossless JPEG"),
    "arithmetic": (jpeg(0xC9), "arithmetic"),
    "hierarchical": (jpeg(0xC5), "hierarchical"),
    "JPEG-LS": (jpeg(0xF7), "JPEG-LS"),
    "floats": (tiff(bits=32, form=3, samples=3), "floating-point"),
    "half floats": (tiff(bits=16, form=3, samples=1), "floating-point"),
    "signed bytes": (tiff(bits=8, form=2, samples=1), "1 signed sample of 8 bits"),
    "signed 16 bits": (tiff(bits=16, form=2, samples=1), "1 signed sample of 16 bits"),
    "signed 32 bits": (tiff(bits=32, form=2, samples=1), "1 signed sample of 32 bits"),
    "32 bits": (tiff(bits=32, form=1, samples=1), "1 sample of 32 bits"),
    "16 bits, white is 0": (tiff(bits=16, form=1, samples=1, _262=0), "16 bits a pixel in which 0 is white"),
    "floats, white is 0": (tiff(bits=32, form=3, samples=1, _262=0), "32 bits a pixel in which 0 is white"),
    "LZMA": (tiff(bits=8, form=1, samples=1, compression=34925), "LZMA"),
    "TIFF of JPEG 2000": (tiff(bits=8, form=1, samples=1, compression=34712), "JPEG 2000"),
    "DNG": (tiff(bits=8, form=1, samples=1, _50706=4), "RAW"),
    "NEF": (tiff(bits=8, form=1, samples=1, _254=1, _330=100), "RAW"),
    "CR3": (iso(b"crx "), "Canon RAW"),
    "CR2": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(40), "RAW"),
    "SVG": (b"<?xml version='1.0'?>\n<!-- x -->\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "SVG in UTF-16": ("\ufeff<svg/>".encode("utf-16-le"), "SVG"),
    "Photoshop": (b"8BPS" + bytes(40), "Photoshop"),
    "icon": (saved("ICO"), "ICO"),
    "PNM": (saved("PPM"), "PNM"),
    "EPS": (saved("EPS"), "PostScript"),
    "DDS": (saved("DDS"), "DDS"),
    "PCX": (saved("PCX"), "PCX"),
    "QOI": (b"qoif" + bytes(40), "QOI"),
}
OTHERS = {
    "PDF": (b"%PDF-1.7\n", "PDF"),
    "MP4": (iso(b"isom", b"iso2", b"avc1"), "video"),
    "QuickTime": (iso(b"qt  "), "video"),
    "Matroska": (b"\x1a\x45\xdf\xa3" + bytes(40), "video"),
    "AVI": (b"RIFF\x24\0\0\0AVI LIST" + bytes(40), "video"),
    "HTML": (b"\n<!DOCTYPE html><html><svg></svg></html>", "HTML"),
    "ZIP": (b"PK\3\4" + bytes(40), "ZIP"),
    "data: URL": (b"data:image/png;base64,iVBORw0KGgo=", "data: URL"),
    "nothing": (b"", "empty"),
}


def refused(data: bytes) -> PhotoRefused:
    with pytest.raises(PhotoRefused) as refusal:
        decode(data, Limits())
    return refusal.value


@pytest.mark.parametrize("name", NAMED)
def test_a_picture_that_is_not_decoded_is_named(name: str):
    data, word = NAMED[name]
    error = refused(data)
    assert isinstance(error, ImageUnsupported)
    assert word in str(error)
    assert "; save it as" in str(error)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_picture_is_named(name: str):
    data, word = OTHERS[name]
    error = refused(data)
    assert isinstance(error, NotAnImage)
    assert word in str(error)


@pytest.mark.parametrize("data", [b"hello", bytes(1000), np.random.default_rng(1).bytes(1000)])
def test_what_has_no_name_is_no_image(data: bytes):
    assert isinstance(refused(data), NotAnImage)


def test_a_damaged_tiff_is_not_called_unsupported():
    data = tiff(bits=8, form=1, samples=1)
    assert isinstance(refused(data[:40]), ImageDamaged)
    assert isinstance(refused(data[:210]), ImageDamaged)
    assert decode(data, Limits()).pixels.shape == (8, 8, 3)
