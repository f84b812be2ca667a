"""What is described of a project, and how that is kept."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from dynamite import Predictor
from dynamite.proposals.description import MOST_AREAS, MOST_VECTORS, Description
from tests.training.memory.conftest import accept
from training.annotation_store import AnnotationKey, ProjectKey
from training.proposing import describe
from training.proposing.describe import describe_project
from training.proposing.kept import MOST_IMAGES, MOST_LABELS, Entry, KeptDescriptions, Record

PROJECT = ProjectKey("label_studio", 3)


@pytest.fixture
def kept(tmp_path):
    return KeptDescriptions(tmp_path / "descriptions")


class CountingPredictor(Predictor):
    """Counts the images that it encodes."""

    encoded = 0

    def encode(self, image, **more):
        self.encoded += 1
        return super().encode(image, **more)


@pytest.fixture
def predictor(model):
    return CountingPredictor(model)


_DEFAULTS = {"weights": "w1", "exhaustive": True, "tries": False}


def bring(predictor, store, kept, **more):
    return describe_project(
        predictor,
        store,
        PROJECT,
        kept,
        **{"weights": "w1", "exhaustive": True, "tries": False} | more,
    )


def one(channels=6, value=1.0):
    """A description."""
    rng = np.random.default_rng(int(value))
    return Description(
        (rng.normal(size=(30, channels)) + value).astype(np.float16),
        np.repeat(np.arange(3, dtype=np.uint8), 10),
        np.array([5.0, 7.0], np.float32),
    )


def record(*entries, change=1):
    return Record(
        change=change,
        weights="w1",
        model_version="v1",
        entries=tuple(Entry(label=label, image=image) for label, image in entries),
    )


def test_accepted_images_are_described_by_label(predictor, store, samples, kept):
    for number, sample in enumerate(samples[:2]):
        accept(store, number, sample)
    accept(store, 7, samples[2], project=4)
    found = bring(predictor, store, kept)
    labels = set(samples[0].labels) | set(samples[1].labels)
    assert {entry.label for entry in found.entries} == labels
    assert len({entry.image for entry in found.entries}) == 2
    read = kept.read(PROJECT)
    assert read.record == found
    assert read.record.labels == sorted(labels)
    assert all(read.of(label) for label in labels)
    assert found.change == store.project_change(PROJECT)


def test_an_image_is_encoded_once(predictor, store, samples, kept):
    accept(store, 0, samples[0])
    before = bring(predictor, store, kept)
    accept(store, 1, samples[1])
    after = bring(predictor, store, kept)
    assert predictor.encoded == 2
    assert set(before.entries) < set(after.entries)
    assert bring(predictor, store, kept) == after
    assert predictor.encoded == 2


def test_other_weights_describe_everything_again(predictor, model, store, samples, kept):
    accept(store, 0, samples[0])
    bring(predictor, store, kept)
    model.version = "tiny-2"
    assert bring(predictor, store, kept).model_version == "tiny-2"
    assert predictor.encoded == 2


def test_changed_masks_are_described_again(predictor, store, samples, kept):
    accept(store, 0, samples[0])
    before = bring(predictor, store, kept)
    accept(store, 1, samples[0].keep([0]))  # a later annotation of the same image
    after = bring(predictor, store, kept)
    assert predictor.encoded == 2
    assert {one.image for one in before.entries}.isdisjoint(one.image for one in after.entries)


def test_what_is_deleted_is_described_no_longer(predictor, store, samples, kept):
    for number, sample in enumerate(samples[:2]):
        accept(store, number, sample)
    bring(predictor, store, kept)
    store.delete(AnnotationKey("label_studio", 0))
    found = bring(predictor, store, kept)
    assert len({entry.image for entry in found.entries}) == 1
    store.delete(AnnotationKey("label_studio", 1))
    assert bring(predictor, store, kept).entries == ()
    assert kept.read(PROJECT).descriptions == ()
    assert predictor.encoded == 2


def test_the_newest_images_are_kept_and_the_most_different(
    predictor, store, samples, kept, monkeypatch
):
    monkeypatch.setattr(describe, "MOST_IMAGES", 2)
    for number in range(4):
        sample = samples[number]
        accept(store, number, replace(sample, labels=("Cell",) * len(sample.labels)))
    found = bring(predictor, store, kept)
    assert len(found.entries) == 2
    assert len(found.passed_over) == 2
    bring(predictor, store, kept)
    assert predictor.encoded == 4  # what was passed over is not encoded again


def test_looks_far_from_all_that_is_kept_come_first():
    looks = [np.array([1.0, 0]), np.array([0.9, 0]), np.array([0, 1.0]), np.array([0.8, 0])]
    assert describe._least_alike(looks, [0]) == 2
    assert describe._least_alike(looks, [0, 2]) == 3


def test_a_file_stays_within_its_bytes(kept):
    """200 images with 20 labels each would be 4000 descriptions: so many are never kept."""
    largest = Description(
        np.zeros((MOST_VECTORS, 192), np.float16),
        np.ones(MOST_VECTORS, np.uint8),
        np.ones(MOST_AREAS, np.float32),
    )
    names = [f"{number:016x}" for number in range(200)]
    images = {name: {f"label {i}": largest for i in range(25)} for name in names}
    chosen = describe._chosen(images)
    assert len(chosen) == MOST_IMAGES * MOST_LABELS
    kept.write(PROJECT, record(*chosen), [largest] * len(chosen))
    assert kept.path(PROJECT).stat().st_size < 40_000_000


@settings(max_examples=30, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_counts_as_none(tmp_path_factory, where, flip, cut):
    kept = KeptDescriptions(tmp_path_factory.mktemp("kept"))
    kept.write(PROJECT, record(("Cell", "a")), [one()])
    data = bytearray(kept.path(PROJECT).read_bytes())
    place = int(where * len(data))
    data[place] ^= flip
    kept.path(PROJECT).write_bytes(data[:place] if cut else data)
    for found in (kept.read(PROJECT), kept.record(PROJECT)):  # neither raises
        assert found is None or found


@pytest.mark.parametrize(
    "damage",
    [
        {"0.vectors": np.full((30, 6), np.nan, np.float16)},
        {"0.vectors": np.zeros((30, 6), np.float32)},
        {"0.vectors": np.zeros((300, 6), np.float16), "0.kinds": np.ones(300, np.uint8)},
        {"0.kinds": np.full(30, 3, np.uint8)},
        {"0.kinds": np.ones(29, np.uint8)},
        {"0.kinds": np.zeros(30, np.uint8)},
        {"0.areas": np.array([0.0], np.float32)},
        {"0.areas": np.zeros(0, np.float32)},
    ],
)
def test_absurd_values_count_as_none(kept, damage):
    kept.write(PROJECT, record(("Cell", "a")), [one()])
    path = kept.path(PROJECT)
    tensors = load_file(path)
    save_file(tensors | damage, path, {"record": record(("Cell", "a")).model_dump_json()})
    assert kept.read(PROJECT) is None


def test_projects_are_named_by_their_files_and_forgotten(kept):
    assert list(kept.projects()) == []
    kept.write(PROJECT, record(), [])
    kept.write(("cvat", 12), record(), [])
    (kept.folder / "stranger.safetensors").write_bytes(b"")
    assert set(kept.projects()) == {PROJECT, ("cvat", 12)}
    kept.forget(PROJECT)
    kept.forget(PROJECT)
    assert list(kept.projects()) == [("cvat", 12)]
    assert kept.read(PROJECT) is None


def test_readers_see_whole_files_while_writers_replace_them(kept):
    versions = {n: [one(value=n) for _ in range(n)] for n in (1, 3)}
    end = time.monotonic() + 2

    def write(count):
        entries = [("Cell", str(number)) for number in range(count)]
        while time.monotonic() < end:
            kept.write(PROJECT, record(*entries, change=count), versions[count])

    writers = [threading.Thread(target=write, args=(count,)) for count in versions]
    for writer in writers:
        writer.start()
    seen = set()
    while time.monotonic() < end:
        found = kept.read(PROJECT)
        if found is not None:
            count = found.record.change
            seen.add(count)
            assert len(found.descriptions) == count
            assert np.array_equal(found.descriptions[0].vectors, versions[count][0].vectors)
    for writer in writers:
        writer.join()
    assert seen == {1, 3}


def test_a_killed_writer_leaves_the_file_before_or_the_one_after(kept):
    kept.write(PROJECT, record(("Cell", "a"), change=1), [one()])
    program = (
        "import numpy, sys, pathlib\n"
        "from tests.training.proposing.test_descriptions import one, record, PROJECT\n"
        "from training.proposing.kept import KeptDescriptions\n"
        "kept = KeptDescriptions(pathlib.Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "while True: kept.write(PROJECT, record(*[('Cell', str(i)) for i in range(200)], change=2),"
        " [one()] * 200)\n"
    )
    for delay in (0.0, 0.05, 0.2):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(kept.folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = kept.read(PROJECT)
        assert found is not None
        assert len(found.descriptions) == (1 if found.record.change == 1 else 200)


def test_labels_of_any_kind_are_kept(kept):
    labels = ["", "../../x", "Zelle\n\0", "x" * 5000, "细胞"]
    kept.write(PROJECT, record(*((label, "a") for label in labels)), [one()] * len(labels))
    assert kept.record(PROJECT).labels == sorted(labels)
