"""What is proposed from the masks of an image and from what is kept of its project."""

import numpy as np
import pytest

from backend.proposals import proposer as module
from backend.proposals.likenesses import Likenesses
from backend.proposals.proposer import Proposer
from backend.session.answer_plan import LikeAsked
from backend.session.bitmask import BitMask
from backend.session.regions import ImageKey
from dynamite.proposals.describe import describe
from dynamite.proposals.propose import LEAST_SCORE
from tests.dynamite.proposals.scenes import features_of, scene, segmenter
from training.proposing.kept import Entry, KeptDescriptions, Record
from training.proposing.verdicts import Trial

DISKS = [(30, 30, 14), (90, 40, 12), (150, 50, 15), (50, 110, 13), (120, 115, 14)]
OTHER_KIND = [(180, 140, 14)]
IMAGE = ImageKey("image")
PROJECT = ("label_studio", 3)


@pytest.fixture
def kept(tmp_path):
    return KeptDescriptions(tmp_path / "kept")


@pytest.fixture
def propose(kept):
    proposer = Proposer(Likenesses(kept))

    def run(asked, project=PROJECT, accepts=lambda label: True, disks=DISKS):
        labels, features = scene(disks)
        return proposer(project, asked, features, segmenter(labels), accepts=accepts)

    return run


def mask(index, disks=DISKS):
    labels, _ = scene(disks)
    return BitMask.of(labels == index)


def keep(kept, *labels, version="v1", trials=()):
    """Keep the disks of another image under these labels."""
    found, features = scene([(40, 60, 14), (100, 30, 13), (160, 110, 15)])
    one = describe(features, found, range(3), np.random.default_rng(0))
    entries = tuple(Entry(label=label, image="other") for label in labels)
    record = Record(
        change=1, weights="w", model_version=version, entries=entries, trials=tuple(trials)
    )
    kept.write(PROJECT, record, [one] * len(labels))


def test_one_mask_of_the_image_is_enough(propose):
    found = propose(LikeAsked("p", IMAGE, "Cell", {"Cell": [mask(0)]}), project=None)
    assert [one.label for one in found] == ["Cell"] * 4
    assert not any((one.mask.array() & mask(0).array()).any() for one in found)
    for one in found:
        assert one.mask.contains(*one.seed)
        assert LEAST_SCORE <= one.score <= 1


def test_what_is_kept_of_the_project_is_enough(propose, kept):
    keep(kept, "Cell")
    assert len(propose(LikeAsked("p", IMAGE, "Cell"))) == 5
    assert propose(LikeAsked("p", IMAGE, "Cell"), project=("label_studio", 4)) == []
    assert propose(LikeAsked("p", IMAGE, "Car")) == []


def test_descriptions_of_other_weights_are_not_used(propose, kept):
    keep(kept, "Cell", version="v0")
    assert propose(LikeAsked("p", IMAGE, "Cell")) == []
    assert propose(LikeAsked("p", IMAGE, None)) == []


def test_nothing_lies_on_what_is_known(propose, kept):
    keep(kept, "Cell")
    others = [mask(1), mask(2)]
    found = propose(LikeAsked("p", IMAGE, "Cell", {"Cell": [mask(0)]}, others))
    assert len(found) == 2
    for one in found:
        assert not any((one.mask.array() & known.array()).any() for known in (*others, mask(0)))


def test_without_a_label_all_are_proposed_once(propose, kept):
    keep(kept, "Cell", "Nucleus")
    found = propose(LikeAsked("p", IMAGE, None))
    assert len(found) == 5  # two labels for one look: the first one takes them
    assert sum(one.mask.array().astype(int) for one in found).max() == 1


def test_a_label_whose_proposals_are_mostly_wrong_is_not_proposed_unasked(propose, kept):
    wrong = Trial(image="a", label="Cell", proposed=20, right=3)
    keep(kept, "Cell", "Nucleus", trials=[wrong])
    found = propose(LikeAsked("p", IMAGE, unasked=True))
    assert {one.label for one in found} == {"Nucleus"}
    assert {one.label for one in propose(LikeAsked("p", IMAGE))} == {"Cell"}
    assert {one.label for one in propose(LikeAsked("p", IMAGE, "Cell"))} == {"Cell"}


def test_a_label_that_cannot_be_shown_is_left_out(propose, kept):
    keep(kept, "Cell", "Nucleus")
    found = propose(LikeAsked("p", IMAGE, None), accepts=lambda label: label == "Nucleus")
    assert {one.label for one in found} == {"Nucleus"}


def test_the_masks_of_each_label_are_their_own_examples(kept):
    labels, features = scene(DISKS)
    others, of_others = scene(OTHER_KIND, kind=1)
    both = features_of(
        features.maps.mask_features + of_others.maps.mask_features, features.image_size
    )
    joint = np.where(others >= 0, len(DISKS), labels).astype(np.int16)
    proposer = Proposer(Likenesses(kept))
    examples = {"B": [BitMask.of(others == 0)], "A": [mask(0), mask(1)]}
    for label, count in (("A", 3), ("B", 0)):
        found = proposer(
            None,
            LikeAsked("p", IMAGE, label, examples),
            both,
            segmenter(joint),
            accepts=lambda _: True,
        )
        assert len(found) == count


def test_at_most_so_many(propose, kept, monkeypatch):
    keep(kept, "Cell", "Nucleus")
    monkeypatch.setattr(module, "MOST", 2)
    assert len(propose(LikeAsked("p", IMAGE, None))) == 2


def test_a_mask_of_another_size_is_scaled(propose):
    small = BitMask.of(mask(0).array()[::2, ::2])
    assert len(propose(LikeAsked("p", IMAGE, "Cell", {"Cell": [small]}), project=None)) == 4
