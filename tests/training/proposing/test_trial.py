"""How right proposals are on accepted images, and which labels are worth pre-labelling."""

from dataclasses import replace

import numpy as np
import pytest

from dynamite.proposals.describe import describe
from dynamite.proposals.propose import Proposals
from tests.dynamite.proposals.scenes import features_of, scene, segmenter
from tests.training.memory.conftest import accept
from tests.training.proposing.test_descriptions import PROJECT, CountingPredictor, bring
from training.annotation_store import AnnotationKey
from training.data.sample import Sample
from training.proposing import describe as module
from training.proposing.kept import KeptDescriptions
from training.proposing.trial import matched, try_labels
from training.proposing.verdicts import LEAST_PROPOSED, Trial, Verdict, verdicts

DISKS = [(40, 60, 14), (100, 30, 13), (160, 110, 15)]


class Drawn:
    """A predictor that draws the objects of a scene."""

    def __init__(self, labels):
        self._segment = segmenter(labels)

    def segment(self, features, clicks):
        return self._segment(clicks)


def described(kind):
    found, features = scene(DISKS, kind=kind)
    return describe(features, found, range(3), np.random.default_rng(0))


def tried(label, others, disks=DISKS, labels=None):
    """The trials on a scene whose first disks have a label, and the last one another."""
    found, features = scene(disks)
    sample = Sample(
        np.zeros((*found.shape, 3), np.uint8),
        found.astype(np.int32),
        labels or (label,) * len(disks),
        np.zeros(found.shape, np.bool_),
        "s",
    )
    return try_labels(Drawn(found), features, sample, "s", others)


def test_proposals_that_match_accepted_objects_are_right():
    (one,) = tried("Cell", [{"Cell": described(0)}])
    assert one == Trial(image="s", label="Cell", proposed=3, right=3)


def test_what_people_labelled_otherwise_or_not_at_all_is_wrong():
    (one,) = tried("Cell", [{"Cell": described(0)}], labels=("Cell", "Car", "Car"))
    assert (one.proposed, one.right) == (3, 1)
    (one,) = tried("Car", [{"Cell": described(0)}])
    assert (one.label, one.proposed, one.right) == ("Cell", 3, 0)


def test_what_no_other_image_shows_is_not_tried():
    assert tried("Cell", []) == []
    assert tried("Cell", [{}]) == []


def test_an_image_without_anything_alike_has_no_proposals():
    found, _ = scene(DISKS)
    blank = features_of(scene([])[1].maps.mask_features, found.shape)
    sample = Sample(
        np.zeros((*found.shape, 3), np.uint8),
        found.astype(np.int32),
        ("Cell",) * 3,
        np.zeros(found.shape, np.bool_),
        "s",
    )
    (one,) = try_labels(Drawn(found), blank, sample, "s", [{"Cell": described(0)}])
    assert (one.proposed, one.right) == (0, 0)


def test_a_proposal_is_right_above_half_an_iou():
    proposed = np.full((10, 10), -1, np.int16)
    proposed[:5] = 0
    truth = np.full((10, 10), -1, np.int32)
    proposals = Proposals(proposed, np.ones(1, np.float32), ())
    assert matched(proposals, truth) == 0
    truth[2:5] = 0
    assert matched(proposals, truth) == 1
    truth[2] = -1
    truth[6] = 0
    assert matched(proposals, truth) == 0


@pytest.mark.parametrize(
    ("proposed", "right", "is_on"),
    [
        (0, 0, True),
        (LEAST_PROPOSED - 1, 0, True),
        (LEAST_PROPOSED, LEAST_PROPOSED // 2 - 1, False),
        (LEAST_PROPOSED, LEAST_PROPOSED // 2, True),
        (100, 49, False),
        (100, 100, True),
    ],
)
def test_a_label_is_off_where_most_of_its_proposals_are_wrong(proposed, right, is_on):
    assert Verdict("Cell", 3, proposed, right).is_on is is_on


def test_the_trials_of_a_label_count_together():
    trials = [
        Trial(image="a", label="Cell", proposed=9, right=1),
        Trial(image="b", label="Cell", proposed=5, right=2),
        Trial(image="b", label="Car", proposed=50, right=50),
    ]
    cell, car, other = verdicts(["Cell", "Car", "New"], trials)
    assert (cell.images, cell.proposed, cell.right) == (2, 14, 3)
    assert [one.is_on for one in (cell, car, other)] == [False, True, True]
    assert str(cell) == "Cell: off, people labelled 3 of 14 proposals (in 2 accepted images)"
    assert str(other) == "New: not tried yet"


@pytest.fixture
def kept(tmp_path):
    return KeptDescriptions(tmp_path / "descriptions")


@pytest.fixture
def predictor(model):
    return CountingPredictor(model)


@pytest.fixture
def asked(monkeypatch):
    """What was tried: the image, and how many others it was tried with."""
    found = []

    def try_labels(predictor, features, sample, name, others):
        others = list(others)
        found.append((name, len(others)))
        return [Trial(image=name, label="Cell", proposed=5, right=len(others))]

    monkeypatch.setattr(module, "try_labels", try_labels)
    return found


def cells(sample):
    return replace(sample, labels=("Cell",) * len(sample.labels))


def test_each_new_image_is_tried_once_and_never_on_itself(predictor, store, samples, kept, asked):
    for number in range(2):
        accept(store, number, cells(samples[number]))
    bring(predictor, store, kept, tries=True)
    assert [others for _, others in asked] == [0, 1]  # the older one first
    accept(store, 2, cells(samples[2]))
    found = bring(predictor, store, kept, tries=True)
    assert [others for _, others in asked] == [0, 1, 2]
    assert len({name for name, _ in asked}) == 3
    assert {one.image for one in found.trials} == set(found.tried) == {name for name, _ in asked}
    assert predictor.encoded == 3
    (verdict,) = kept.record(PROJECT).verdicts
    assert (verdict.images, verdict.proposed, verdict.right) == (3, 15, 3)


def test_what_is_deleted_counts_no_longer(predictor, store, samples, kept, asked):
    for number in range(2):
        accept(store, number, cells(samples[number]))
    bring(predictor, store, kept, tries=True)
    store.delete(AnnotationKey("label_studio", 1))
    found = bring(predictor, store, kept, tries=True)
    assert len(found.tried) == len(found.trials) == 1
    assert predictor.encoded == 2


def test_where_pre_labelling_is_switched_on_later_the_newest_images_are_tried(
    predictor, store, samples, kept, asked, monkeypatch
):
    monkeypatch.setattr(module, "TRIED", 2)
    for number in range(3):
        accept(store, number, cells(samples[number]))
    found = bring(predictor, store, kept)
    assert (asked, found.tried) == ([], ())
    found = bring(predictor, store, kept, tries=True)
    assert [others for _, others in asked] == [2, 2]
    assert len(found.tried) == 2
    assert predictor.encoded == 5
    assert bring(predictor, store, kept, tries=True) == found
    assert predictor.encoded == 5


def test_a_real_trial_is_kept_and_read(predictor, store, samples, kept):
    for number in range(2):
        accept(store, number, cells(samples[number]))
    found = bring(predictor, store, kept, tries=True)
    assert [one.label for one in found.trials] == ["Cell"]
    assert kept.record(PROJECT) == found
