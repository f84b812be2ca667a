"""Two models judged on drawn images: what each number counts, and what the gate makes of it."""

from collections.abc import Callable

import numpy as np
import pytest

from dynamite import ClickSet
from training.click_simulation import LabelMap
from training.data.sample import Sample
from training.retraining.gate import judge
from training.retraining.judging import Comparison, compare
from training.retraining.options import JobOptions

OBJECTS = np.full((40, 80), -1, np.int32)
OBJECTS[5:15, 5:25] = 0
OBJECTS[25:35, 5:25] = 1


class Drawn:
    """A data set of the same image again and again: two objects."""

    name = "drawn"

    def __init__(self, count: int = 1) -> None:
        self.sample_ids = tuple(map(str, range(count)))

    def __len__(self) -> int:
        return len(self.sample_ids)

    def __getitem__(self, index: int) -> Sample:
        return Sample(
            image=np.zeros((40, 80, 3), np.uint8),
            label_map=OBJECTS,
            labels=("plain", "hopeless"),
            ignore=np.zeros(OBJECTS.shape, np.bool_),
            sample_id=self.sample_ids[index],
        )


class Method:
    """Never finds object 1, and object 0 once it has so many clicks."""

    def __init__(self, needed: float) -> None:
        self.needed = needed

    def open(self, image: object) -> "Method":
        return self

    def segment(self, clicks: ClickSet) -> LabelMap:
        found = len(clicks.objects[0]) >= self.needed
        return np.where((OBJECTS == 0) & found, 0, -1)


@pytest.fixture
def judged() -> Callable[..., Comparison]:
    def compared(current: Method, candidate: Method, images: int = 1) -> Comparison:
        return compare(
            (current, candidate),
            Drawn(images),
            budget=10,
            most=images,
            least=images,
            seconds=60,
            name="drawn",
        )

    return compared


def test_a_failed_object_costs_its_own_budget_and_in_nci_its_images(judged) -> None:
    found = judged(Method(np.inf), Method(1)).summary()
    assert (found["clicks_current"], found["clicks_candidate"]) == (10, (1 + 10) / 2)
    assert (found["nci_current"], found["nci_candidate"]) == (10, 10)
    assert (found["failed_current"], found["failed_candidate"]) == (2, 1)
    assert found["objects"] == 2


def test_a_better_model_is_published_though_every_image_keeps_a_failed_object(judged) -> None:
    comparison = judged(Method(3), Method(1), images=8)
    assert [image.nci for image in comparison.images] == [(10, 10)] * 8
    verdict = judge(comparison.clicks, None, JobOptions(), np.random.default_rng(0))
    assert verdict.published
    assert verdict.gain == pytest.approx(2 / 13)
