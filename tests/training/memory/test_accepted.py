"""Accepted images as samples."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from tests.training.memory.conftest import accept
from training.annotation_store import AnnotationKey, AnnotationStore, ProjectKey, Rejection
from training.data.sample import Sample
from training.memory import accepted
from training.memory.accepted import accepted_samples

PROJECT = ProjectKey("label_studio", 3)


def test_the_newest_images_of_the_project_count(
    store: AnnotationStore, samples: list[Sample]
) -> None:
    for number, sample in enumerate(samples, start=1):
        accept(store, number, sample)
    accept(store, 9, samples[0], project=4)
    found = accepted_samples(store, PROJECT, exhaustive=True, most=2)
    assert [np.array_equal(a.image, b.image) for a, b in zip(found, samples[:1:-1], strict=True)]
    assert np.array_equal(found[0].label_map >= 0, samples[3].label_map >= 0)
    assert found[0].labels == samples[3].labels


def test_far_from_objects_nothing_is_known_unless_all_are_labelled(
    store: AnnotationStore, samples: list[Sample]
) -> None:
    accept(store, 1, samples[0])
    (partly,) = accepted_samples(store, PROJECT, exhaustive=False)
    (whole,) = accepted_samples(store, PROJECT, exhaustive=True)
    assert partly.ignore.any()
    assert not whole.ignore.any()
    annotation = store.annotation(AnnotationKey("label_studio", 1))
    assert annotation is not None
    newer = replace(annotation, updated_at="2026-02-01T00:00:00.000000+00:00")
    store.apply(newer, [Rejection("no_mask", "a click without a mask", "r7")])
    (incomplete,) = accepted_samples(store, PROJECT, exhaustive=True)
    assert incomplete.ignore.any()


def test_an_image_that_cannot_be_read_is_left_out(
    store: AnnotationStore, samples: list[Sample], caplog: pytest.LogCaptureFixture
) -> None:
    for number, sample in enumerate(samples[:3], start=1):
        accept(store, number, sample)
    paths = sorted((store.folder / "images").glob("??/*"))
    paths[0].write_bytes(b"no image")
    paths[1].unlink()
    with caplog.at_level(logging.WARNING):
        assert len(accepted_samples(store, PROJECT, exhaustive=True)) == 1
    assert caplog.text.count("memory leaves an image out") == 2


def test_large_images_are_reduced(
    store: AnnotationStore, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(store, 1, samples[0])
    monkeypatch.setattr(accepted, "MAX_PIXELS", 32 * 32)
    (sample,) = accepted_samples(store, PROJECT, exhaustive=False)
    assert sample.image.shape == (32, 32, 3)
    assert sample.label_map.shape == sample.ignore.shape == (32, 32)
    assert (sample.areas > 0).all()
