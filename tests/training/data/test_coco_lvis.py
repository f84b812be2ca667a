import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.data.catalog import open_dataset
from training.data.coco_lvis import merge
from training.data.lvis import file_name, open_lvis
from training.data.masks import decode

MINI = Path(__file__).parent / "mini"
SOURCE = Path("lvis.json")


def read() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((MINI / "annotations.json").read_text())
    return content


def lvis_of(content: dict[str, Any], image_id: int = 1) -> dict[str, Any]:
    """Return an LVIS json for one image: URLs instead of names, no crowds."""
    lvis = copy.deepcopy(content)
    lvis["images"] = [image for image in lvis["images"] if image["id"] == image_id]
    for image in lvis["images"]:
        name = Path(image.pop("file_name")).name
        image["coco_url"] = f"http://images.cocodataset.org/train2017/{name}"
        image["not_exhaustive_category_ids"] = []
        image["neg_category_ids"] = [7]
    lvis["annotations"] = [a for a in lvis["annotations"] if a["image_id"] == image_id]
    for annotation in lvis["annotations"]:
        annotation.pop("iscrowd")
    return lvis


@pytest.fixture
def coco_folder(tmp_path: Path) -> Path:
    """Make a folder laid out like COCO's: ``coco/train2017`` and ``coco/annotations``."""
    shutil.copytree(MINI / "images", tmp_path / "coco" / "train2017")
    (tmp_path / "coco" / "annotations").mkdir()
    return tmp_path


def test_names_of_images() -> None:
    address = "http://images.cocodataset.org/val2017/000000000139.jpg"
    assert file_name({"coco_url": address, "file_name": "x"}) == "val2017/000000000139.jpg"
    assert file_name({"file_name": "COCO_val2014_000000000139.jpg"}) == "000000000139.jpg"
    assert file_name({"file_name": "images/a.jpg"}) == "images/a.jpg"


def test_lvis_is_read_where_coco_keeps_its_images(coco_folder: Path) -> None:
    path = coco_folder / "coco" / "annotations" / "lvis_v1_train.json"
    path.write_text(json.dumps(lvis_of(read())))
    dataset = open_dataset("lvis_v1_train", coco_folder)
    assert list(dataset.sample_ids) == ["lvis_v1_train/train2017/000000000030.jpg"]
    sample = dataset[0]
    assert not sample.exhaustive
    assert len(sample.labels) == 2
    assert open_lvis(path, coco_folder / "coco", name="mine").name == "mine"


def test_the_merge_prefers_lvis_and_adds_what_only_coco_has(coco_folder: Path) -> None:
    coco, lvis = read(), lvis_of(read(), image_id=3)
    of_image = [a for a in coco["annotations"] if a["image_id"] == 3]
    objects = [a for a in of_image if not a["iscrowd"]]
    # LVIS knows the first object by a slightly different outline, the second not at all, and has
    # one of its own; COCO keeps everything.
    first = next(a for a in lvis["annotations"] if a["id"] == objects[0]["id"])
    first["segmentation"] = [
        [value + 0.4 for value in polygon] for polygon in first["segmentation"]
    ]
    own = {**first, "id": 900, "segmentation": [[1, 1, 20, 1, 20, 9, 1, 9]]}
    lvis["annotations"] = [first, own]
    merged = merge(coco, lvis, SOURCE)
    ids = {annotation["id"] for annotation in merged.content["annotations"]}
    expected = {f"coco-{a['id']}" for a in of_image if a["id"] != objects[0]["id"]}
    assert ids == expected | {f"lvis-{first['id']}", "lvis-900"}
    assert (merged.from_lvis, merged.from_coco, merged.same) == (2, len(expected), 1)
    assert not len(merged.problems)
    assert any(a.get("iscrowd") for a in merged.content["annotations"])

    path = coco_folder / "coco" / "annotations" / "coco_lvis.json"
    path.write_text(json.dumps(merged.content))
    dataset = open_dataset("coco_lvis", coco_folder)
    assert len(dataset) == 1
    assert not dataset[0].exhaustive
    assert dataset[0].ignore.any(), "the crowd"
    assert len(dataset[0].labels) == len(ids) - 1


def test_an_iou_just_below_the_limit_is_another_object() -> None:
    coco, lvis = read(), lvis_of(read())
    square = [[10, 10, 30, 10, 30, 30, 10, 30]]
    shifted = [[10, 10, 40, 10, 40, 30, 10, 30]]  # IoU 2/3
    for content, polygon in ((coco, square), (lvis, shifted)):
        content["annotations"] = [{**content["annotations"][0], "segmentation": polygon}]
    shape = (128, 192)
    masks = decode(square, shape), decode(shifted, shape)
    iou = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
    assert merge(coco, lvis, SOURCE, same_object=iou).same == 1
    assert merge(coco, lvis, SOURCE, same_object=iou + 1e-6).same == 0


def test_categories_of_equal_name_become_one() -> None:
    coco, lvis = read(), lvis_of(read())
    coco["categories"] = [{"id": 5, "name": "fire hydrant"}, {"id": 6, "name": "cup"}]
    lvis["categories"] = [{"id": 8, "name": "fire_hydrant"}, {"id": 9, "name": "yarn"}]
    for annotation in coco["annotations"]:
        annotation["category_id"] = 6
        annotation["segmentation"] = [[100, 1, 120, 1, 120, 9, 100, 9]]
    merged = merge(coco, lvis, SOURCE).content
    names = {category["id"]: category["name"] for category in merged["categories"]}
    assert sorted(names.values()) == ["cup", "fire_hydrant", "yarn"]
    added = [a for a in merged["annotations"] if str(a["id"]).startswith("coco-")]
    assert {names[a["category_id"]] for a in added} == {"cup"}


def test_masks_that_cannot_be_read_are_listed() -> None:
    coco, lvis = read(), lvis_of(read())
    coco["annotations"][0]["segmentation"] = "nonsense"
    lvis["annotations"][0]["segmentation"] = {"size": [1, 1], "counts": [1]}
    merged = merge(coco, lvis, SOURCE)
    assert merged.problems.counts() == {"unknown encoding": 1, "wrong size": 1}
    assert "000000000030.jpg" in str(merged.problems)
    assert merged.from_lvis == 1
    first = {one["id"]: one for one in merged.content["annotations"] if one["id"].endswith("-1")}
    assert sorted(first) == ["coco-1", "lvis-1"], "what cannot be read is no background"
    assert all(one["iscrowd"] for one in first.values())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content["images"][0].pop("height"),
        lambda content: content["annotations"][0].pop("image_id"),
        lambda content: content["annotations"][0].update(category_id=[]),
        lambda content: content["annotations"].append(3),
        lambda content: content["categories"][0].pop("name"),
    ],
)
def test_entries_without_what_is_needed_are_listed(spoil: Callable[[Any], object]) -> None:
    lvis = lvis_of(read())
    spoil(lvis)
    merged = merge(read(), lvis, SOURCE)
    assert merged.problems.counts() == {"bad entry": 1}
    assert len(merge(read(), lvis_of(read()), SOURCE).problems) == 0


def test_categories_are_not_needed() -> None:
    lvis = lvis_of(read())
    lvis.pop("categories")
    assert merge(read(), lvis, SOURCE).from_lvis == 2
