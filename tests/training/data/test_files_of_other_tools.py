"""COCO jsons as other tools write them, and what is left out of them."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli.data import data
from training.config_files import load_config
from training.data.catalog import open_dataset
from training.data.images import image_size, read_image
from training.data.masks import MaskError, check_polygons, run_lengths
from training.data.problems import DatasetError
from training.loop.sources import open_sources

SQUARE = [[30, 40, 70, 40, 70, 80, 30, 80]]
CROWD = {"size": [120, 160], "counts": [12000, 60, 60, 60, 7020]}


def annotation(number: int, segmentation: Any, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": 1, "category_id": 1, "segmentation": segmentation} | more


def write(folder: Path, *annotations: dict[str, Any], **image: Any) -> Path:
    """Write a set with one black image, 160x120."""
    home = folder / "set"
    (home / "sub").mkdir(parents=True)
    cv2.imwrite(str(home / "sub" / "a.png"), np.zeros((120, 160, 3), np.uint8))
    entry = {"id": 1, "file_name": "sub/a.png", "width": 160, "height": 120} | image
    categories = [{"id": 1, "name": "box"}]
    content = {"images": [entry], "annotations": annotations, "categories": categories}
    (home / "annotations.json").write_text(json.dumps(content))
    return home


def test_whole_floats_are_ids_and_sizes_and_backslashes_part_folders(tmp_path: Path) -> None:
    rle = {"size": [120.0, 160.0], "counts": [float(run) for run in CROWD["counts"]]}
    one = annotation(7, rle) | {"id": 7.0, "image_id": 1.0, "category_id": 1.0}
    home = write(tmp_path, one, id=1, width=160.0, height=120.0, file_name="sub\\a.png")
    sample = open_dataset(home)[0]
    assert sample.labels == ("box",)
    assert sample.image.shape == (120, 160, 3)


@pytest.mark.parametrize("value", [1.5, float("nan"), "1.0"])
def test_other_numbers_are_no_ids(tmp_path: Path, value: object) -> None:
    home = write(tmp_path, annotation(1, SQUARE), annotation(2, SQUARE, image_id=value))
    with pytest.raises(DatasetError, match="annotation 2: unknown image"):
        open_dataset(home)


@pytest.mark.parametrize("fault", [[], None, [[100, 30, 140, 90]], "zlib"])
def test_where_an_object_was_left_out_nothing_is_background(tmp_path: Path, fault: object) -> None:
    boxed = annotation(1, fault, bbox=[100.4, 30, 39.2, 60])
    home = write(tmp_path, boxed, annotation(2, SQUARE))
    sample = open_dataset(home, on_problem="skip")[0]
    assert not sample.exhaustive
    assert sample.ignore[30:90, 100:140].all()
    assert sample.ignore.sum() == 60 * 40
    assert (sample.label_map == 0).sum() == 40 * 40


@pytest.mark.parametrize("box", [None, [500, 30, 40, 60], [1, 2, 3], [1, "2", 3, 4], [1, 2, 0, 4]])
def test_without_a_box_the_whole_image_says_nothing(tmp_path: Path, box: object) -> None:
    home = write(tmp_path, annotation(1, [], bbox=box), annotation(2, SQUARE))
    sample = open_dataset(home, on_problem="skip")[0]
    assert (sample.ignore == (sample.label_map == -1)).all()


@pytest.mark.parametrize("fault", [{"category_id": 9}, {"id": 2}, {"id": None}, {"iscrowd": "no"}])
def test_a_good_mask_of_a_faulty_entry_says_where_it_lies(tmp_path: Path, fault: dict) -> None:
    triangle = [[100, 30, 140, 30, 140, 90]]
    home = write(tmp_path, annotation(2, SQUARE), annotation(1, triangle) | fault)
    sample = open_dataset(home, on_problem="skip")[0]
    assert sample.labels == ("box",)
    assert not sample.exhaustive
    assert sample.ignore[32, 130]
    assert not sample.ignore[88, 102]


def test_a_set_of_crowds_only_is_never_a_success(tmp_path: Path) -> None:
    home = write(tmp_path, annotation(1, CROWD, iscrowd=1))
    for words in (["check", str(home)], ["pack", str(home), "--to", str(tmp_path / "packed")]):
        result = CliRunner().invoke(data, words)
        assert result.exit_code == 1
        assert "1 hold crowds only (`iscrowd: 1`)" in result.output
    config = load_config(Path("configs/lite.yaml")).data
    source = type(config.sets[0])(name=str(home))
    with pytest.raises(DatasetError, match="set: no image has an object; 1 hold crowds only"):
        open_sources(type(config)(sets=(source,)), None)


def test_images_of_crowds_only_are_named_where_others_have_objects(tmp_path: Path) -> None:
    home = write(tmp_path, annotation(1, SQUARE))
    content = json.loads((home / "annotations.json").read_text())
    content["images"].append(content["images"][0] | {"id": 2})
    content["annotations"].append(annotation(2, CROWD, iscrowd=1, image_id=2))
    (home / "annotations.json").write_text(json.dumps(content))
    result = CliRunner().invoke(data, ["check", str(home)])
    assert result.exit_code == 0
    assert "left out 1 images with crowds only" in result.output


def test_what_was_left_out_is_no_crowd(tmp_path: Path) -> None:
    home = write(tmp_path, annotation(1, []))
    result = CliRunner().invoke(data, ["check", str(home)])
    assert "no image has an object; faulty entries that were left out: 1" in result.output
    assert open_dataset(home, on_problem="skip", keep_empty=True)[0].ignore.all()


@pytest.mark.parametrize(
    ("polygons", "words"),
    [
        ([1, 1, 5, 1, 5, 5], "one flat list of numbers; COCO wants"),
        ([[[1, 1], [5, 1], [5, 5]]], "lists within a polygon"),
        ([[[1, 1, 5, 1, 5, 5]]], "lists within a polygon"),
        ([[[1, 1], [5]]], "lists within a polygon"),
        ([[1, 1], [5, 1], [5, 5]], "points as pairs"),
        ([[1, 1]], "1 points; three are needed"),
        ([], "is empty"),
    ],
)
def test_polygons_of_another_form_are_called_so(polygons: list, words: str) -> None:
    with pytest.raises(MaskError, match=words):
        check_polygons(polygons, (10, 10))


def test_runs_that_are_no_whole_numbers_are_refused() -> None:
    assert run_lengths({"size": [2, 3], "counts": [2.0, 4]}, (2, 3)).tolist() == [2, 4]
    with pytest.raises(MaskError, match="of type list"):
        run_lengths({"size": [2, 3], "counts": [1.5, 4.5]}, (2, 3))


def _odd_pictures() -> dict[str, bytes]:
    """Pictures whose orientation pillow and OpenCV read differently."""
    image = np.zeros((60, 80, 3), np.uint8)
    tags = b"II" + struct.pack("<HIH", 42, 8, 1) + struct.pack("<HHIHH", 0x112, 3, 1, 6, 0)
    tags += bytes(4)
    png = cv2.imencode(".png", image)[1].tobytes()
    chunk = struct.pack(">I", len(tags)) + b"eXIf" + tags
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + tags))
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    head = b"Exif\0\xff" + tags
    segment = b"\xff\xe1" + struct.pack(">H", len(head) + 2) + head
    return {"late.png": png[:-12] + chunk + png[-12:], "head.jpg": jpeg[:2] + segment + jpeg[2:]}


@pytest.mark.parametrize("name", ["late.png", "head.jpg"])
def test_who_checks_a_picture_and_who_reads_it_are_of_one_opinion(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(_odd_pictures()[name])
    assert image_size(path) == read_image(path).shape[:2]
