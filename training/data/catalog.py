"""Data sets by name, and their division into a training and a validation part."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from training.data.coco import open_coco
from training.data.layouts import LAYOUTS
from training.data.open_options import Opening
from training.data.packed import PackedDataset
from training.data.problems import DatasetError
from training.data.sample import InstanceDataset, Sample


def _is_there(path: Path) -> bool:
    return path.exists() or path.with_name(path.name + ".pack").is_file()


def open_dataset(
    name_or_path: str | Path, root: Path | None = None, **how: Unpack[Opening]
) -> InstanceDataset:
    """A data set by name below `root`, or by the path of a COCO json, its folder, or a packed file.

    A name stands for the folder `root/NAME` or, where there is none, the file `root/NAME.pack`.
    Raises DatasetError if there is none, and for problems in it unless they are to be skipped.
    """
    if root is not None and name_or_path in LAYOUTS:
        return LAYOUTS[str(name_or_path)](root, **how)
    path = Path(name_or_path)
    if (
        root is not None
        and not path.is_absolute()
        and (_is_there(root / path) or not path.exists())
    ):
        path = root / path
    if path.suffix == ".pack":
        return PackedDataset(path)
    json_path = path if path.suffix == ".json" else path / "annotations.json"
    packed_path = path.with_name(path.name + ".pack")
    if not json_path.is_file() and packed_path.is_file():
        return PackedDataset(packed_path)
    if not json_path.is_file():
        raise DatasetError(
            f"{name_or_path}: no data set: {json_path} does not exist.\n"
            "Give the folder that holds the sets (--data; `dynamite data` calls it --root; root in "
            "Python; docs/data.md shows what lies in it), or the path of a COCO json."
        )
    return open_coco(json_path, name=None if path.suffix == ".json" else path.name, **how)


class Subset:
    """Some items of a data set, in the order of `indices`."""

    def __init__(self, dataset: InstanceDataset, indices: Sequence[int]) -> None:
        self._dataset = dataset
        self._indices = list(indices)
        self.name = dataset.name
        self.sample_ids = [dataset.sample_ids[index] for index in self._indices]

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[self._indices[index]]


def split(dataset: InstanceDataset, fraction: float, seed: int = 0) -> tuple[Subset, Subset]:
    """(training, validation) parts; about `fraction` of the images are for validation.

    An image's part depends on its id and the seed only: other images coming or going move none.
    """
    if not 0 <= fraction < 1:
        raise DatasetError(f"the validation fraction must be in [0, 1), not {fraction}")
    parts: tuple[list[int], list[int]] = ([], [])
    for index, sample_id in enumerate(dataset.sample_ids):
        digest = hashlib.blake2b(f"{seed}:{sample_id}".encode(), digest_size=8).digest()
        held_out = int.from_bytes(digest, "big") / 2**64 < fraction
        parts[held_out].append(index)
    return Subset(dataset, parts[0]), Subset(dataset, parts[1])
