from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from training.data.augment import AugmentConfig
from training.data.catalog import Subset
from training.data.coco import open_coco
from training.data.problems import DatasetError
from training.data.sampling import Mixture, TrainingSamples

MINI = open_coco(Path(__file__).parent / "mini" / "annotations.json")
SETS = {"people": Subset(MINI, [0, 1]), "crowds": Subset(MINI, [2, 3]), "cells": Subset(MINI, [4])}
CONFIG = AugmentConfig(size=64, min_area=10, min_visible_area=5)


def test_sets_are_drawn_in_proportion_to_their_weights() -> None:
    mixture = Mixture(SETS, {"people": 3, "crowds": 1, "cells": 0})
    rng = np.random.default_rng(0)
    drawn = [mixture.draw(rng) for _ in range(4000)]
    sets = Counter(draw.dataset for draw in drawn)
    assert set(sets) == {"people", "crowds"}
    assert abs(sets["people"] / 4000 - 0.75) < 0.03
    items = Counter(draw.item for draw in drawn if draw.dataset == "people")
    assert abs(items[0] / sets["people"] - 0.5) < 0.04


def test_a_sample_depends_on_seed_and_index_alone() -> None:
    weights = {"people": 1, "crowds": 1, "cells": 1}
    run, resumed = (TrainingSamples(Mixture(SETS, weights), CONFIG, seed=7) for _ in range(2))
    whole = [run.get(index) for index in range(6)]
    for index in (5, 3, 4):  # any order, as after a restart or in several processes
        sample, rng = resumed.get(index)
        assert (sample.image == whole[index][0].image).all()
        assert (sample.label_map == whole[index][0].label_map).all()
        assert rng.random() == whole[index][1].random()
    other = TrainingSamples(Mixture(SETS, weights), CONFIG, seed=8)
    assert any((other[i].image != whole[i][0].image).any() for i in range(3))
    assert len({sample.image.tobytes() for sample, _ in whole}) == 6


def test_every_sample_has_an_object() -> None:
    samples = TrainingSamples(Mixture(SETS, {"people": 1, "crowds": 1, "cells": 1}), CONFIG, 0)
    assert all(samples[index].labels for index in range(40))


def test_hopeless_settings_are_an_error_not_an_endless_loop() -> None:
    config = AugmentConfig(size=64, min_area=10**6)
    samples = TrainingSamples(Mixture({"cells": SETS["cells"]}, {"cells": 1}), config, 0)
    with pytest.raises(DatasetError, match="min_area"):
        samples[0]


@pytest.mark.parametrize(
    "weights", [{"people": 1}, {"people": 1, "crowds": -1, "cells": 1}, dict.fromkeys(SETS, 0.0)]
)
def test_weights_that_cannot_be_meant_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(DatasetError, match="weights"):
        Mixture(SETS, weights)


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(DatasetError, match="empty"):
        Mixture({"none": Subset(MINI, [])}, {"none": 1})
