"""The PNG of a mask: read by alpha and by red alike, and a file that lies is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from dynamite import mask_png
from dynamite.errors import InvalidInputError

masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))


def file_of(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def disk(height: int, width: int) -> np.ndarray:
    y, x = np.ogrid[:height, :width]
    return (y - height / 2) ** 2 + (x - width / 2) ** 2 < (0.4 * height) ** 2


@settings(deadline=None)
@given(mask=masks)
def test_a_mask_comes_back(mask: np.ndarray) -> None:
    alpha = mask_png.decode(mask_png.encode(mask))
    assert alpha.dtype == np.uint8
    np.testing.assert_array_equal(alpha, mask * np.uint8(255))


@settings(deadline=None, max_examples=30)
@given(mask=masks)
def test_alpha_and_red_are_the_mask(mask: np.ndarray) -> None:
    """One page reads the alpha, another the red after drawing on a transparent canvas."""
    with Image.open(io.BytesIO(mask_png.encode(mask))) as image:
        assert image.mode == "P"
        rgba = np.asarray(image.convert("RGBA"))
    np.testing.assert_array_equal(rgba[..., 3] > 127, mask)
    np.testing.assert_array_equal(rgba[..., 0] > 127, mask)


def test_any_view_of_an_array_is_encoded() -> None:
    mask = disk(40, 60)
    for view in (mask.T, mask[::2, ::-3], np.asfortranarray(mask)):
        np.testing.assert_array_equal(mask_png.decode(mask_png.encode(view)) > 127, view)


def test_a_photo_of_12_megapixels_takes_little() -> None:
    assert len(mask_png.encode(disk(3000, 4000))) < 30_000


def test_antialiased_masks_of_the_page_keep_their_alpha() -> None:
    alpha = np.arange(256, dtype=np.uint8).reshape(16, 16)
    black = np.dstack([np.zeros((16, 16, 3), np.uint8), alpha])
    grey = np.dstack([np.full((16, 16), 9, np.uint8), alpha])
    for image in (Image.fromarray(black), Image.fromarray(grey)):
        np.testing.assert_array_equal(mask_png.decode(file_of(image)), alpha)


def test_a_palette_may_have_many_alphas() -> None:
    index = np.arange(8, dtype=np.uint8).reshape(2, 4)
    image = Image.fromarray(index)
    image.putpalette([0] * 24)
    data = file_of(image, transparency=bytes([0, 50, 100, 150, 200]))
    assert mask_png.decode(data).tolist() == [[0, 50, 100, 150], [200, 255, 255, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "I;16"])
def test_a_picture_without_alpha_is_a_mask_of_everything(mode: str) -> None:
    """So the page shows it."""
    assert (mask_png.decode(file_of(Image.new(mode, (5, 3)))) == 255).all()


def test_a_transparent_color_is_alpha() -> None:
    image = Image.fromarray(np.array([[0, 7]], np.uint8))
    assert mask_png.decode(file_of(image, transparency=0)).tolist() == [[0, 255]]


good = mask_png.encode(disk(30, 40))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no PNG"),
        (b"GIF89a" + bytes(40), "no PNG"),
        (good[:20], "no PNG"),
        (good[:60], "damaged or cut off"),
        (good[:-40], "damaged or cut off"),
        (good[:60] + b"\xff\xff" + good[62:], "damaged or cut off"),
        (good[:16] + bytes(8) + good[24:], "0×0 pixels"),
    ],
)
def test_what_is_no_mask_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        mask_png.decode(data)


def test_a_mask_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="30×40 pixels: 1 to 1199 are allowed"):
        mask_png.decode(good, max_pixels=1199)
    assert mask_png.decode(good, max_pixels=1200).any()


def header(width: int, height: int) -> bytes:
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))


def test_a_file_that_claims_much_is_refused_before_much_is_allocated() -> None:
    import tracemalloc

    bombs = [
        good[:8] + header(2**16, 2**16) + good[33:],
        good[:33] + header(8000, 8000) + good[33:],  # a second header
    ]
    tracemalloc.start()
    try:
        for bomb in bombs:
            with pytest.raises(InvalidInputError, match=r"cannot decode|second header"):
                mask_png.decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@settings(deadline=None, max_examples=60)
@given(junk=st.binary(max_size=60), cut=st.integers(0, len(good)))
def test_no_file_does_worse_than_be_refused(junk: bytes, cut: int) -> None:
    try:
        alpha = mask_png.decode(good[:cut] + junk)
    except InvalidInputError:
        return
    assert alpha.shape == (30, 40)


@pytest.mark.parametrize(
    "mask",
    [np.zeros((0, 4), bool), np.zeros(9, bool), np.zeros((3, 3), np.uint8), [[True]], None],
    ids=["no pixel", "one axis", "numbers", "list", "none"],
)
def test_only_masks_are_encoded(mask: object) -> None:
    with pytest.raises(InvalidInputError, match="a mask is"):
        mask_png.encode(mask)  # type: ignore[arg-type]
