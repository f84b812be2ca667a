"""Real files of every format against the pixels that Chromium shows for them."""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from backend import errors
from backend.images.decode import FORMATS, decode, digest
from tests.backend.images.pictures import (
    AS_IS,
    BLUE,
    CAP,
    GREEN,
    GREY,
    METADATA,
    RED,
    SEGMENTS,
    TRANSPARENT,
    H,
    W,
    as_file,
    assert_shows,
    exif,
    jpeg_with,
    picture,
    png_chunk,
    png_with,
)


@pytest.mark.parametrize("how", [{"lossless": True}, {"quality": 30}, {"quality": 90}])
def test_a_webp_is_decoded_to_the_pixels_that_pillow_reads(how: dict[str, Any]) -> None:
    """OpenCV decodes it, in half the memory."""
    data = as_file(picture[:-1, :-1].copy(), "WEBP", **how)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(decode(data, max_pixels=CAP), np.asarray(image))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_keeps_its_frame_and_colors(kind: str) -> None:
    how = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    data = as_file(picture, kind, **how)
    assert decode(data, max_pixels=CAP).shape == (H, W, 3)
    assert_shows(data, AS_IS)


SHOWN = {
    1: [RED, GREEN, BLUE, GREY],
    2: [GREEN, RED, GREY, BLUE],
    3: [GREY, BLUE, GREEN, RED],
    4: [BLUE, GREY, RED, GREEN],
    5: [RED, BLUE, GREEN, GREY],
    6: [BLUE, RED, GREY, GREEN],
    7: [GREY, GREEN, BLUE, RED],
    8: [GREEN, GREY, RED, BLUE],
}
"""The corners that Chromium shows, by EXIF orientation."""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", SHOWN)
def test_orientation_is_the_browsers(kind: str, orientation: int) -> None:
    data = as_file(picture, kind, exif=exif(orientation))
    height, width = decode(data, max_pixels=CAP).shape[:2]
    assert (height, width) == ((W, H) if orientation >= 5 else (H, W))
    assert_shows(data, SHOWN[orientation], tolerance=8)


def test_grey_and_cmyk_jpegs_are_turned_too() -> None:
    grey = Image.fromarray(picture).convert("L")
    for image in (grey, Image.fromarray(picture).convert("CMYK")):
        upright = decode(as_file(image, "JPEG", quality=95), max_pixels=CAP)
        turned = decode(as_file(image, "JPEG", quality=95, exif=exif(6)), max_pixels=CAP)
        np.testing.assert_array_equal(turned, np.rot90(upright, -1))


def test_a_webp_is_not_turned_as_chromium_does_not() -> None:
    assert_shows(as_file(picture, "WEBP", lossless=True, exif=exif(6)), AS_IS)


def test_orientation_in_xmp_alone_turns_nothing() -> None:
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        b'syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    assert_shows(as_file(picture, "JPEG", quality=95, xmp=xmp), AS_IS)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize("tags", [b"Exif\0\0rubbish", b"Exif\0\0II*\0\xff\xff\xff\xff", exif(9)])
def test_broken_exif_turns_nothing(tags: Any) -> None:
    assert_shows(as_file(picture, "JPEG", quality=95, exif=tags), AS_IS)


def test_grey_has_three_equal_channels() -> None:
    grey = np.arange(H * W, dtype=np.uint16).reshape(H, W).astype(np.uint8)
    pixels = decode(as_file(grey, "PNG"), max_pixels=CAP)
    np.testing.assert_array_equal(pixels, np.dstack([grey] * 3))


@pytest.mark.parametrize("kind", [".png", ".tif"])
def test_sixteen_bits_lose_the_low_byte(kind: str) -> None:
    grey = np.array([[0x80FF, 0x8000, 0x7FFF, 0x8080, 0, 0xFFFF]], np.uint16)
    data = cv2.imencode(kind, grey)[1].tobytes()
    assert decode(data, max_pixels=CAP)[0, :, 1].tolist() == [128, 128, 127, 128, 0, 255]


def test_sixteen_bits_in_color() -> None:
    bgr = np.full((5, 7, 3), (0x7FFF, 0x40C0, 0x80FF), np.uint16)
    pixels = decode(cv2.imencode(".png", bgr)[1].tobytes(), max_pixels=CAP)
    assert pixels[2, 2].tolist() == [128, 64, 127]


def test_float_pictures_are_stretched() -> None:
    values = np.array([[0.5, 1.0, 1.5, np.nan, -np.inf]], np.float32)
    pixels = decode(as_file(values, "TIFF"), max_pixels=CAP)
    assert pixels[0, :, 0].tolist() == [0, 127, 255, 0, 0]
    flat = decode(as_file(np.full((2, 2), 7, np.int32), "TIFF"), max_pixels=CAP)
    assert not flat.any()


def test_cmyk() -> None:
    assert_shows(as_file(Image.fromarray(picture).convert("CMYK"), "JPEG", quality=95), AS_IS)
    assert_shows(as_file(Image.fromarray(picture).convert("CMYK"), "TIFF"), AS_IS)


def test_transparency_lies_on_white() -> None:
    alpha = np.full((H, W, 1), 128, np.uint8)
    alpha[20:] = 0
    half = [(255, 127, 127), (127, 255, 127), (255, 255, 255), (255, 255, 255)]
    assert_shows(as_file(np.dstack([picture, alpha]), "PNG"), half)
    assert_shows(as_file(np.dstack([picture, alpha]), "WEBP", lossless=True), half)


def test_grey_with_transparency() -> None:
    image = Image.merge("LA", [Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 64)])
    assert decode(as_file(image, "PNG"), max_pixels=CAP)[0, 0].tolist() == [191, 191, 191]


def test_palette_with_and_without_a_transparent_color() -> None:
    palette = Image.fromarray(picture).quantize(8)
    assert_shows(as_file(palette, "PNG"), AS_IS)
    see_through = as_file(palette, "PNG", transparency=palette.getpixel((0, 0)))
    assert_shows(see_through, [(255, 255, 255), GREEN, BLUE, GREY])


def test_one_bit() -> None:
    bits = np.zeros((9, 13), bool)
    bits[2:5, 3:9] = True
    for kind in ("PNG", "TIFF", "BMP"):
        pixels = decode(as_file(Image.fromarray(bits), kind), max_pixels=CAP)
        np.testing.assert_array_equal(pixels, np.dstack([bits * np.uint8(255)] * 3))


def test_a_photo_of_a_telephone_with_a_second_picture_behind_it() -> None:
    second = Image.fromarray(255 - picture)
    data = as_file(Image.fromarray(picture), "MPO", save_all=True, append_images=[second])
    assert_shows(data, AS_IS)


def test_a_jpeg_with_something_behind_its_end() -> None:
    assert_shows(as_file(picture, "JPEG", quality=95) + b"made with a telephone", AS_IS)


def test_the_fast_decoder_of_jpeg_sees_what_pillow_sees() -> None:
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.integers(0, 256, (80, 90, 3), dtype=np.uint8), (0, 0), 2)
    for progressive in (False, True):
        data = as_file(noise, "JPEG", quality=92, progressive=progressive)
        slow = np.asarray(Image.open(io.BytesIO(data)), int)
        np.testing.assert_allclose(decode(data, max_pixels=CAP).astype(int), slow, atol=2)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_file_cut_off_is_refused(kind: str, share: float) -> None:
    rng = np.random.default_rng(1)
    how = {"TIFF": {"compression": "tiff_deflate"}, "JPEG": {"progressive": share > 0.5}}.get(
        kind, {}
    )
    data = as_file(rng.integers(0, 256, (60, 60, 3), dtype=np.uint8), kind, **how)
    with pytest.raises(errors.ImageUnreadableError, match=r"damaged or truncated|not an image"):
        decode(data[: int(len(data) * share)], max_pixels=CAP)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"hello", r"\(5 bytes\) is not an image"),
        (b"<!DOCTYPE html><html>Log in</html>", "web page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7\n", "not an image in a supported format"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "not an image in a supported format",
        ),
        (b"\xff\xd8\xff\xd9", "not an image|damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "not an image|damaged"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(errors.ImageUnreadableError, match=reason):
        decode(data, max_pixels=CAP)


def png_of(width: int, height: int) -> bytes:
    """A small file whose header claims a large image."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


@pytest.mark.parametrize("size", [(101, 100), (9_600, 10_000), (60_000, 60_000), (2**31 - 1, 2)])
def test_the_pixel_cap_holds_before_anything_is_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(errors.ImageTooLargeError, match="10000 allowed"):
        decode(png_of(*size), max_pixels=CAP)


def test_no_other_cap_comes_before_the_configured_one() -> None:
    with pytest.raises(errors.ImageTooLargeError, match=r"20000×10000 pixels.*199999999 allowed"):
        decode(png_of(20_000, 10_000), max_pixels=199_999_999)


def test_an_image_as_large_as_the_cap_is_decoded() -> None:
    data = as_file(np.zeros((100, 100, 3), np.uint8), "PNG")
    assert decode(data, max_pixels=CAP).shape == (100, 100, 3)


def test_damage_anywhere_is_an_error_of_ours_or_a_picture() -> None:
    rng = np.random.default_rng(2)
    for kind in FORMATS:
        data = bytearray(as_file(picture, kind))
        for _ in range(40):
            broken = bytearray(data)
            for place in rng.integers(0, len(data), 4):
                broken[place] = rng.integers(256)
            try:
                pixels = decode(bytes(broken), max_pixels=CAP)
            except errors.ImageError:
                continue
            assert pixels.ndim == 3


def test_the_digest_names_the_bytes() -> None:
    assert digest(b"a") == digest(b"a") != digest(b"b")
    assert len(digest(b"")) == 64


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
@pytest.mark.parametrize("name", METADATA)
def test_metadata_keeps_no_picture_from_being_read(name: str, before: bytes) -> None:
    data = png_with(METADATA[name], before=before)
    assert_shows(data, AS_IS)
    assert_shows(data[: data.index(b"IEND") - 4], AS_IS)


def test_a_chunk_longer_than_the_file_behind_the_pixels() -> None:
    assert_shows(png_with(b"\0\x0f\0\0tEXtc\0x", before=b"IEND"), AS_IS)


def test_a_png_of_very_many_chunks_ends_soon() -> None:
    with pytest.raises(errors.ImageUnreadableError):
        decode(png_with(png_chunk(b"teXt", b"") * 200_000), max_pixels=CAP)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("tail", [b"", b"\xff", bytes(40)])
def test_a_jpeg_that_lacks_only_its_end_mark_is_read(
    mode: str, progressive: bool, tail: bytes
) -> None:
    rng = np.random.default_rng(3)
    noise = Image.fromarray(rng.integers(0, 256, (61, 67, 3), dtype=np.uint8)).convert(mode)
    data = as_file(noise, "JPEG", quality=90, progressive=progressive)
    whole = decode(data, max_pixels=CAP)
    np.testing.assert_array_equal(decode(data[:-2] + tail, max_pixels=CAP), whole)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("lost", [4, 10, 50, 400])
def test_a_jpeg_that_lacks_pixels_is_refused(progressive: bool, lost: int) -> None:
    noise = np.random.default_rng(4).integers(0, 256, (61, 67, 3), dtype=np.uint8)
    data = as_file(noise, "JPEG", quality=90, progressive=progressive)
    thumbnail = exif(1).tobytes() + as_file(picture, "JPEG")  # has an end mark of its own
    for file in (data, as_file(noise, "JPEG", progressive=progressive, exif=thumbnail)):
        with pytest.raises(errors.ImageUnreadableError, match="damaged or truncated"):
            decode(file[:-lost], max_pixels=CAP)


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
@pytest.mark.parametrize("name", SEGMENTS)
def test_metadata_of_a_jpeg_keep_no_pixels_from_being_read(name, mode):
    plain = decode(jpeg_with(mode=mode), max_pixels=CAP)
    np.testing.assert_array_equal(
        decode(jpeg_with(SEGMENTS[name], mode=mode), max_pixels=CAP), plain
    )


@pytest.mark.parametrize("name", TRANSPARENT)
def test_the_transparent_color_is_that_of_the_browser(name):
    assert_shows(*TRANSPARENT[name])
