import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.training.annotation_store.builders import (
    SOURCE,
    annotation,
    photo,
    project,
    rectangle,
    region,
)
from training.annotation_store import (
    AcceptedImage,
    AnnotationKey,
    AnnotationStore,
    Origin,
    Rejection,
    SnapshotRules,
    counting,
    write_snapshot,
)
from training.annotation_store.unknown import BAND, unknown
from training.data.catalog import open_dataset
from training.data.masks import decode

LATER = "2026-02-01T00:00:00.000000+00:00"
NONE_HELD_OUT = SnapshotRules(holdout=0.0, exhaustive=frozenset({project(1)}))


@pytest.fixture
def store(tmp_path):
    with AnnotationStore(tmp_path / "store") as store:
        yield store


def fill(store, count):
    for number in range(1, count + 1):
        store.apply(annotation(number, store.put_image(photo(number))))


def test_a_snapshot_is_read_by_the_training_data_reader(store, tmp_path):
    mask = rectangle(5, 5, 20, 10)
    digest = store.put_image(photo(1))
    store.apply(annotation(1, digest, regions=[region(mask, "door")]))
    snapshot = write_snapshot(store, [project(1)], tmp_path / "snapshots", NONE_HELD_OUT)
    dataset = open_dataset(snapshot.folder / "corrected")
    sample = dataset[0]
    assert dataset.name == "corrected"
    assert sample.labels == ("door",)
    assert (sample.label_map == np.where(mask, 0, -1)).all()
    assert not sample.ignore.any()
    assert snapshot.images == {"corrected": 1, "unchanged": 0, "holdout": 0}


def test_the_same_data_have_the_same_digest_and_are_written_once(store, tmp_path):
    fill(store, 3)
    first = write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    again = write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    assert again == first
    store.delete(AnnotationKey(SOURCE, 2))
    assert write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT).digest != first.digest
    assert len(list((tmp_path / "s").iterdir())) == 2


@pytest.mark.parametrize("lost", ["annotations.json", "images"])
def test_a_snapshot_that_is_not_whole_is_written_again(store, tmp_path, lost):
    fill(store, 3)
    snapshot = write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    path = snapshot.folder / "corrected" / lost
    (path if path.is_file() else next(path.iterdir())).unlink()
    assert write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT) == snapshot
    assert len(open_dataset(snapshot.folder / "corrected")) == 3
    assert list((tmp_path / "s").iterdir()) == [snapshot.folder]


def test_a_snapshot_whose_content_a_power_cut_took_is_written_again(store, tmp_path):
    fill(store, 3)
    snapshot = write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    (snapshot.folder / "corrected" / "annotations.json").write_bytes(b"")
    assert write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT) == snapshot
    assert len(open_dataset(snapshot.folder / "corrected")) == 3


def test_a_snapshot_that_cannot_get_its_name_says_why(store, tmp_path, monkeypatch):
    fill(store, 1)

    def full(path, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match=r"No space left .*\.part'"):
        write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    assert list((tmp_path / "s").iterdir()) == []


def test_a_snapshot_taken_again_is_touched(store, tmp_path):
    fill(store, 1)
    snapshot = write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    os.utime(snapshot.folder, (1, 1))
    write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    assert snapshot.folder.stat().st_mtime > 1e9


def test_what_is_held_out_stays_held_out_as_images_come(store, tmp_path):
    rules = SnapshotRules(holdout=0.4)
    fill(store, 10)
    before = write_snapshot(store, [project(1)], tmp_path / "s", rules)
    fill(store, 30)
    after = write_snapshot(store, [project(1)], tmp_path / "s", rules)

    def names(snapshot, part):
        return {path.name for path in (snapshot.folder / part / "images").iterdir()}

    assert names(before, "holdout") < names(after, "holdout")
    assert names(before, "corrected") < names(after, "corrected")
    assert not names(after, "holdout") & names(after, "corrected")


def test_unchanged_answers_are_kept_apart_from_what_people_drew(store, tmp_path):
    own = region(rectangle(0, 0, 9, 9), origin=Origin.UNCHANGED, name="a")
    drawn = region(rectangle(20, 20, 9, 9), name="b")
    store.apply(annotation(1, store.put_image(photo(1)), regions=[own]))
    store.apply(annotation(2, store.put_image(photo(2)), regions=[own, drawn]))
    snapshot = write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    assert snapshot.images == {"corrected": 1, "unchanged": 1, "holdout": 0}


def test_an_image_whose_file_is_gone_is_left_out_and_told(store, tmp_path, caplog):
    fill(store, 2)
    (first, _) = store.annotations()
    store.image_path(first.images[0].digest).unlink()
    snapshot = write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    assert sum(snapshot.images.values()) == 1
    assert "1 accepted images are left out" in caplog.text


def test_other_projects_stay_out(store, tmp_path):
    store.apply(annotation(1, store.put_image(photo(1)), project=1))
    store.apply(annotation(2, store.put_image(photo(2)), project=2))
    snapshot = write_snapshot(store, [project(2)], tmp_path / "s", NONE_HELD_OUT)
    (image,) = (snapshot.folder / "corrected" / "images").iterdir()
    assert image.read_bytes() == photo(2)


def test_where_not_everything_is_labelled_far_pixels_say_nothing(store, tmp_path):
    mask = rectangle(2, 2, 6, 6)
    store.apply(annotation(1, store.put_image(photo(1)), regions=[region(mask)]))
    rules = SnapshotRules(holdout=0.0, exhaustive=frozenset())
    sample = open_dataset(
        write_snapshot(store, [project(1)], tmp_path / "s", rules).folder / "corrected"
    )[0]
    assert sample.exhaustive is False
    assert sample.ignore[39, 59] and not sample.ignore[2:8, 2:8].any()
    assert not sample.ignore[4, 10]  # next to the object it is background


@pytest.mark.parametrize(("code", "exhaustive"), [("bad_mask", False), ("empty_mask", True)])
def test_an_object_that_was_set_aside_is_not_taught_as_background(
    store, tmp_path, code, exhaustive
):
    one = annotation(1, store.put_image(photo(1)))
    store.apply(one, [Rejection(code, "as it is", "r2")])
    store.apply(annotation(2, store.put_image(photo(2))))
    snapshot = write_snapshot(store, [project(1)], tmp_path / "s", NONE_HELD_OUT)
    found = open_dataset(snapshot.folder / "corrected")
    told = {sample.sample_id.rpartition("/")[2]: sample for sample in (found[0], found[1])}
    assert told[one.images[0].digest].exhaustive is exhaustive
    assert told[one.images[0].digest].ignore.any() is not exhaustive
    assert sum(sample.exhaustive for sample in told.values()) == 1 + exhaustive


@given(
    st.lists(arrays(np.bool_, (24, 37), elements=st.booleans(), fill=st.just(False)), max_size=3)
)
@settings(max_examples=60, deadline=None)
def test_what_is_unknown_is_far_from_every_object_seen_one_at_a_time(masks):
    regions = [region(mask) for mask in masks if mask.any()]
    found = unknown(AcceptedImage("0" * 64, 24, 37, tuple(regions)))
    near = np.zeros((24, 37), np.bool_)
    for one, mask in zip(regions, (mask for mask in masks if mask.any()), strict=True):
        reach = max(8, round(BAND * np.sqrt(one.area / np.pi)))
        apart = cv2.distanceTransform(1 - mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        near |= apart <= reach
    assert (found is None) == near.all()
    if found is not None:
        assert (decode(found, near.shape) == ~near).all()


def test_ground_truth_goes_before_later_annotations_and_later_before_earlier(store):
    store.apply(
        annotation(
            1, "a" * 64, task=1, regions=[region(rectangle(0, 0, 9, 9), "truth")], ground_truth=True
        )
    )
    store.apply(annotation(2, "a" * 64, task=1, updated=LATER))
    store.apply(annotation(3, "b" * 64, task=2, regions=[region(rectangle(0, 0, 9, 9), "old")]))
    store.apply(
        annotation(
            4, "b" * 64, task=2, updated=LATER, regions=[region(rectangle(0, 0, 9, 9), "new")]
        )
    )
    store.apply(annotation(5, "b" * 64, task=2, updated=LATER, cancelled=True))
    labels = {image.digest[0]: image.regions[0].label for image, _ in counting(store.annotations())}
    assert labels == {"a": "truth", "b": "new"}
