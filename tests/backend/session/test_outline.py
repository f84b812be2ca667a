"""Polygons around objects, rectangles around masks, clicks dragged into masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.label_studio.batch import plan_batch
from backend.label_studio.predict_request import read_request
from backend.session.bitmask import BitMask
from backend.session.outline import Outline
from backend.session.outlines import goes_around
from backend.session.prompts import Box
from backend.session.regions import ImageKey
from backend.session.stored_masks import Polygons
from tests.backend.session.page_model import HEIGHT, WIDTH, Backend, Page, Server, mask_of

IMAGE = ImageKey("image")
TRIANGLE = Polygons((((0.2, 0.2), (0.8, 0.2), (0.2, 0.8)),))
CONFIG = """<View><Image name="image" value="$image"/>
<KeyPointLabels name="click" toName="image"><Label value="A"/><Label value="B"/></KeyPointLabels>
<BrushLabels name="mask" toName="image" smart="false">
  <Label value="A"/><Label value="B"/></BrushLabels>
<PolygonLabels name="around" toName="image"{}><Label value="A"/></PolygonLabels></View>"""


def around(x0, y0, x1, y1):
    """A polygon region around a rectangle in pixels."""
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    points = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in corners]
    return {
        "id": "poly",
        "type": "polygonlabels",
        "from_name": "around",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "value": {"points": points, "closed": True, "polygonlabels": ["A"]},
    }


def with_config(backend, xml):
    return lambda body: backend({**body, "label_config": xml})


def test_a_polygon_contains_and_clips_what_lies_inside():
    outline = Outline("p", "A", IMAGE, TRIANGLE)
    assert outline.contains(0.3, 0.3) and not outline.contains(0.7, 0.7)
    assert not outline.contains(-1, 0.3)
    clipped = outline.clip(np.ones((40, 40), bool))
    assert clipped[12, 12] and not clipped[28, 28]
    assert outline.contains(*outline.anchor)
    assert all(outline.contains(*click) for click in outline.clicks())
    assert not any(outline.contains(*click) for click in outline.clicks_around())


def test_a_polygon_without_area_still_has_a_place():
    line = Outline("p", "A", IMAGE, Polygons((((0.2, 0.3), (0.4, 0.3), (0.3, 0.3)),)))
    assert line.anchor == pytest.approx((0.3, 0.3))
    assert not line.clip(np.ones((40, 40), bool)).any()


@pytest.mark.parametrize(("smart", "asks"), [("", True), (' smart="false"', False)])
def test_a_polygon_of_a_smart_tag_is_refined_to_its_mask(smart, asks):
    page = Page(Server(), with_config(Backend(), CONFIG.format(smart)), instant_save=True)
    page.regions["poly"] = around(10, 10, 30, 30)
    page.save()
    found = {page.label(region): region for region in page.click("B", 70, 40)}
    assert ("A" in found) is asks
    if asks:
        assert found["A"]["type"] == "brushlabels"
        mask = mask_of(found["A"])
        assert mask[20, 20] and not mask[:, 31:].any() and not mask[31:].any()


def test_a_polygon_that_got_its_mask_asks_no_more():
    page = Page(Server(), with_config(Backend(), CONFIG.format("")), instant_save=True)
    page.regions["poly"] = around(10, 10, 30, 30)
    page.save()
    page.click("B", 70, 40)
    page.accept_all()
    assert {page.label(r) for r in page.click("B", 70, 20)} == {"B"}


def test_polygons_of_a_detector_are_refined_in_a_batch():
    server = Server(predictions=[{"id": 1, "result": [around(10, 10, 30, 30)]}])
    request = read_request({**server.body("1", None), "label_config": CONFIG.format("")})
    (image,) = plan_batch(request, request.tasks[0]).images
    (target,) = image.targets
    assert target.label == "A"
    assert isinstance(target.outline, Outline)


sides = st.floats(0.05, 0.4)


@given(width=sides, height=sides, grow=st.floats(0.0, 0.1))
def test_a_box_around_a_mask_is_told_from_one_beside_it(width, height, grow):
    mask = np.zeros((100, 100), bool)
    mask[30 : 30 + round(100 * height), 30 : 30 + round(100 * width)] = True
    bits = BitMask.of(mask)
    left, top, right, bottom = bits.bounds
    pad = grow * min(width, height)
    sides = right - left + 2 * pad, bottom - top + 2 * pad
    close = Box("r", "A", IMAGE, left - pad, top - pad, *sides)
    assert goes_around(close, bits)
    for x, y in ((right, top), (left, bottom), (left + 0.3 * width, top)):
        assert not goes_around(Box("r", "A", IMAGE, x, y, width, height), bits)
    whole = Box("r", "A", IMAGE, 0, 0, 1, 1)
    assert not goes_around(whole, bits)


@pytest.mark.parametrize(("wait", "restarts"), [(0, False), (10, False), (10, True)])
@pytest.mark.parametrize("output", ["brush", "bitmask", "polygon", "vector"])
def test_a_rectangle_around_an_accepted_mask_refines_it_in_place(output, wait, restarts):
    backend = Backend()
    page = Page(Server(output), backend)
    (first,) = page.click("A", 20.5, 20.5)
    page.accept_all()
    page.wait(wait)
    if restarts:
        backend.restart()
    (again,) = page.rectangle("A", 9, 9, 23, 23)
    assert again["id"] == first["id"]
    page.accept_all()
    assert len(page.accepted()) == 1


@pytest.mark.parametrize("output", ["bitmask", "vector"])
def test_a_click_dragged_into_an_accepted_mask_changes_it(output):
    page = Page(Server(output), Backend(), instant_save=True)
    (first,) = page.click("A", 20.5, 20.5)
    page.accept_all()
    page.click("A", 70.5, 40.5)
    dragged = list(page.smart)[-1]
    (again,) = page.drag(dragged, 24.5, 20.5)
    assert again["id"] == first["id"]
    page.accept_all()
    assert set(page.accepted()) == {first["id"]}


@pytest.mark.parametrize("output", ["brush", "bitmask"])
def test_a_rectangle_around_a_coarse_mask_segments_the_object_anew(output):
    page = Page(Server(output), Backend(), instant_save=True)
    coarse = page.paint("A", 16, 20, 24, 20)
    page.save()
    (refined,) = page.rectangle("A", 12, 16, 16, 8)
    assert refined["id"] == coarse
    before, after = page.mask(coarse), mask_of(refined)
    assert (after & ~before).any()
    rows, columns = np.nonzero(after)
    assert columns.min() >= 12 and columns.max() < 28
    assert rows.min() >= 16 and rows.max() < 24
    page.reject_all()
    assert (page.mask(coarse) == before).all()
