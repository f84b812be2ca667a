import json
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from training.data.coco import open_coco
from training.data.problems import DatasetError
from training.data.ritm_pickle import convert, load_plain

pytestmark = pytest.mark.security

MINI = Path(__file__).parent / "mini"
PHOTO = open_coco(MINI / "annotations.json")[0]
LARGE, SMALL = PHOTO.label_map == 0, PHOTO.label_map == 1


def png(layer: np.ndarray) -> np.ndarray:
    return cv2.imencode(".png", layer.astype(np.uint8))[1]


@pytest.fixture(params=[2, 4, 5])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Write RITM's files for one photo: two things in layers of their own, one region of stuff."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    shutil.copy(MINI / "images" / "000000000030.jpg", tmp_path / "images" / "30.jpg")
    stuff = ~(LARGE | SMALL)
    masks = ([png(LARGE * 4 + stuff * 7), png(SMALL * 1)], [(0, 4), (1, np.int64(1)), (0, 7)])
    hierarchy = {0: {"children": [1], "parent": None, "node_level": 0}, 1: None}
    listing = {"30": {"num_instance_masks": 2, "hierarchy": hierarchy}}
    (tmp_path / "hannotation.pickle").write_bytes(pickle.dumps(listing, request.param))
    (tmp_path / "masks" / "30.pickle").write_bytes(pickle.dumps(masks, request.param))
    return tmp_path


def test_the_layout_becomes_coco_json(folder: Path) -> None:
    content, problems = convert(folder)
    assert not len(problems)
    path = folder / "annotations.json"
    path.write_text(json.dumps(content))
    sample = open_coco(path)[0]
    assert sorted(sample.labels) == ["stuff", "thing", "thing"]
    for index, stuff in enumerate(sample.stuff):
        assert stuff == (sample.labels[index] == "stuff")
    things = [index for index, stuff in enumerate(sample.stuff) if not stuff]
    masks = [sample.label_map == index for index in things]
    assert (masks[0] == LARGE).all()
    assert (masks[1] == SMALL).all()


class Malicious:
    """An object whose pickle calls the given function."""

    def __init__(self, call: Callable[..., Any], *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.call, self.arguments


def test_a_pickle_cannot_run_anything(tmp_path: Path) -> None:
    target = tmp_path / "owned"
    path = tmp_path / "hannotation.pickle"
    for attack in (
        Malicious(subprocess.check_call, ["touch", str(target)]),
        Malicious(Path.touch, target),
        Malicious(eval, f"open({str(target)!r}, 'w')"),
        Malicious(getattr, "x", "upper"),
    ):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            path.write_bytes(pickle.dumps({"1": attack}, protocol))
            with pytest.raises(DatasetError, match="refused"):
                convert(tmp_path)
            assert not target.exists()
    # The same files are dangerous to pickle itself: the test would notice a reader that runs them.
    path.write_bytes(pickle.dumps(Malicious(eval, f"open({str(target)!r}, 'w').close()")))
    pickle.loads(path.read_bytes())
    assert target.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickle.dumps(np.array([object()], dtype=object)),
        pickle.dumps(np.zeros(3)),
        pickle.dumps(np.dtype("u1"), 2)[:-4],
        b"cnumpy\nndarray\n(tR}b.",
        b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(I1\nI2\ntR.",
    ],
)
def test_other_files_are_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pickle"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.pickle: refused"):
        load_plain(path)


def test_missing_and_false_files_are_named(folder: Path) -> None:
    masks = folder / "masks" / "30.pickle"
    empty, square = np.zeros(0, np.uint8), np.zeros((3, 3), np.uint8)
    for wrong in (
        [png(LARGE)],
        5,
        ([empty], [(0, 1)]),
        ([square], [(0, 1)]),
        ([], []),
        ([png(LARGE)], [(3, 1)]),
        (["x"], [(0, 1)]),
    ):
        masks.write_bytes(pickle.dumps(wrong))
        content, problems = convert(folder)
        assert content["images"] == []
        assert problems.counts() == {"unreadable mask": 1}
    masks.write_bytes(pickle.dumps(([png(LARGE)], [(0, 1), (0, 9)])))
    content, problems = convert(folder)
    assert problems.counts() == {"empty mask": 1}
    assert "30-1" in str(problems)
    masks.unlink()
    assert "cannot be read" in str(convert(folder)[1])
    (folder / "hannotation.pickle").write_bytes(pickle.dumps([1]))
    with pytest.raises(DatasetError, match="a list, not a dictionary"):
        convert(folder)
    (folder / "hannotation.pickle").unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        convert(folder)
