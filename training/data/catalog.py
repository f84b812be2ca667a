"""Opens data sets by name and splits them into a training and a validation part."""

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Unpack

from training.data.coco import CocoDataset, open_coco
from training.data.layouts import LAYOUTS
from training.data.open_options import OpenOptions
from training.data.packed import PackedDataset
from training.data.problems import DatasetError
from training.data.sample import InstanceDataset, Sample


def _is_there(path: Path) -> bool:
    return path.exists() or path.with_name(path.name + ".pack").is_file()


def _suggestion(name: str, root: Path | None, path: Path) -> str:
    """Return the end of a sentence about a name that is none: which set may be meant."""
    if len(Path(name).parts) > 1:
        corrected = _corrected(path)
        return "" if corrected is None else f" Did you mean {corrected}?"
    known = list(LAYOUTS)
    for folder in (root, root / "eval") if root is not None else ():
        if folder.is_dir():
            known += [
                path.stem if path.suffix == ".pack" else path.name for path in folder.iterdir()
            ]
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _corrected(path: Path) -> Path | None:
    """Return a path with each part that is not there replaced by the one most like it."""
    found = Path(path.anchor)
    for part in path.parts[len(found.parts) :]:
        names = [one.name for one in found.iterdir()] if found.is_dir() else []
        close = [part] if part in names else get_close_matches(part, names, n=1)
        if not close:
            return None
        found /= close[0]
    return found if found != path else None


def open_dataset(
    name_or_path: str | Path,
    root: Path | None = None,
    *,
    licences: Sequence[str] = (),
    **options: Unpack[OpenOptions],
) -> InstanceDataset:
    """Open a data set by name below ``root``, or by path.

    A name is that of a published set (``LAYOUTS``), of the folder ``root/NAME``, or of the file
    ``root/NAME.pack``. A path leads to a COCO json, its folder, or a packed file.

    With ``licences``, only the images of a COCO json under these (``with_licences``).

    Raises:
        DatasetError: there is no such set, it has problems that are not to be skipped, or it does
            not state the licences of its images.
    """
    dataset = _open(name_or_path, root, licences, **options)
    if licences and not isinstance(dataset, CocoDataset):
        raise DatasetError(
            f"{dataset.name}: licences are chosen by image, and only a COCO json states them"
        )
    return dataset


def _open(
    name_or_path: str | Path,
    root: Path | None,
    licences: Sequence[str],
    **options: Unpack[OpenOptions],
) -> InstanceDataset:
    if root is not None and name_or_path in LAYOUTS:
        return LAYOUTS[str(name_or_path)](root, **options)
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
            f"{name_or_path}: no data set: {json_path} does not exist."
            f"{_suggestion(str(name_or_path), root, path)}\n"
            "Give the folder that holds the sets (--data; `dynamite data` calls it --root; root in "
            "Python; docs/data.md shows what lies in it), or the path of a COCO json."
        )
    name = None if path.suffix == ".json" else path.name
    return open_coco(json_path, name=name, licences=licences, **options)


class Subset:
    """The items of a data set at ``indices``, in that order."""

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
    """Split a data set into a training part and a hold-out part for validation.

    An image's part depends on its id and the seed only, so adding or removing other images never
    moves it.

    Args:
        dataset: the whole set.
        fraction: share of the images to hold out, about, in [0, 1).
        seed: chooses another split.

    Returns:
        The training part and the validation part.

    Raises:
        DatasetError: ``fraction`` is not in [0, 1).
    """
    if not 0 <= fraction < 1:
        raise DatasetError(f"the validation fraction must be in [0, 1), not {fraction}")
    parts: tuple[list[int], list[int]] = ([], [])
    for index, sample_id in enumerate(dataset.sample_ids):
        digest = hashlib.blake2b(f"{seed}:{sample_id}".encode(), digest_size=8).digest()
        held_out = int.from_bytes(digest, "big") / 2**64 < fraction
        parts[held_out].append(index)
    return Subset(dataset, parts[0]), Subset(dataset, parts[1])
