import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite.errors import InvalidInputError
from dynamite.proposals.describe import describe
from dynamite.proposals.description import MOST_AREAS, MOST_VECTORS, Description, Kind
from dynamite.proposals.likeness import Likeness, LikenessMaps
from dynamite.proposals.propose import LEAST_SCORE, propose
from dynamite.proposals.seeds import seed_cells
from tests.dynamite.proposals.scenes import features_of, scene, segmenter

DISKS = [(30, 30, 14), (90, 40, 12), (150, 50, 15), (50, 110, 13), (120, 115, 14)]


def learned(disks=DISKS, own=None):
    labels, features = scene(disks)
    own = range(len(disks)) if own is None else own
    return Likeness.learn([describe(features, labels, own, np.random.default_rng(0))])


def test_every_object_of_another_image_is_proposed():
    labels, features = scene([(40, 60, 14), (100, 30, 13), (160, 110, 15)])
    found = propose(features, learned(), segmenter(labels))
    assert len(found.scores) == len(found.seeds) == 3
    assert {int(labels[found.label_map == index][0]) for index in range(3)} == {0, 1, 2}
    assert np.array_equal(found.label_map >= 0, labels >= 0)


def test_one_mask_of_the_image_finds_the_others():
    labels, features = scene(DISKS)
    known = np.where(labels == 0, 0, -1).astype(np.int16)
    one = describe(features, known, [0], np.random.default_rng(0))
    found = propose(features, Likeness.learn([one]), segmenter(labels), known=known)
    assert len(found.scores) == len(DISKS) - 1
    assert not ((found.label_map >= 0) & (known >= 0)).any()


def test_objects_of_another_kind_are_not_proposed():
    labels, features = scene([(40, 60, 14)])
    others, of_others = scene([(120, 100, 14)], kind=1)
    both = features_of(
        features.maps.mask_features + of_others.maps.mask_features, features.image_size
    )
    joint = np.where(others >= 0, 1, labels).astype(np.int16)
    found = propose(both, learned(), segmenter(joint))
    assert len(found.scores) == 1
    assert (labels[found.label_map == 0] == 0).all()


def test_known_objects_are_segmented_with_the_seeds():
    labels, features = scene(DISKS)
    asked = []
    known = np.where(labels <= 1, labels, -1).astype(np.int16)
    propose(features, learned(), segmenter(labels, asked=asked), known=known)
    clicks = [click for (click,) in asked[0].objects]
    on_known = [click for click in clicks if known[int(click.y), int(click.x)] >= 0]
    assert {int(known[int(c.y), int(c.x)]) for c in on_known} == {0, 1}
    assert clicks[-2:] == on_known


def test_at_most_so_many_the_best_first():
    labels, features = scene(DISKS)
    found = propose(features, learned(), segmenter(labels), most=2)
    assert len(found.scores) == 2
    assert found.scores[0] >= found.scores[1] >= LEAST_SCORE


@pytest.mark.parametrize("score", [0.0, 0.05])
def test_what_the_network_doubts_is_left_out(score):
    labels, features = scene(DISKS)
    found = propose(features, learned(), segmenter(labels, score=score))
    assert not found.seeds
    assert (found.label_map == -1).all()


def test_a_mask_of_another_size_is_left_out():
    labels, features = scene(DISKS)
    everything = np.zeros_like(labels)
    assert not propose(features, learned(), segmenter(everything)).seeds


def test_an_image_full_of_known_objects_asks_the_network_nothing():
    labels, features = scene(DISKS)
    asked = []
    known = np.zeros_like(labels)
    assert not propose(features, learned(), segmenter(labels, asked=asked), known=known).seeds
    assert not asked


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 199), st.integers(0, 159), st.integers(4, 30)), max_size=12),
    st.lists(st.tuples(st.integers(0, 199), st.integers(0, 159), st.integers(4, 40)), max_size=3),
    st.integers(1, 5),
)
def test_proposals_overlap_nothing_and_are_counted_and_sorted(disks, occupied, most):
    labels, features = scene(disks)
    known, _ = scene(occupied)
    found = propose(features, learned(), segmenter(labels), known=known, most=most)
    assert not ((found.label_map >= 0) & (known >= 0)).any()
    assert len(found.scores) <= most
    assert (np.diff(found.scores) <= 0).all()
    assert set(np.unique(found.label_map)) - {-1} == set(range(len(found.scores)))


def test_a_description_is_bounded_and_tells_cores_from_borders():
    disks = [(10 + 12 * (i % 15), 10 + 12 * (i // 15), 5) for i in range(150)]
    labels, features = scene(disks)
    one = describe(features, labels, range(len(disks)), np.random.default_rng(0))
    assert len(one.vectors) == len(one.kinds) <= MOST_VECTORS
    assert len(one.areas) <= MOST_AREAS
    assert one.areas.max() == pytest.approx(np.pi * 5**2 / 16, rel=0.2)
    labels, features = scene(DISKS)
    larger = describe(features, labels, range(5), np.random.default_rng(0))
    assert set(larger.kinds.tolist()) == set(Kind)


def test_what_is_ignored_is_not_described():
    labels, features = scene(DISKS)
    rng = np.random.default_rng(0)
    assert describe(features, labels, [0], rng, ignore=labels >= 0) is None
    assert describe(features, np.full_like(labels, -1), [0], rng) is None


def test_values_that_halves_cannot_hold_stay_finite():
    labels, features = scene(DISKS)
    huge = features_of(features.maps.mask_features * 1e6, features.image_size)
    one = describe(huge, labels, range(5), np.random.default_rng(0))
    assert np.isfinite(one.vectors).all()
    assert np.isfinite(Likeness.learn([one]).weights).all()


def test_descriptions_of_other_networks_are_refused():
    labels, features = scene(DISKS)
    one = describe(features, labels, range(5), np.random.default_rng(0))
    other = Description(one.vectors[:, :4], one.kinds, one.areas)
    with pytest.raises(InvalidInputError, match="channels"):
        Likeness.learn([one, other])
    with pytest.raises(InvalidInputError, match="channels"):
        Likeness.learn([])
    with pytest.raises(InvalidInputError, match="describe the accepted images again"):
        Likeness.learn([other]).maps(features)


def test_a_seed_keeps_others_away_as_far_as_it_is_deep():
    objects = np.zeros((40, 40), np.float32)
    objects[5:35, 5:35] = 1
    cores = np.zeros((40, 40), np.float32)
    for row in (16, 22):
        cv2.circle(cores, (20, row), 1, 1.0, cv2.FILLED)
    taken = np.zeros((40, 40), np.bool_)
    assert len(seed_cells(LikenessMaps(objects, cores), taken, 3.0, 10)) == 1
    objects[19] = 0  # two objects now
    assert len(seed_cells(LikenessMaps(objects, cores), taken, 3.0, 10)) == 2
