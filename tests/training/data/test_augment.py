from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.augment import Augment, AugmentConfig, choose_objects
from training.data.coco import open_coco
from training.data.color import ColorConfig, jitter
from training.data.crops import CropWindow, crop
from training.data.paste import PasteConfig, paste_objects
from training.data.sample import Sample

MINI = Path(__file__).parent / "mini"
PHOTOS = open_coco(MINI / "annotations.json")

PLAIN = AugmentConfig(size=96, scale=(0.5, 2.0), min_area=0, min_visible_area=5)
RICH = replace(
    PLAIN,
    object_probability=0.5,
    keep_all_probability=0.5,
    merge_parts_probability=0.3,
    paste=PasteConfig(probability=1.0, min_source_area=20),
)


def painted(sample: Sample) -> Sample:
    """Return the sample with a colour per object, the same for equal label maps."""
    colors = np.random.default_rng(5).integers(40, 90, (len(sample.labels) + 1, 3))
    colors[1:] += np.arange(len(sample.labels))[:, None] * 7 + 30
    labels = tuple(",".join(map(str, color)) for color in colors[1:])
    image = colors[sample.label_map + 1].astype(np.uint8)
    return replace(sample, image=image, labels=labels)


def discs() -> Sample:
    """Return two plain objects to paste; thin objects of photos consist of soft edges only."""
    instances = np.full((80, 120), -1, np.int32)
    for index, center in enumerate([(35, 40), (90, 45)]):
        disc = cv2.circle(np.zeros((80, 120), np.uint8), center, 20, 1, cv2.FILLED)
        instances[disc > 0] = index
    image = np.zeros((80, 120, 3), np.uint8)
    return Sample(image, instances, ("left", "right"), np.zeros((80, 120), bool), "discs")


def interior(mask: np.ndarray) -> np.ndarray:
    """Return the pixels at least three away from the edge of a mask and of the crop."""
    padded = np.pad(mask, 3)
    inner = cv2.erode(padded.astype(np.uint8), np.ones((7, 7), np.uint8))
    return inner[3:-3, 3:-3].astype(bool)


@pytest.mark.parametrize("config", [PLAIN, RICH], ids=["plain", "rich"])
@given(seed=st.integers(0, 2**32), item=st.integers(0, 4))
@settings(max_examples=25, deadline=None)
def test_image_and_label_map_stay_aligned(config: AugmentConfig, seed: int, item: int) -> None:
    config = replace(config, merge_parts_probability=0.0, keep_all_probability=1.0)
    source = replace(painted(PHOTOS[item]), parents=())
    donor = painted(discs())
    augment = Augment(config, donors=lambda rng: donor)
    result = augment(source, np.random.default_rng(seed))
    for index, label in enumerate(result.labels):
        inside = interior(result.label_map == index)
        color = np.array(label.split(","), int)
        off = np.abs(result.image[inside].astype(int) - color).max(axis=-1, initial=0)
        assert (off <= 1).all()


@pytest.mark.parametrize("config", [PLAIN, RICH], ids=["plain", "rich"])
@given(seed=st.integers(0, 2**32), item=st.integers(0, 4))
@settings(max_examples=25, deadline=None)
def test_crops_are_well_formed_and_repeatable(config: AugmentConfig, seed: int, item: int) -> None:
    config = replace(config, color=ColorConfig(0.1, 0.1, 0.1, 0.1, 0.2))
    augment = Augment(config, donors=lambda rng: PHOTOS[int(rng.integers(5))])
    sample = augment(PHOTOS[item], np.random.default_rng(seed))
    assert sample.image.shape == (96, 96, 3)
    assert sample.image.dtype == np.uint8
    assert sample.label_map.dtype == np.int32
    assert sample.label_map.min() >= -1
    assert sample.label_map.max() < len(sample.labels) == len(sample.parents)
    assert (sample.areas > config.min_visible_area).all()
    assert (sample.label_map[sample.ignore] == -1).all()
    again = augment(PHOTOS[item], np.random.default_rng(seed))
    assert (again.image == sample.image).all()
    assert (again.label_map == sample.label_map).all()
    assert again.labels == sample.labels


def test_the_source_is_left_as_it_was() -> None:
    source, donor = PHOTOS[1], PHOTOS[2]
    before = [array.copy() for s in (source, donor) for array in (s.image, s.label_map, s.ignore)]
    augment = Augment(replace(RICH, color=ColorConfig(brightness=0.2)), donors=lambda rng: donor)
    for seed in range(5):
        augment(source, np.random.default_rng(seed))
    after = [array for s in (source, donor) for array in (s.image, s.label_map, s.ignore)]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_padding_is_grey_at_the_bottom_and_right_and_ignored() -> None:
    config = replace(PLAIN, scale=(0.5, 0.5), color=ColorConfig(brightness=0.3), flip_probability=0)
    sample = Augment(config)(PHOTOS[0], np.random.default_rng(0))
    assert PHOTOS[0].image.shape == (128, 192, 3)
    assert sample.ignore[32:].all()
    assert sample.ignore[:, 48:].all()
    assert not sample.ignore[:32, :48].any()
    assert (sample.image[sample.ignore] == 128).all()


def test_flip_mirrors_both() -> None:
    config = replace(PLAIN, scale=(1.0, 1.0), keep_all_probability=1.0)
    plain, mirrored = (
        Augment(replace(config, flip_probability=p))(PHOTOS[1], np.random.default_rng(3))
        for p in (0.0, 1.0)
    )
    width = int((~plain.ignore).any(axis=0).sum())
    assert (mirrored.image[:, :width] == plain.image[:, :width][:, ::-1]).all()
    assert (mirrored.label_map[:, :width] == plain.label_map[:, :width][:, ::-1]).all()


def test_a_crop_about_an_object_gives_it_the_wished_size() -> None:
    config = replace(
        PLAIN,
        object_probability=1.0,
        object_scale=(0.5, 0.5),
        scale=(0.1, 2.0),
        max_magnification=20,
    )
    source = PHOTOS[4].keep([3])
    sample = Augment(config)(source, np.random.default_rng(0))
    rows, columns = np.nonzero(sample.label_map == 0)
    side = max(np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert abs(int(side) - 48) <= 4


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_native_crops_show_an_object_with_the_pixels_of_its_photo(seed: int) -> None:
    config = AugmentConfig(
        size=96, native_probability=1.0, flip_probability=0.0, min_area=0, keep_all_probability=1.0
    )
    photo = painted(PHOTOS[0])
    cut = Augment(config)(photo, np.random.default_rng(seed))
    assert (cut.label_map >= 0).any()
    rows, columns = (int(np.flatnonzero((~cut.ignore).any(axis))[-1]) + 1 for axis in (1, 0))
    seen = cut.image[:rows, :columns]
    windows = np.lib.stride_tricks.sliding_window_view(photo.image[..., 0], (rows, columns))
    same = np.argwhere((windows == seen[..., 0]).all(axis=(2, 3)))
    assert any(np.array_equal(photo.image[y : y + rows, x : x + columns], seen) for y, x in same)


def test_no_crop_is_about_an_object_that_others_hide() -> None:
    shape = (200, 200)
    instances = np.full(shape, -1, np.int32)
    instances[0, :2] = 0
    instances[150:190, 150:190] = 1
    image, ignore = np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool)
    labels, whole_areas = ("hidden", "seen"), (900, 1600)
    source = Sample(image, instances, labels, ignore, "s", whole_areas=whole_areas)
    augment = Augment(replace(PLAIN, object_probability=1.0, object_scale=(0.5, 0.9)))
    for seed in range(8):
        assert augment(source, np.random.default_rng(seed)).labels == ("seen",)


def scene(areas: list[int]) -> Sample:
    """Return a sample with objects of the given areas, one per row."""
    instances = np.full((len(areas), 100), -1, np.int32)
    for index, area in enumerate(areas):
        instances[index, :area] = index
    shape = instances.shape
    labels = tuple(str(area) for area in areas)
    return Sample(np.zeros((*shape, 3), np.uint8), instances, labels, np.zeros(shape, bool), "s")


def test_the_reference_keeps_seven_tenths_of_the_objects_and_at_most_thirty() -> None:
    config = AugmentConfig()
    rng = np.random.default_rng(0)
    for count, kept in ((1, 1), (2, 1), (3, 2), (10, 7), (60, 30)):
        sample = choose_objects(scene([80] * count), config, rng)
        assert len(sample.labels) == kept
        assert (sample.label_map >= 0).sum() == 80 * kept
    assert choose_objects(scene([50, 51, 10]), config, rng).labels == ("51",)
    config = replace(config, keep_all_probability=1)
    assert len(choose_objects(scene([80] * 5), config, rng).labels) == 5


def test_people_click_one_after_another() -> None:
    config = AugmentConfig(few_probability=1)
    rng = np.random.default_rng(0)
    kept = [len(choose_objects(scene([80] * 12), config, rng).labels) for _ in range(400)]
    counts = np.bincount(kept, minlength=13)
    assert counts[0] == 0
    assert (counts[1:] > 0).all()
    assert counts[1] > counts[4] > counts[12]
    assert choose_objects(scene([80]), config, rng).labels == ("80",)
    assert choose_objects(scene([20]), config, rng).labels == ()


def test_small_objects_of_the_source_and_stuff_are_background() -> None:
    source = replace(scene([80, 90, 95]), stuff=(False, False, True))
    config = replace(PLAIN, size=100, min_area=85, scale=(1.0, 1.0), stuff_probability=0.0)
    for seed in range(5):
        assert Augment(config)(source, np.random.default_rng(seed)).labels == ("90",)
    config = replace(config, stuff_probability=1.0, keep_all_probability=1.0)
    assert Augment(config)(source, np.random.default_rng(0)).labels == ("90", "95")


def test_an_object_is_as_large_as_it_is_with_what_others_hide() -> None:
    source = replace(scene([80, 90]), whole_areas=(120, 90))
    config = replace(PLAIN, size=100, min_area=100, scale=(1.0, 1.0))
    assert Augment(config)(source, np.random.default_rng(0)).labels == ("80",)


def test_labels_are_taken_from_the_middle_of_what_a_pixel_covers() -> None:
    instances = np.tile(np.arange(100) // 5, (100, 1)).astype(np.int32)
    shape = instances.shape
    image = np.zeros((*shape, 3), np.uint8)
    source = Sample(image, instances, ("",) * 20, np.zeros(shape, bool), "columns")
    small = crop(source, CropWindow(1, 0, 95, 95, 19, 19), 19, flip=False)
    # Pixel i covers the columns 5i + 1 … 5i + 5, its middle is 5i + 3: of object i.
    assert (small.label_map[0] == np.arange(19)).all()


def test_colors_change_the_picture_and_nothing_else() -> None:
    config = replace(PLAIN, color=ColorConfig(gray_probability=1.0))
    gray, plain = (Augment(c)(PHOTOS[3], np.random.default_rng(4)) for c in (config, PLAIN))
    assert (np.ptp(gray.image.astype(int), axis=-1) <= 1).all()
    assert np.ptp(plain.image, axis=-1).max() > 50
    assert (gray.label_map == plain.label_map).all()


def test_pasted_objects_are_in_front_and_whole() -> None:
    target = scene([0])
    image = np.zeros((100, 100, 3), np.uint8)
    target = Sample(image, np.full((100, 100), -1, np.int32), (), np.ones((100, 100), bool), "t")
    donor = PHOTOS[0].keep([0])
    config = PasteConfig(1.0, max_objects=1, size=(0.3, 0.3), min_source_area=1, max_source_share=1)
    pasted = paste_objects(target, donor, config, np.random.default_rng(1), (100, 100))
    assert pasted.labels == donor.labels
    mask = pasted.label_map == 0
    assert mask.any()
    assert not pasted.ignore[mask].any()
    assert pasted.ignore[~mask].all()
    assert (pasted.image[mask].max(axis=-1) > 0).mean() > 0.9
    assert (image == 0).all()


def test_objects_are_pasted_into_a_strip_narrower_than_they_are() -> None:
    shape = (10, 100)
    image = np.zeros((*shape, 3), np.uint8)
    target = Sample(image, np.full(shape, -1, np.int32), (), np.zeros(shape, bool), "strip")
    config = PasteConfig(1.0, max_objects=1, size=(0.6, 0.6), min_source_area=1)
    for seed in range(5):
        pasted = paste_objects(target, discs(), config, np.random.default_rng(seed), shape)
        assert (pasted.label_map == 0).any(axis=1).all()


def test_nothing_is_pasted_from_a_donor_without_fit_objects() -> None:
    target = scene([50])
    config = PasteConfig(1.0, min_source_area=10**6)
    rng = np.random.default_rng(0)
    assert paste_objects(target, PHOTOS[0], config, rng, (1, 100)) is target


def test_color_jitter_by_hand() -> None:
    image = np.array([[[100, 100, 100], [200, 50, 0]]], np.uint8)
    rng = np.random.default_rng(0)
    assert jitter(image, ColorConfig(), rng) is image
    gray = jitter(image, ColorConfig(gray_probability=1.0), rng)
    luma = round(0.299 * 200 + 0.587 * 50)
    assert gray.tolist() == [[[100] * 3, [luma] * 3]]
    for _ in range(5):  # neither saturation nor hue changes a grey
        other = jitter(image, ColorConfig(saturation=0.5, hue=0.5), rng)
        assert np.abs(other[0, 0].astype(int) - 100).max() <= 1
        assert (other[0, 1] != image[0, 1]).any()
    brighter = jitter(image, ColorConfig(brightness=0.2), np.random.default_rng(1))
    shift = 255 * 0.2 * np.random.default_rng(1).uniform(-1, 1, 4)[0]
    assert brighter[0, 0].tolist() == [round(100 + shift)] * 3


def test_a_sample_without_objects_gives_a_crop_without_objects() -> None:
    empty = PHOTOS[0].keep([])
    assert Augment(PLAIN)(empty, np.random.default_rng(0)).labels == ()
