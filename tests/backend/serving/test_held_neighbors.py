"""Over HTTP: a click leaves the masks of other objects as they are, to the pixel."""

from types import SimpleNamespace

import numpy as np

from backend.serving.engine import Model
from dynamite import brush_rle
from dynamite.predict.hold_still import hold_still
from tests.fakes import DiscPredictor, discs


class Restless(DiscPredictor):
    """A predictor whose masks all grow with every click, as far as it may draw them anew."""

    def segment(self, features, clicks, *, shown=None):
        self.segments += 1
        found = discs(clicks, *features.image_size, 20 + 5 * self.segments)
        label_map = found.label_map if shown is None else hold_still(found.label_map, shown)
        return SimpleNamespace(label_map=label_map, scores=found.scores)


def shown(regions):
    """Each region's pixels by its id, in the order of the answer."""
    return {
        region["id"]: brush_rle.decode(
            region["value"]["rle"], (region["original_height"], region["original_width"])
        ).astype(bool)
        for region in regions
    }


def same(one, other):
    return np.array_equal(one, other)


def test_a_click_leaves_the_masks_of_other_objects_as_they_are(backend, click):
    backend.parts.engine.swap(Model(Restless(), "restless", backend.parts.engine.model.device))
    a, b, more = click("A", 100, 100), click("B", 300, 100), click("B", 320, 110)
    ((first, alone),) = shown(backend.result(a)).items()
    two = shown(backend.result(a, b))
    (second,) = two.keys() - {first}
    assert same(two[first], alone)
    three = shown(backend.result(a, b, more))
    assert same(three[first], alone)
    assert not same(three[second], two[second])
    four = shown(backend.result(a, b, more, click("A", 110, 110)))
    assert not same(four[first], alone)
    assert same(four[second], three[second])


def test_a_click_on_a_spill_takes_it_back_and_no_more(backend, click):
    backend.parts.engine.swap(Model(Restless(), "restless", backend.parts.engine.model.device))
    a, b = click("A", 100, 100), click("B", 130, 100)
    ((first, spilled),) = shown(backend.result(a)).items()
    both = shown(backend.result(a, b))
    (second,) = both.keys() - {first}
    assert (spilled & both[second]).any()
    assert same(both[first], spilled & ~both[second])
