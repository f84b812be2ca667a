import json
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli.data import data
from training.data.catalog import open_dataset
from training.data.problems import DatasetError

MINI = Path(__file__).parents[2] / "training" / "data" / "mini"


def run(*arguments: object) -> str:
    """Run a command that must succeed; return its output."""
    result = CliRunner().invoke(data, [str(word) for word in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the small set with one faulty mask."""
    shutil.copytree(MINI, tmp_path / "broken")
    path = tmp_path / "broken" / "annotations.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = "zlib"
    path.write_text(json.dumps(content))
    return tmp_path / "broken"


def test_check_counts_images_and_objects(broken: Path) -> None:
    assert "mini       5       32" in run("check", "mini", "--root", MINI.parent)
    result = CliRunner().invoke(data, ["check", str(broken)])
    assert result.exit_code == 1
    assert "annotation 1: unknown encoding" in result.output
    assert "1 problem, listed above" in result.output


def test_packed_sets_can_be_opened_by_name(tmp_path: Path, broken: Path) -> None:
    output = run("pack", "mini", "--root", MINI.parent, "--to", tmp_path / "packed")
    assert "mini.pack: 5 images" in output
    assert len(open_dataset("mini", tmp_path / "packed")) == 5
    with pytest.raises(DatasetError, match=r"unknown encoding(.|\n)*--skip-problems"):
        run("pack", broken, "--to", tmp_path / "packed")
    output = run("pack", broken, "--to", tmp_path / "packed", "--skip-problems")
    assert "broken: 1 problems (1 × unknown encoding)" in output
    assert len(open_dataset("broken", tmp_path / "packed")) == 5


def test_merge_writes_coco_json(tmp_path: Path, broken: Path) -> None:
    path = MINI / "annotations.json"
    output = run("merge", path, path, tmp_path / "merged.json")
    assert "5 images, 33 objects of LVIS, 1 of COCO (32 more" in output
    merged = json.loads((tmp_path / "merged.json").read_text())
    assert len(merged["annotations"]) == 34, "the crowd is no object to compare"
    with pytest.raises(DatasetError, match="1 problems"):
        run("merge", broken / "annotations.json", path, tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()


@pytest.fixture
def ritm(tmp_path: Path) -> Path:
    """Two objects of the small set in RITM's format."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    photo = open_dataset(MINI)[0]
    shutil.copy(MINI / "images" / "000000000030.jpg", tmp_path / "images" / "30.jpg")
    layer = cv2.imencode(".png", (photo.label_map + 1).astype(np.uint8))[1]
    (tmp_path / "masks" / "30.pickle").write_bytes(pickle.dumps(([layer], [(0, 1), (0, 2)])))
    listing = {"30": {"num_instance_masks": 2, "hierarchy": {0: None, 1: None}}}
    (tmp_path / "hannotation.pickle").write_bytes(pickle.dumps(listing))
    return tmp_path


def test_from_ritm_writes_coco_json(ritm: Path) -> None:
    assert "1 images, 2 objects" in run("from-ritm", ritm)
    assert (open_dataset(ritm)[0].label_map == open_dataset(MINI)[0].label_map).all()


def test_a_file_that_cannot_be_written_leaves_nothing_behind(ritm: Path) -> None:
    (ritm / "annotations.json").mkdir()
    before = set(ritm.iterdir())
    with pytest.raises(IsADirectoryError):
        run("from-ritm", ritm)
    assert set(ritm.iterdir()) == before
