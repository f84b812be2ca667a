import pytest

from backend.errors import BadRequestError
from backend.label_studio.next.reading import context_of, event_of, read_prompts
from backend.session.prompts import Box, Point
from backend.session.regions import ImageKey
from tests.backend.label_studio.next.bodies import a_body, box, points

IMAGE = ImageKey("image")


def of(*regions, **more):
    return context_of(a_body({"result": list(regions)} | more))


def bare(**value):
    return {"type": "keypointlabels", "value": value}


def read(*regions):
    return read_prompts({"result": list(regions)}, IMAGE)


def test_points_and_boxes_without_a_tag_and_a_label_are_the_next_editors():
    for context in (points((10, 10)), points((10, 10, False), (20, 20)), box(10, 10, 5, 5)):
        assert context_of(a_body(context)) == context


def test_so_is_every_event():
    for event in ("capabilities", "release", "prewarm", "something new"):
        assert event_of(context_of(a_body({"event": event}))) == event
        assert event_of(context_of(a_body({"event": event} | points((1, 1))))) == event


@pytest.mark.parametrize(
    "context", [None, {}, {"result": []}, {"result": None}, {"event": None}, [], "x"]
)
def test_batches_and_empty_contexts_are_not(context):
    assert context_of(a_body(context)) is None


def test_neither_is_what_names_a_tag_or_a_label(click):
    assert of(click("A", 10, 10)) is None
    assert of(bare(x=1, y=1) | {"from_name": "kp"}) is None
    on_image = {"to_name": "image"}
    assert of(bare(x=1, y=1, keypointlabels=["A"]) | on_image) is None
    assert of(bare(x=1, y=1, labels=["A"]) | on_image) is None
    assert of(bare(x=1, y=1), click("A", 10, 10)) is None
    assert of(bare(text=["not a place"])) is None


@pytest.mark.parametrize(
    "more", [{"id": "p1"}, {"to_name": "image"}, {"original_width": 600}, {"origin": "manual"}]
)
def test_more_than_has_been_seen_does_no_harm(more):
    region = bare(x=25, y=50, positive=False, width=0.2) | more
    assert of(region)
    assert read(region) == (Point("", "", IMAGE, 0.25, 0.5, positive=False),)


def test_a_label_does_no_harm_either():
    region = bare(x=25, y=50, positive=False, keypointlabels=["A"])
    for one in (region, region | {"to_name": "image"}, bare(x=25, y=50, labels=["A"])):
        assert of(one)


@pytest.mark.parametrize(("said", "meant"), [({}, True), ({"positive": 0}, False)])
def test_a_point_is_positive_unless_it_says_otherwise(said, meant):
    (point,) = read(bare(x=25, y=50, **said))
    assert point.positive is meant


def test_a_point_just_outside_the_image_is_moved_inside():
    (point,) = read(bare(x=-1, y=101))
    assert point.place == (0, 1)


def test_a_box_is_cut_off_at_the_image():
    (drawn,) = read({"type": "rectangle", "value": {"x": 90, "y": 40, "width": 30, "height": -20}})
    assert isinstance(drawn, Box)
    assert drawn.place == pytest.approx((0.9, 0.2, 0.1, 0.2, 0))


@pytest.mark.parametrize(
    "region",
    [
        bare(x="1", y=1),
        bare(x=None, y=1),
        bare(x=200, y=1),
        bare(x=float("inf"), y=1),
        {"type": "rectanglelabels", "value": {"x": 10, "y": 10, "width": 0, "height": 5}},
        {"type": "rectanglelabels", "value": {"x": 110, "y": 10, "width": 5, "height": 5}},
    ],
)
def test_a_place_that_is_none_is_refused(region):
    with pytest.raises(BadRequestError) as caught:
        read(region)
    assert caught.value.code == "bad_region"


def test_more_points_than_the_model_takes_are_refused():
    with pytest.raises(BadRequestError) as caught:
        read(*[bare(x=1, y=1)] * 1001)
    assert caught.value.code == "too_many_regions"
