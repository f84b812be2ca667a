"""Small files that would cost minutes or gigabytes are refused before anything is decoded."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from backend.errors import ImageUnreadableError
from backend.images import decode as module
from backend.images import rgb
from backend.images.decode import decode
from backend.images.file_parts import MAX_PARTS, MAX_RUN_BYTES
from backend.images.jpeg_scans import MAX_SCANS
from backend.images.tiff_layout import MAX_PIECES

pytestmark = pytest.mark.security

CAP = 50_000_000


def jpeg(side=64, **how):
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", **how)
    return file.getvalue()


def with_scans(count):
    data = jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (count - data.count(b"\xff\xda")) + b"\xff\xd9"


def tiff(width, height, tile, pieces=1, *, order="<", big=False, kind=4, extra=()):
    """One deflated tile, repeated."""
    tile_width, tile_height = tile
    blob = zlib.compress(bytes(min(tile_width * tile_height, 2**20)))
    start = 16 if big else 8
    entry = "HHQQ" if big else "HHII"
    values = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
        (322, kind, 1, tile_width),
        (323, kind, 1, tile_height),
    ]
    at = start + 16 + (len(values) + 2 + len(extra)) * struct.calcsize(order + entry)
    offsets, sizes = at + len(blob), at + len(blob) + (8 if big else 4) * pieces
    numbers, letter = (16, "Q") if big else (4, "I")
    values += [(324, numbers, pieces, offsets if pieces > 1 else at)]
    values += [(325, numbers, pieces, sizes if pieces > 1 else len(blob)), *extra]
    marks = ("II" if order == "<" else "MM").encode()
    head = struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    body = struct.pack(order + ("Q" if big else "H"), len(values))
    for tag, its, count, value in values:
        short = its == 3 and order == ">"
        field = value << (48 if big else 16) if short else value
        body += struct.pack(order + entry, tag, its, count, field)
    file = (marks + head + body).ljust(at, b"\0") + blob
    if pieces == 1:
        return file
    return file + b"".join(struct.pack(order + letter, n) * pieces for n in (at, len(blob)))


@pytest.fixture
def undecoded(monkeypatch):
    def refuse(*_):
        raise AssertionError("it has been decoded")

    monkeypatch.setattr(module, "_pixels", refuse)


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize("count", [MAX_SCANS + 1, 1000])
def test_a_jpeg_with_very_many_scans_is_refused(count):
    with pytest.raises(ImageUnreadableError, match=f"more than {MAX_SCANS} scans"):
        decode(with_scans(count), max_pixels=CAP)


def test_ordinary_progressive_jpegs_and_thumbnails_with_scans_are_decoded():
    assert decode(with_scans(MAX_SCANS), max_pixels=CAP).shape == (64, 64, 3)
    thumbnail = jpeg(8, progressive=True) * 100
    comments = b"".join(
        b"\xff\xfe" + struct.pack(">H", len(part) + 2) + part
        for part in (thumbnail[i : i + 60_000] for i in range(0, len(thumbnail), 60_000))
    )
    data = jpeg()
    assert thumbnail.count(b"\xff\xda") > MAX_SCANS
    assert decode(data[:2] + comments + data[2:], max_pixels=CAP).shape == (64, 64, 3)
    assert decode(data + thumbnail, max_pixels=CAP).shape == (64, 64, 3)


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize("side", [7000, 2000])
def test_a_jpeg_too_short_for_its_claim_is_damaged(side):
    data = bytearray(jpeg(8))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", side, side)
    with pytest.raises(ImageUnreadableError, match=f"damaged.*{side}×{side} pixels"):
        decode(bytes(data), max_pixels=CAP)


@pytest.mark.parametrize("how", [{}, {"progressive": True, "optimize": True}])
def test_the_emptiest_jpegs_are_long_enough(how):
    file = io.BytesIO()
    Image.new("L", (5000, 5000), 128).save(file, "JPEG", quality=1, **how)
    assert decode(file.getvalue(), max_pixels=CAP).shape == (5000, 5000, 3)


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize("form", [{}, {"order": ">"}, {"big": True}, {"kind": 9}])
def test_a_tiff_with_tiles_far_larger_than_the_picture_is_refused(form):
    for width, height, tile, pieces in (
        (64, 64, (32_752,) * 2, 1),
        (1, 64_000, (32_752, 16), 4000),
    ):
        with pytest.raises(ImageUnreadableError, match=f"{width}×{height} pixels, but {pieces}"):
            decode(tiff(width, height, tile, pieces, **form), max_pixels=CAP)


@pytest.mark.usefixtures("undecoded")
def test_a_second_entry_hides_no_tiles():
    for extra in ((322, 4, 1, 16), (1000, 16, 1, 0)):
        with pytest.raises(ImageUnreadableError, match="64×64 pixels, but 1 tiles"):
            decode(tiff(64, 64, (32_752, 32_752), extra=(extra,)), max_pixels=CAP)


@pytest.mark.usefixtures("undecoded")
def test_a_tiff_in_very_many_pieces_is_refused():
    with pytest.raises(ImageUnreadableError, match=f"{MAX_PIECES + 1} pieces"):
        decode(tiff(16, 16, (16, 16), MAX_PIECES + 1), max_pixels=CAP)


@pytest.mark.parametrize("form", [{}, {"order": ">"}, {"big": True}])
@pytest.mark.parametrize("tile", [(16, 16), (256, 256), (1024, 1024)])
def test_ordinary_tiles_are_decoded(form, tile):
    across, down = -(-300 // tile[0]), -(-200 // tile[1])
    pixels = decode(tiff(300, 200, tile, across * down, **form), max_pixels=CAP)
    assert pixels.shape == (200, 300, 3)


def test_a_picture_in_several_bands_is_that_in_one(monkeypatch):
    rng = np.random.default_rng(1)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (50, 40, 4), np.uint8)),
        Image.fromarray(rng.normal(0, 9, (50, 40)).astype(np.float32)),
        Image.fromarray(rng.integers(0, 2**16, (50, 40)).astype(np.uint16)),
        Image.fromarray(rng.integers(0, 256, (50, 40, 4), np.uint8), "CMYK"),
    ]
    for picture in pictures:
        file = io.BytesIO()
        picture.save(file, "TIFF")
        monkeypatch.setattr(rgb, "_BAND_PIXELS", 2**20)
        whole = decode(file.getvalue(), max_pixels=CAP)
        monkeypatch.setattr(rgb, "_BAND_PIXELS", 40 * 7)
        assert np.array_equal(decode(file.getvalue(), max_pixels=CAP), whole)


def plain(kind, **how):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind, **how)
    return file.getvalue()


def with_parts(kind, count):
    """A file with a small part many times."""
    data = plain(kind.partition(" ")[0])
    at = {"JPEG": 2, "PNG": 33, "GIF": data.find(b"\x2c", 13)}[kind.partition(" ")[0]]
    exif = b"\xff\xe1\x00\x09Exif\0\0a"
    chunk = struct.pack(">I", 0) + b"prVt" + struct.pack(">I", zlib.crc32(b"prVt"))
    part, before, after = {
        "JPEG segments": (exif, b"", b""),
        "JPEG padding": (b"\xff", b"", b""),
        "PNG chunks": (chunk, b"", b""),
        "GIF blocks": (b"\x21\xfe\0", b"", b""),
        "GIF comment": (b"\x01a", b"\x21\xfe", b"\0"),
    }[kind]
    return data[:at] + before + part * count + after + data[at:]


PARTS = ["JPEG segments", "JPEG padding", "PNG chunks", "GIF blocks", "GIF comment"]


@pytest.mark.parametrize("kind", PARTS)
def test_a_file_with_very_many_parts_is_not_even_opened(kind, monkeypatch):
    assert decode(with_parts(kind, 500), max_pixels=CAP).shape == (8, 8, 3)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it has been opened"))
    with pytest.raises(ImageUnreadableError, match=f"more than {MAX_PARTS} segments"):
        decode(with_parts(kind, MAX_PARTS + 1), max_pixels=CAP)


def test_a_large_bmp_in_runs_is_not_even_opened(monkeypatch):
    plain_bmp = plain("BMP") + bytes(MAX_RUN_BYTES)
    assert decode(plain_bmp, max_pixels=CAP).shape == (8, 8, 3)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it has been opened"))
    with pytest.raises(ImageUnreadableError, match="compressed in runs"):
        decode(plain_bmp[:30] + b"\1" + plain_bmp[31:], max_pixels=CAP)
