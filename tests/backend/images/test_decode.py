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

H, W = 40, 60
CAP = 10_000
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 200, 200)
ORIENTATION = 0x0112

picture = np.zeros((H, W, 3), np.uint8)
picture[:20, :30], picture[:20, 30:] = RED, GREEN
picture[20:, :30], picture[20:, 30:] = BLUE, GREY


def as_file(image: Image.Image | np.ndarray, kind: str, **how: Any) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Top left, top right, bottom left, bottom right."""
    height, width = pixels.shape[:2]
    places = [(3, 3), (3, width - 4), (height - 4, 3), (height - 4, width - 4)]
    return [tuple(pixels[place].tolist()) for place in places]


def assert_shows(data: bytes, expected: list[tuple[int, int, int]], tolerance: int = 3) -> None:
    pixels = decode(data, max_pixels=CAP)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    np.testing.assert_allclose(corners(pixels), expected, atol=tolerance)


AS_IS = [RED, GREEN, BLUE, GREY]


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


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_of_several_frames_counts(kind: str) -> None:
    first, second = Image.fromarray(picture), Image.fromarray(255 - picture)
    how = {"lossless": True} if kind == "WEBP" else {}
    assert_shows(as_file(first, kind, save_all=True, append_images=[second], **how), AS_IS)


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


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


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


def png_with(*extra: bytes, before: bytes = b"IDAT", image: np.ndarray = picture) -> bytes:
    data = as_file(image, "PNG")
    place = data.index(before) - 4
    return data[:place] + b"".join(extra) + data[place:]


def spoilt(chunk: bytes) -> bytes:
    return chunk[:-4] + b"\0\0\0\0"


NOISE = np.random.default_rng(0).integers(0, 256, 1_500_000, dtype=np.uint8).tobytes()
METADATA = {
    "large zTXt": png_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"a" * 2_000_000)),
    "large iTXt": png_chunk(b"iTXt", b"XML\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000)),
    "large iCCP": png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(NOISE)),
    "large tEXt": png_chunk(b"tEXt", b"c\0" + b"a" * 2_000_000),
    "broken zTXt": png_chunk(b"zTXt", b"k\0\0rubbish"),
} | {
    f"checksum of {kind.decode()}": spoilt(png_chunk(kind, bytes(9)))
    for kind in (b"tEXt", b"gAMA", b"pHYs", b"iCCP", b"tRNS", b"acTL", b"eXIf", b"abCd")
}


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


def frame(number: int, image: np.ndarray, x: int = 0, y: int = 0, blend: int = 0) -> bytes:
    """A frame of an animated PNG that is not its picture."""
    height, width = image.shape[:2]
    data = as_file(image, "PNG")
    place = data.index(b"IDAT")
    pixels = data[place + 4 : place + 4 + int.from_bytes(data[place - 4 : place], "big")]
    control = struct.pack(">IIIIIHHBB", number, width, height, x, y, 1, 10, 0, blend)
    sequence = struct.pack(">I", number + 1)
    return png_chunk(b"fcTL", control) + png_chunk(b"fdAT", sequence + pixels)


WHITE = (255, 255, 255)
INVERSE = [tuple(255 - part for part in color) for color in AS_IS]


def animated(*frames: bytes, count: int | None = None, image: np.ndarray = picture) -> bytes:
    control = struct.pack(">II", len(frames) if count is None else count, 0)
    data = png_with(png_chunk(b"acTL", control), image=image)
    place = data.index(b"IEND") - 4
    return data[:place] + b"".join(frames) + data[place:]


def test_an_animated_png_starts_with_its_first_frame_not_with_a_picture_before_it() -> None:
    assert_shows(animated(frame(0, 255 - picture)), INVERSE)
    assert_shows(animated(frame(0, 255 - picture), frame(2, picture)), INVERSE)
    part = frame(0, np.ascontiguousarray(picture[20:, 30:]), x=30, y=20)
    assert_shows(animated(part), [WHITE, WHITE, WHITE, GREY])


def test_a_see_through_frame_does_not_show_the_picture_before_it() -> None:
    clear = np.dstack([picture, np.zeros((H, W), np.uint8)])
    solid = np.dstack([picture, np.full((H, W), 255, np.uint8)])
    assert_shows(animated(frame(0, clear, blend=1), image=solid), [WHITE] * 4)


def test_an_animated_png_whose_animation_cannot_be_shown_is_its_picture() -> None:
    assert_shows(animated(), AS_IS)
    assert_shows(animated(frame(0, 255 - picture), count=0), AS_IS)
    assert_shows(png_with(frame(0, 255 - picture), before=b"IEND"), AS_IS)


def test_around_the_first_frame_of_a_gif_is_nothing() -> None:
    part = as_file(Image.fromarray(picture[20:, 30:]).quantize(8), "GIF")
    size = struct.pack("<HH", W, H)
    place = part.index(b"\x2c")
    data = part[:6] + size + part[10 : place + 1] + struct.pack("<HH", 30, 20) + part[place + 5 :]
    assert_shows(data, [WHITE, WHITE, WHITE, GREY])


def riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


@pytest.mark.parametrize("flags", [0x02, 0x12])
def test_around_the_first_frame_of_a_webp_is_nothing(flags: int) -> None:
    def three(value: int) -> bytes:
        return struct.pack("<I", value)[:3]

    still = as_file(np.ascontiguousarray(picture[20:, 30:]), "WEBP", lossless=True)[12:]
    place = three(15) + three(10) + three(29) + three(19) + three(500) + b"\0"
    head = bytes([flags, 0, 0, 0]) + three(W - 1) + three(H - 1)
    body = riff(b"VP8X", head) + riff(b"ANIM", b"\0\0\xff\xff\0\0") + riff(b"ANMF", place + still)
    assert_shows(riff(b"RIFF", b"WEBP" + body), [WHITE, WHITE, WHITE, GREY])


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
