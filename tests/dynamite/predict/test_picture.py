import numpy as np
import pytest

from dynamite.predict.picture import cut_out, keep_picture
from tests.dynamite.golden import make_image


def test_a_small_image_is_kept_whole_and_as_a_copy() -> None:
    image = make_image(90, 70)
    kept = keep_picture(image, (96, 75))
    assert (kept == image).all()
    image[:] = 0
    assert kept.any()


def test_a_large_one_is_kept_at_twice_the_input() -> None:
    kept = keep_picture(make_image(300, 401), (48, 64))
    assert kept.shape == (96, 128, 3)
    assert kept.dtype == np.uint8


def test_whole_pixels_are_cut_out_as_they_are() -> None:
    image = make_image(60, 80)
    box = slice(7, 39), slice(11, 43)
    assert (cut_out(image, box, (60, 80), 32) == image[box]).all()


@pytest.mark.parametrize("factor", [0.5, 1.5, 2, 3.7])
def test_a_box_of_another_size_shows_the_same_place(factor: float) -> None:
    """A ramp of brightness says where each pixel lies in the picture: pixel i around i + ½."""
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 100, axis=0).repeat(3, axis=2)
    size = round(100 * factor), round(200 * factor)
    box = slice(0, round(40 * factor)), slice(round(60 * factor), round(100 * factor))
    part = cut_out(ramp, box, size, 64)[32, :, 0].astype(float)
    low, high = (one * 200 / size[1] for one in (box[1].start, box[1].stop))
    places = low + (np.arange(64) + 0.5) * (high - low) / 64 - 0.5
    assert np.abs(part - places)[2:-2].max() <= 0.6  # values are whole numbers
    assert abs((part - places)[2:-2].mean()) < 0.1


def test_corners_can_be_cut_out() -> None:
    image = make_image(50, 70)
    for rows in (slice(0, 13), slice(37, 50)):
        for columns in (slice(0, 13), slice(57, 70)):
            part = cut_out(image, (rows, columns), (50, 70), 26)
            assert part.shape == (26, 26, 3)
            reduced = part.reshape(13, 2, 13, 2, 3).mean((1, 3))
            assert np.abs(reduced - image[rows, columns]).mean() < 20
