import numpy as np

from backend.label_studio import config_writer, labeling_config
from backend.label_studio.region_writer import write_region
from backend.serving.answering import AnsweredObject
from backend.session.regions import ImageKey
from dynamite import brush_rle

CONFIG = labeling_config.parse(config_writer.write(["A", "B"]))


def answered(index=0, score=0.51234):
    mask = np.zeros((20, 30), bool)
    mask[2:9, 2:9] = True
    image = ImageKey("image", index)
    return AnsweredObject(image, "a", "A", mask, score)


def test_region_shows_the_mask():
    region = write_region(answered(), CONFIG)
    decoded = brush_rle.decode(region["value"]["rle"], (20, 30)) > 0
    assert (decoded == answered().mask).all()
    assert region["score"] == 0.5123
    assert "item_index" not in region


def test_repeated_mask_has_no_score():
    assert "score" not in write_region(answered(score=None), CONFIG)


def test_second_image_of_a_task_says_which_it_is():
    assert write_region(answered(index=1), CONFIG)["item_index"] == 1


def test_list_of_images_says_which_one_also_of_the_first():
    xml = config_writer.write(["A"]).replace('value="$image"', 'valueList="$pages"')
    assert write_region(answered(), labeling_config.parse(xml))["item_index"] == 0
