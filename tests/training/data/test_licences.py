import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.catalog import open_dataset
from training.data.problems import DatasetError

OPEN = ("Attribution License", "Attribution-ShareAlike License")
STATED = [
    "Attribution License (image)",
    "Attribution-NonCommercial License (image)",
    "Attribution-ShareAlike License",
    2,
    3,
    None,
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of an image for each licence: a text, a number of the list, or none."""
    there = tmp_path / "photos"
    there.mkdir()
    square = [[1, 1, 6, 1, 6, 6, 1, 6]]
    images, annotations = [], []
    for number, licence in enumerate(STATED):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(there / f"{number}.png")
        image = {"id": number, "file_name": f"{number}.png", "width": 8, "height": 8}
        images.append(image | ({} if licence is None else {"license": licence}))
        shape = {"bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0, "segmentation": square}
        annotations.append({"id": number, "image_id": number, "category_id": 1, **shape})
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "thing"}],
        "licenses": [
            {"id": 2, "name": "Attribution License"},
            {"id": 3, "name": "Attribution-NoDerivs License"},
        ],
    }
    (there / "annotations.json").write_text(json.dumps(content))
    return there


def test_only_images_under_the_wanted_licences_are_opened(folder: Path) -> None:
    chosen = open_dataset("photos", folder.parent, licences=OPEN)
    assert [name[-5:] for name in chosen.sample_ids] == ["0.png", "2.png", "3.png"]
    assert len(open_dataset("photos", folder.parent)) == len(STATED)


def test_a_licence_that_no_image_has_is_an_error(folder: Path) -> None:
    with pytest.raises(DatasetError, match="begins with 'CC0'"):
        open_dataset("photos", folder.parent, licences=["CC0"])


def test_a_set_that_states_no_licences_is_refused(folder: Path, tmp_path: Path) -> None:
    masks = tmp_path / "GrabCut"
    for name in ("data_GT", "boundary_GT"):
        (masks / name).mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(masks / "data_GT" / "a.jpg")
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(masks / "boundary_GT" / "a.bmp")
    with pytest.raises(DatasetError, match="only a COCO json states them"):
        open_dataset("GrabCut", tmp_path, licences=OPEN)
