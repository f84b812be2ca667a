import json

import pytest

from dynamite.config import PRESETS, Resize, preset
from training.retraining.input_size import LARGER, SMALL, resize_for, sides_in

LITE = preset("lite")
USUAL = Resize(480, 640)
GROWN = Resize(640, 853)


def part(folder, *sides, height=960, width=1280):
    """A part of a snapshot with square objects, of images twice the usual input."""
    folder.mkdir()
    images = [{"id": 7, "height": height, "width": width}]
    annotations = [{"image_id": 7, "area": side * side} for side in sides]
    content = json.dumps({"images": images, "annotations": annotations})
    (folder / "annotations.json").write_text(content)
    return folder


def test_sides_are_counted_in_pixels_of_the_input(tmp_path):
    found = sides_in(part(tmp_path / "part", 10, 100) / "annotations.json", USUAL)
    assert found == pytest.approx([5, 50])


def test_where_half_of_the_objects_are_small_the_input_is_larger(tmp_path):
    small, large = 2 * (SMALL - 1), 2 * (SMALL + 1)
    first = part(tmp_path / "first", small, small, large)
    assert resize_for(LITE, [first]) == GROWN
    assert GROWN.shortest == USUAL.shortest * LARGER
    both = [first, part(tmp_path / "second", large, large)]
    assert resize_for(LITE, both) == USUAL


def test_it_is_decided_anew_from_what_is_accepted_now(tmp_path):
    grown = LITE.with_overrides({"resize": GROWN})
    assert resize_for(grown, [part(tmp_path / "large", 300)]) == USUAL
    assert resize_for(grown, [part(tmp_path / "small", 20)]) == GROWN


def test_a_size_of_ones_own_and_a_preset_without_one_stay(tmp_path):
    small = part(tmp_path / "small", 20)
    own = Resize(64, 64)
    assert resize_for(LITE.with_overrides({"resize": own}), [small]) == own
    assert resize_for(PRESETS["swin_tiny"], [small]) is None


def test_nothing_accepted_leaves_it(tmp_path):
    assert resize_for(LITE, [part(tmp_path / "empty")]) == USUAL
