import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from training.data.catalog import Subset
from training.data.coco import open_coco
from training.data.packed import PackedDataset, pack, shrink
from training.data.problems import DatasetError
from training.data.sample import Sample

MINI = open_coco(Path(__file__).parent / "mini" / "annotations.json")


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    pack(MINI, tmp_path / "mini.pack", quality=95)
    return tmp_path / "mini.pack"


def test_a_packed_set_is_the_same_set(packed: Path) -> None:
    again = PackedDataset(packed)
    assert again.name == MINI.name
    assert list(again.sample_ids) == list(MINI.sample_ids)
    for index in range(len(MINI)):
        ours, theirs = MINI[index], again[index]
        assert (theirs.label_map == ours.label_map).all()
        assert theirs.label_map.dtype == np.int32
        assert (theirs.ignore == ours.ignore).all()
        assert theirs.labels == ours.labels
        assert theirs.parents == ours.parents
        assert theirs.stuff == ours.stuff
        assert theirs.whole_areas == ours.whole_areas
        assert theirs.exhaustive == ours.exhaustive
        assert np.abs(theirs.image.astype(int) - ours.image).mean() < 4
    assert (pickle.loads(pickle.dumps(again))[1].image == again[1].image).all()
    with pytest.raises(IndexError):
        again[len(MINI)]


def test_packing_scales_down_but_never_up(tmp_path: Path) -> None:
    pack(MINI, tmp_path / "small.pack", longest_side=96)
    small = PackedDataset(tmp_path / "small.pack")
    assert len(small) == 5
    assert max(small[0].image.shape) == 96
    assert shrink(MINI[0], 500) is not None
    assert shrink(MINI[0], 500).image.shape == MINI[0].image.shape
    sample = small[2]
    assert (sample.areas > 0).all()
    assert sample.label_map.max() == len(sample.labels) - 1
    factor = sample.label_map.size / MINI[2].label_map.size
    assert sample.whole_areas[0] == round(factor * MINI[2].whole_areas[0])


def test_a_pack_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    class Unreadable(Subset):
        def __getitem__(self, index: int) -> Sample:
            if index:
                raise OSError("no space left")
            return super().__getitem__(index)

    with pytest.raises(OSError, match="no space left"):
        pack(Unreadable(MINI, range(2)), tmp_path / "mini.pack")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_pack_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pack"
    with pytest.raises(DatasetError, match=r"a\.pack"):
        PackedDataset(path)
    path.write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="not a packed data set"):
        PackedDataset(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps({"format": "instances-0"}))
    with pytest.raises(DatasetError, match="pack it again"):
        PackedDataset(path)


@pytest.mark.parametrize(
    ("manifest", "where"),
    [({"name": "a"}, "samples"), ({"name": "a", "samples": [{}]}, r"samples\.0\.sample_id")],
)
def test_a_manifest_that_lacks_something_is_named(
    manifest: dict[str, object], where: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.pack"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps({"format": "instances-1"} | manifest))
    with pytest.raises(DatasetError, match=rf"pack it again \({where}: Field required"):
        PackedDataset(path)


def test_a_manifest_that_cannot_be_unpacked_is_named(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        entry = archive.getinfo("manifest.json")
    raw = bytearray(packed.read_bytes())
    start = entry.header_offset + 30 + len(entry.filename)
    raw[start : start + 8] = b"\xff" * 8
    packed.write_bytes(raw)
    with pytest.raises(DatasetError, match="not a packed data set"):
        PackedDataset(packed)


def test_a_damaged_item_is_named(packed: Path) -> None:
    raw = bytearray(packed.read_bytes())
    with zipfile.ZipFile(packed) as archive:
        offset = archive.getinfo("000001.png").header_offset + 60
    raw[offset : offset + 4] = b"\0\0\0\0"
    packed.write_bytes(raw)
    damaged = PackedDataset(packed)
    assert damaged[0].labels
    with pytest.raises(DatasetError, match=r"000000000086\.jpg"):
        damaged[1]
