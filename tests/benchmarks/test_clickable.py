"""Objects too small for a second click are left out of the curve."""

import numpy as np
import pytest

from benchmarks.clickable import DISC, Clickable, clickable
from training.click_simulation import SUPPRESSION_RADIUS, first_clicks
from training.data.sample import Sample
from training.distance_map import DistanceMap


def sample_of(*sides: tuple[int, int], parents: tuple[int, ...] = ()) -> Sample:
    """Rectangles of these heights and widths, one below the other."""
    instances = np.full((80, 60), -1, np.int32)
    top = 1
    for index, (height, width) in enumerate(sides):
        instances[top : top + height, 2 : 2 + width] = index
        top += height + 2
    return Sample(
        image=np.zeros((80, 60, 3), np.uint8),
        instances=instances,
        labels=tuple(f"object {index}" for index in range(len(sides))),
        ignore=np.zeros((80, 60), np.bool_),
        sample_id="drawn",
        parents=parents,
    )


def test_the_disc_is_what_a_click_keeps_others_off() -> None:
    whole = np.ones((41, 41), np.bool_)
    clicks = first_clicks(np.zeros((41, 41), np.int32), 1)
    free = DistanceMap.of(whole).without(clicks, SUPPRESSION_RADIUS)
    assert int((free.values_hw == 0).sum()) == DISC


def test_tiny_objects_are_neither_objects_nor_background() -> None:
    found = clickable(sample_of((9, 9), (10, 20), (3, 3)))
    assert found.labels == ("object 1",)
    assert found.areas.tolist() == [200]
    assert int(found.ignore.sum()) == 81 + 9
    assert not (found.ignore & (found.instances >= 0)).any()


def test_a_tiny_part_does_not_become_the_object_around_it() -> None:
    sample = sample_of((20, 20), (2, 2), parents=(-1, 0))
    found = clickable(sample)
    assert found.areas.tolist() == [400]
    assert int(found.ignore.sum()) == 4


@pytest.mark.parametrize("sides", [((10, 10), (9, 10)), ((9, 9), (2, 2)), ()])
def test_where_all_or_none_are_tiny_nothing_is_left_out(sides: tuple[tuple[int, int], ...]) -> None:
    sample = sample_of(*sides)
    assert clickable(sample) is sample


class Drawn:
    """A data set of one image: an object of 200 pixels and one of 9."""

    name = "drawn"
    sample_ids = ("only",)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Sample:
        return sample_of((10, 20), (3, 3))


def test_a_data_set_keeps_its_names() -> None:
    found = Clickable(Drawn())
    assert (found.name, list(found.sample_ids), len(found)) == ("drawn", ["only"], 1)
    assert found[0].labels == ("object 0",)
