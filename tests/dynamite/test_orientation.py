"""Orientations against what Chromium 156 shows for each file (JPEG and PNG alike)."""

import io
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from dynamite.orientation import decode_upright, orientation, upright

ORIENTATION, EXIF_IFD, GPS_IFD, RESOLUTION_UNIT = 0x0112, 0x8769, 0x8825, 0x0128
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SSHORT, SLONG, IFD = 1, 2, 3, 4, 5, 7, 8, 9, 13
SECOND = 38
"""Where a directory after one of two entries starts."""

picture = np.zeros((16, 32, 3), np.uint8)
picture[:8, :16] = 255
JPEG = cv2.imencode(".jpg", picture)[1].tobytes()
PNG = cv2.imencode(".png", picture)[1].tobytes()


def entry(value, kind=SHORT, count=1, tag=ORIENTATION, order="<"):
    form = {SHORT: "H", SSHORT: "h", BYTE: "B", ASCII: "B", UNDEFINED: "B"}.get(kind, "I")
    content = struct.pack(order + form, value).ljust(4, b"\0")
    return struct.pack(order + "HHI", tag, kind, count) + content


def pointer(to, kind=LONG, count=1, tag=EXIF_IFD):
    return struct.pack("<HHII", tag, kind, count, to)


def directory(*entries, order="<"):
    return struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)


def tiff(*entries, order="<", magic=42, offset=8, more=b""):
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", magic, offset)
    return head.ljust(min(offset, 16), b"\0") + directory(*entries, order=order) + more


def segment(body, mark=0xE1):
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(body) + 2) + body


def chunk(kind, body, crc=None):
    crc = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def exif(block):
    return segment(b"Exif\0\0" + block)


def jpeg(*segments, before=None):
    place = 2 if before is None else JPEG.index(before)
    return JPEG[:place] + b"".join(segments) + JPEG[place:]


def png(*chunks, before=b"IDAT"):
    place = PNG.index(before) - 4
    return PNG[:place] + b"".join(chunks) + PNG[place:]


def read(data):
    return orientation(io.BytesIO(data))


SIX, THREE = tiff(entry(6)), tiff(entry(3))
NONE = tiff(entry(1, tag=RESOLUTION_UNIT))
other = entry(1, tag=RESOLUTION_UNIT)

BLOCKS = {
    "little-endian": (SIX, 6),
    "big-endian": (tiff(entry(6, order=">"), order=">"), 6),
    **{f"type {kind}": (tiff(entry(6, kind)), 1) for kind in (0, 1, 2, 4, 5, 6, 7, 8, 9, 13)},
    **{f"count {count}": (tiff(entry(6, count=count)), 1) for count in (0, 2, 2**31)},
    "value 0": (tiff(entry(0)), 1),
    "value 9": (tiff(entry(9)), 1),
    "magic 43": (tiff(entry(6), magic=43), 1),
    "no byte order": (b"XX" + SIX[2:], 1),
    "directory at 10": (tiff(entry(6), offset=10), 6),
    "directory at 0": (SIX[:4] + bytes(4) + SIX[8:], 1),
    "directory outside": (tiff(entry(6), offset=5000), 1),
    "more entries said than there": (SIX[:8] + b"\xf4\1" + SIX[10:], 6),
    "no pointer behind the entries": (SIX[:-4], 6),
    "entry cut": (SIX[:-6], 1),
    "the first of two": (tiff(entry(6), entry(3)), 6),
    "the first usable: type": (tiff(entry(6, LONG), entry(8)), 8),
    "the first usable: value": (tiff(entry(9), entry(8)), 8),
    "unsorted": (tiff(other, entry(6)), 6),
    "in the second directory": (SIX[:8] + NONE[8:-4] + b"\x1a\0\0\0" + directory(entry(6)), 1),
    "in the Exif IFD": (tiff(other, pointer(SECOND), more=directory(entry(6))), 6),
    "before the Exif IFD": (tiff(entry(3), pointer(SECOND), more=directory(entry(6))), 3),
    "after the Exif IFD": (tiff(pointer(SECOND), entry(3), more=directory(entry(6))), 6),
    "a LONG before the Exif IFD": (
        tiff(entry(6, LONG), pointer(SECOND), more=directory(entry(6))),
        6,
    ),
    "Exif IFD by a SHORT": (tiff(other, pointer(SECOND, SHORT), more=directory(entry(6))), 1),
    "Exif IFD of count 2": (tiff(other, pointer(SECOND, count=2), more=directory(entry(6))), 1),
    "the second Exif IFD": (
        tiff(pointer(SECOND), pointer(SECOND + 18), more=directory(other) + directory(entry(6))),
        1,
    ),
    "in the Exif IFD's own": (
        tiff(other, pointer(SECOND), more=directory(pointer(SECOND + 18)) + directory(entry(6))),
        1,
    ),
    "in the GPS IFD": (tiff(other, pointer(SECOND, tag=GPS_IFD), more=directory(entry(6))), 1),
    "itself as Exif IFD": (tiff(other, pointer(8)), 1),
    "rubbish": (b"rubbish", 1),
    "empty": (b"", 1),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_of_exif_is_read_as_by_chromium(name):
    block, shown = BLOCKS[name]
    assert read(jpeg(exif(block))) == shown
    assert read(png(chunk(b"eXIf", block))) == shown


JPEGS = {
    "none": (JPEG, 1),
    "two segments": (jpeg(exif(SIX), exif(THREE)), 6),
    "the first has none": (jpeg(exif(NONE), exif(SIX)), 1),
    "the first is broken": (jpeg(exif(b"rubbish"), exif(SIX)), 1),
    "the first is too short": (jpeg(segment(b"Exif\0"), exif(SIX)), 6),
    "the first is empty": (jpeg(exif(b""), exif(SIX)), 6),
    "the first is one byte": (jpeg(exif(b"I"), exif(SIX)), 1),
    "any byte behind the name": (jpeg(segment(b"Exif\0\xff" + SIX)), 6),
    "another name": (jpeg(segment(b"exif\0\0" + SIX)), 1),
    "no name": (jpeg(segment(SIX)), 1),
    "in APP2": (jpeg(segment(b"Exif\0\0" + SIX, 0xE2)), 1),
    "split": (jpeg(exif(SIX[:12]), exif(SIX[12:])), 1),
    "behind XMP": (jpeg(segment(b"http://ns.adobe.com/xap/1.0/\0<x/>"), exif(SIX)), 6),
    "behind a comment": (jpeg(segment(b"hello", 0xFE), exif(SIX)), 6),
    "fill bytes": (jpeg(b"\xff\xff\xff" + exif(SIX)), 6),
    "before the frame": (jpeg(exif(SIX), before=b"\xff\xc0"), 6),
    "before the scan": (jpeg(exif(SIX), before=b"\xff\xda"), 6),
    "before the end": (jpeg(exif(SIX), before=b"\xff\xd9"), 1),
    "behind the end": (JPEG + exif(SIX), 1),
    "cut": (jpeg(exif(SIX))[:9], 1),
}
PNGS = {
    "none": (PNG, 1),
    "before the pixels": (png(chunk(b"eXIf", SIX)), 6),
    "behind the pixels": (png(chunk(b"eXIf", SIX), before=b"IEND"), 1),
    "behind the end": (PNG + chunk(b"eXIf", SIX), 1),
    "two chunks": (png(chunk(b"eXIf", SIX), chunk(b"eXIf", THREE)), 6),
    "the first has none": (png(chunk(b"eXIf", NONE), chunk(b"eXIf", SIX)), 1),
    "the first is empty": (png(chunk(b"eXIf", b""), chunk(b"eXIf", SIX)), 1),
    "a wrong checksum": (png(chunk(b"eXIf", SIX, 1)), 1),
    "the first has a wrong checksum": (png(chunk(b"eXIf", THREE, 1), chunk(b"eXIf", SIX)), 6),
    "with the name of JPEG": (png(chunk(b"eXIf", b"Exif\0\0" + SIX)), 1),
    "as text": (png(chunk(b"tEXt", b"Raw profile type exif\0" + SIX.hex().encode())), 1),
    "a length that lies": (png(b"\xff\xff\xff\xffeXIf" + SIX), 1),
    "cut": (PNG[:10], 1),
}


@pytest.mark.parametrize(("data", "shown"), JPEGS.values(), ids=JPEGS)
def test_the_segment_of_a_jpeg_is_chosen_as_by_chromium(data, shown):
    assert read(data) == shown


@pytest.mark.parametrize(("data", "shown"), PNGS.values(), ids=PNGS)
def test_the_chunk_of_a_png_is_chosen_as_by_chromium(data, shown):
    assert read(data) == shown


@pytest.mark.parametrize(("kind", "shown"), [("AVIF", 6), ("WEBP", 1), ("GIF", 1), ("TIFF", 1)])
def test_other_formats(kind, shown):
    tags = Image.Exif()
    tags[ORIENTATION] = 6
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **({} if kind == "GIF" else {"exif": tags}))
    assert orientation(file) == shown


@pytest.mark.parametrize("value", range(1, 9))
def test_pixels_are_turned_as_opencv_turns_them(value):
    pixels = np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)
    data = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
    place = data.index(b"IDAT") - 4
    data = data[:place] + chunk(b"eXIf", tiff(entry(value))) + data[place:]
    turned = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(upright(pixels, value), turned)
    np.testing.assert_array_equal(decode_upright(data), turned)


def test_what_opencv_cannot_read():
    assert decode_upright(b"") is None
    assert decode_upright(b"hello") is None


@pytest.mark.parametrize(
    "data", [JPEG[:2] + b"\xff" * 3_000_000, png(chunk(b"teXt", b"") * 300_000)]
)
def test_endless_parts_are_given_up(data):
    before = time.process_time()
    assert read(data) == 1
    assert time.process_time() - before < 1
