"""One object in the form of each tag: its regions, their ids, and what is read back."""

import logging

import cv2
import numpy as np
import pytest

from backend.label_studio import config_writer, labeling_config
from backend.label_studio.parts import Parts
from backend.label_studio.predict_request import Task
from backend.label_studio.region_writer import RegionWriter
from backend.label_studio.result_list import read_results
from backend.serving.answer import AnsweredObject
from backend.session.call import SavedPage
from backend.session.regions import ImageKey
from dynamite.polygons import fill, trace

SIZE = (40, 60)
OUTPUTS = sorted(config_writer.OUTPUTS)


def config(output="brush", **changes):
    xml = config_writer.write(["A", "B"], output=output)
    for old, new in changes.items():
        xml = xml.replace(old, new)
    return labeling_config.parse(xml)


def square(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


SQUARE = square(2, 3, 8, 9)
TWO = SQUARE | square(20, 30, 34, 50)


def write(mask, config, *, task=None, parts=None, index=0, score=0.51234, name="dm1", label="A"):
    writer = RegionWriter(task or Task("7", config, {}), parts=parts or Parts())
    image = ImageKey("image", index)
    stored = writer.as_stored(image, name, label, mask)
    return writer.write(AnsweredObject(image, name, label, stored, score))


def read(result, config):
    found = read_results(result, config)
    assert not found.errors
    return found.entries


def on_page(result, config):
    """A task whose draft holds these regions."""
    return Task("7", config, {}, drafts=(SavedPage("draft:1", "1", tuple(read(result, config))),))


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_mask_is_written_to_the_tag_of_its_label_and_read_back(output):
    (region,) = write(SQUARE, config(output))
    assert region["type"] == f"{output}labels"
    assert region["from_name"] == "mask"
    assert (region["original_height"], region["original_width"]) == SIZE
    assert region["score"] == 0.5123
    assert region["value"][f"{output}labels"] == ["A"]
    assert "item_index" not in region
    (painted,) = read([region], config(output))
    assert painted.id == "dm1"
    np.testing.assert_array_equal(painted.decode().array(), SQUARE)


@pytest.mark.parametrize("output", OUTPUTS)
def test_all_parts_of_an_object_come_back_as_one(output):
    result = write(TWO, config(output))
    assert len(result) == (2 if output in ("polygon", "vector") else 1)
    (painted,) = read(result, config(output))
    assert painted.id == "dm1"
    np.testing.assert_array_equal(painted.decode().array(), TWO)


def test_second_image_of_a_task_says_which_it_is():
    (region,) = write(SQUARE, config(), index=1, score=None)
    assert region["item_index"] == 1
    assert "score" not in region


def test_list_of_images_says_which_one_also_of_the_first():
    listed = config(**{'value="$image"': 'valueList="$pages"'})
    assert write(SQUARE, listed)[0]["item_index"] == 0


def test_parts_keep_their_ids_while_corrections_move_them():
    polygons, parts = config("polygon"), Parts()
    first = write(TWO, polygons, parts=parts)
    assert [region["id"] for region in first] == ["dm1", "dm1~2"]
    places = {region["id"]: region["value"]["points"][0] for region in first}
    grown = square(1, 1, 30, 20) | square(22, 31, 33, 49)  # the small part is the large one now
    second = write(grown, polygons, parts=parts)
    assert [region["id"] for region in second] == ["dm1~2", "dm1"]
    for region in second:
        near = np.abs(np.array(region["value"]["points"]) - places[region["id"]]).max(1).min()
        assert near < 30
    third = write(grown | square(0, 55, 4, 60), polygons, parts=parts)
    assert [region["id"] for region in third] == ["dm1~2", "dm1", "dm1~3"]


def test_parts_keep_their_ids_after_a_restart():
    polygons = config("polygon")
    first = write(TWO, polygons)
    task = on_page(first, polygons)
    again = write(square(1, 1, 30, 20) | square(22, 31, 33, 49), polygons, task=task)
    assert [region["id"] for region in again] == ["dm1~2", "dm1"]


def test_an_accepted_part_that_is_gone_shrinks_into_the_object_and_says_so():
    """No answer can delete a region, and its old pixels must not come back."""
    polygons, parts = config("polygon"), Parts()
    task = on_page(write(TWO, polygons, parts=parts), polygons)
    result = write(SQUARE, polygons, task=task, parts=parts)
    assert {region["id"] for region in result} == {"dm1", "dm1~2"}
    (gone,) = [region for region in result if "meta" in region]
    assert gone["meta"]["text"] == ["This part is gone: delete its region"]
    assert gone["id"] == "dm1"
    (painted,) = read(result, polygons)
    np.testing.assert_array_equal(painted.decode().array(), SQUARE)


@pytest.mark.parametrize("output", ["polygon", "vector"])
def test_holes_that_are_lost_are_said_in_the_region_and_the_log(output, caplog):
    ring = square(2, 2, 30, 30) & ~square(10, 10, 20, 15)
    with caplog.at_level(logging.INFO):
        (region,) = write(ring, config(output))
    assert region["meta"]["text"] == ["a hole of 50 pixels filled"]
    assert "cannot hold it all: a hole of 50 pixels filled" in caplog.text
    (painted,) = read([region], config(output))
    np.testing.assert_array_equal(painted.decode().array(), square(2, 2, 30, 30))


def test_each_label_goes_to_its_own_tag():
    mixed = labeling_config.parse(
        """<View><Image name="image" value="$image"/>
        <KeyPointLabels name="kp" toName="image"><Label value="A"/><Label value="B"/>
          <Label value="C"/><Label value="D"/></KeyPointLabels>
        <PolygonLabels name="p" toName="image" smart="false"><Label value="A"/></PolygonLabels>
        <BitmaskLabels name="m" toName="image" smart="false"><Label value="B"/></BitmaskLabels>
        <BrushLabels name="b" toName="image" smart="false"><Label value="C"/></BrushLabels>
        <VectorLabels name="v" toName="image" smart="false"><Label value="D"/></VectorLabels>
        </View>"""
    )
    found = {label: write(SQUARE, mixed, label=label)[0] for label in "ABCD"}
    assert {label: (r["type"], r["from_name"]) for label, r in found.items()} == {
        "A": ("polygonlabels", "p"),
        "B": ("bitmasklabels", "m"),
        "C": ("brushlabels", "b"),
        "D": ("vectorlabels", "v"),
    }


@pytest.mark.parametrize("name", ["Brush", "Bitmask", "Polygon", "Vector"])
def test_labels_of_a_tag_of_their_own_are_a_second_result(name):
    pair = labeling_config.parse(
        f"""<View><Image name="image" value="$image"/>
        <KeyPointLabels name="kp" toName="image"><Label value="A"/></KeyPointLabels>
        <Labels name="what" toName="image"><Label value="A"/></Labels>
        <{name} name="shape" toName="image" smart="false"/></View>"""
    )
    shape, labels = write(SQUARE, pair)
    assert (shape["type"], shape["from_name"]) == (name.lower(), "shape")
    assert (labels["type"], labels["from_name"]) == ("labels", "what")
    assert shape["id"] == labels["id"]
    assert labels["value"]["labels"] == ["A"]
    (painted,) = read([shape, labels], pair)
    assert (painted.id, painted.labels) == ("dm1", ("A",))
    np.testing.assert_array_equal(painted.decode().array(), SQUARE)


def test_a_region_keeps_the_tag_and_all_labels_that_it_has():
    polygons = labeling_config.parse(
        """<View><Image name="image" value="$image"/>
        <BrushLabels name="mask" toName="image" smart="false"><Label value="A"/></BrushLabels>
        <PolygonLabels name="own" toName="image" smart="false"><Label value="A"/>
          <Label value="B"/></PolygonLabels></View>"""
    )
    raw = {
        "id": "dm1",
        "type": "polygonlabels",
        "from_name": "own",
        "to_name": "image",
        "original_height": 40,
        "original_width": 60,
        "value": {"points": [[10, 10], [50, 10], [50, 50]], "polygonlabels": ["A", "B"]},
    }
    (region,) = write(SQUARE, polygons, task=on_page([raw], polygons))
    assert region["from_name"] == "own"
    assert region["value"]["polygonlabels"] == ["A", "B"]


@pytest.mark.parametrize("output", ["polygon", "vector"])
@pytest.mark.parametrize("restarted", [True, False])
def test_a_mask_that_is_repeated_keeps_its_outline(output, restarted):
    """An object in doubt is answered again unchanged: an outline of an outline would differ."""
    noise = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    wavy = cv2.GaussianBlur(noise, (0, 0), 5) > 0
    once = fill(trace(wavy, 1.0).rings, SIZE)
    assert (fill(trace(once, 1.0).rings, SIZE) != once).any()
    outlines, parts = config(output), Parts()
    first = write(wavy, outlines, parts=parts)
    task = on_page(first, outlines)
    (shown,) = read(first, outlines)
    again = write(shown.pixels(), outlines, task=task, parts=Parts() if restarted else parts)
    np.testing.assert_array_equal(read(again, outlines)[0].pixels(), shown.pixels())
