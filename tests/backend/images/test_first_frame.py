"""Which frame of an animation is the image, and what lies around it."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import ImageUnreadableError
from backend.images.decode import decode
from tests.backend.images.pictures import (
    AS_IS,
    CAP,
    GREY,
    RED,
    H,
    W,
    as_file,
    assert_shows,
    picture,
    png_chunk,
    png_with,
)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_of_several_frames_counts(kind: str) -> None:
    first, second = Image.fromarray(picture), Image.fromarray(255 - picture)
    how = {"lossless": True} if kind == "WEBP" else {}
    assert_shows(as_file(first, kind, save_all=True, append_images=[second], **how), AS_IS)


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


def three(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def animated_webp(
    frame: bytes, size: tuple[int, int], canvas: tuple[int, int] = (W, H), flags: int = 0x02
) -> bytes:
    """An animation of one frame, 30 pixels from the left and 20 from the top."""
    width, height = size
    place = three(15) + three(10) + three(width - 1) + three(height - 1) + three(500) + b"\0"
    head = bytes([flags, 0, 0, 0]) + three(canvas[0] - 1) + three(canvas[1] - 1)
    body = riff(b"VP8X", head) + riff(b"ANIM", b"\0\0\xff\xff\0\0") + riff(b"ANMF", place + frame)
    return riff(b"RIFF", b"WEBP" + body)


@pytest.mark.parametrize("flags", [0x02, 0x12])
def test_around_the_first_frame_of_a_webp_is_nothing(flags: int) -> None:
    still = as_file(np.ascontiguousarray(picture[20:, 30:]), "WEBP", lossless=True)[12:]
    assert_shows(animated_webp(still, (30, 20), flags=flags), [WHITE, WHITE, WHITE, GREY])


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_first_frame_of_a_webp_is_what_libwebp_makes_of_it(lossless: bool, mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (H, W, len(mode)), np.uint8)
    frames = [Image.fromarray(noise), Image.fromarray(255 - noise)]
    data = as_file(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=lossless)
    with Image.open(io.BytesIO(data)) as image:
        whole = image.convert("RGBA")
    white = Image.new("RGBA", (W, H), "white")
    expected = np.asarray(Image.alpha_composite(white, whole).convert("RGB"))
    np.testing.assert_array_equal(decode(data, max_pixels=CAP), expected)


def resident(kind: str) -> float:
    """Memory that this process has, or had at its peak, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{kind}:")[2].split()[0]) / 1000


@pytest.mark.security
def test_a_small_frame_on_a_large_canvas_takes_the_memory_of_its_pixels() -> None:
    still = as_file(picture[:20, :30].copy(), "WEBP", lossless=True)[12:]
    data = animated_webp(still, (30, 20), canvas=(4000, 4000))
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    pixels = decode(data, max_pixels=4000**2)
    assert resident("VmHWM") - before < 80  # of 48; libwebp's canvases take 240
    assert (pixels[:20] == 255).all()
    assert tuple(pixels[25, 35]) == RED


@pytest.mark.security
@pytest.mark.parametrize(
    "data",
    [
        animated_webp(b"", (30, 20)),
        animated_webp(animated_webp(b"", (30, 20))[12:], (30, 20)),
        animated_webp(as_file(picture[:20, :30].copy(), "WEBP")[12:], (31, 20)),
        animated_webp(as_file(picture, "WEBP")[12:], (W, H)),
    ],
    ids=["empty", "nested", "another size", "outside"],
)
def test_a_first_frame_that_is_none_is_named(data: bytes) -> None:
    with pytest.raises(ImageUnreadableError, match=r"damaged|animation"):
        decode(data, max_pixels=CAP)
