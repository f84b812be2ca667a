import pytest

from backend.label_studio.labeling_config import parse
from backend.label_studio.next.capabilities import capabilities

OUTPUT = {
    "BitmaskLabels": "mask",
    "PolygonLabels": "polygon",
    "VectorLabels": "polygon",
    "RectangleLabels": "bbox",
}


def offered(*tags, image="image"):
    labels = '<Label value="A"/>'
    controls = [f'<{tag} name="c{i}" toName="image">{labels}</{tag}>' for i, tag in enumerate(tags)]
    config = parse(f'<View><Image name="{image}" value="$image"/>{"".join(controls)}</View>')
    answered = capabilities(config, "v7")["value"]
    assert answered["prompts"] == ["point", "box"]
    assert answered["model_info"] == {"name": "DynaMITE", "version": "v7"}
    assert all(OUTPUT[target["tag"]] == target["output"] for target in answered["targets"])
    return [target["tag"] for target in answered["targets"]]


@pytest.mark.parametrize("tag", OUTPUT)
def test_a_tag_that_is_there_alone_is_offered(tag):
    assert offered(tag) == [tag]


def test_tags_that_are_not_there_are_not_offered():
    assert offered("KeyPointLabels", "EllipseLabels", "Choices") == []


def test_brush_labels_are_never_offered():
    assert offered("BrushLabels", "KeyPointLabels") == []


@pytest.mark.parametrize("tag", ["BrushLabels", "BitmaskLabels", "PolygonLabels", "VectorLabels"])
def test_rectangles_stay_todays_prompt_where_a_tag_takes_masks(tag):
    assert "RectangleLabels" not in offered(tag, "RectangleLabels", "KeyPointLabels")


def test_each_type_is_offered_once():
    tags = offered("BitmaskLabels", "PolygonLabels", "BitmaskLabels", "VectorLabels")
    assert tags == ["BitmaskLabels", "PolygonLabels", "VectorLabels"]


def test_tags_for_no_image_are_not_offered():
    assert offered("BitmaskLabels", image="other") == []


@pytest.mark.parametrize("tag", ["Bitmask", "Polygon", "Vector", "Rectangle"])
def test_tags_that_share_the_labels_of_another_are_not_offered(tag):
    """The next editor binds none of them; today's rectangle stays a prompt beside a mask."""
    assert offered("Labels", tag) == []
    assert offered("Labels", "Brush", "RectangleLabels") == []
