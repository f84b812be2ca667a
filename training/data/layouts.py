"""Opens the published data sets in the folders they are published in (MODEL_SPEC 10.6)."""

from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from training.data.coco import open_coco
from training.data.lvis import open_lvis
from training.data.mask_file_datasets import MaskFileDataset, MaskFilePair
from training.data.open_options import OpenOptions
from training.data.problems import DatasetError, Problems
from training.data.region_files import (
    read_any_color,
    read_binary,
    read_palette,
    read_sbd,
    read_trimap,
    read_voc,
)
from training.data.sample import InstanceDataset

Opener = Callable[..., InstanceDataset]  # takes the root folder, and OpenOptions as keywords

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


def _files(folder: Path) -> list[Path]:
    """Return the images of a folder sorted by name: the same order on every machine."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES)
    if not found:
        raise DatasetError(f"{folder}: no images ({', '.join(sorted(_IMAGE_SUFFIXES))}) in it")
    return found


def _lines(path: Path) -> list[str]:
    """Return the non-empty lines of a list file."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: the list of the set cannot be read: {error}") from error
    return [line for line in lines if line]


def _folder_pairs(images: Path, masks: Path, suffix: str) -> list[MaskFilePair]:
    return [
        MaskFilePair(path.stem, path, masks / f"{path.stem}{suffix}") for path in _files(images)
    ]


def grabcut(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
    """GrabCut: 50 images, one object each."""
    folder = root / "GrabCut"
    pairs = _folder_pairs(folder / "data_GT", folder / "boundary_GT", ".bmp")
    return MaskFileDataset("GrabCut", pairs, read_trimap, **options)


def berkeley(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
    """Berkeley: 100 objects on 96 images."""
    folder = root / "Berkeley"
    pairs = _folder_pairs(folder / "images", folder / "masks", ".png")
    return MaskFileDataset("Berkeley", pairs, read_trimap, **options)


def coco_mval(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
    """COCO MVal: 800 objects, ten of each COCO class."""
    folder = root / "COCO_MVal"
    pairs = _folder_pairs(folder / "img", folder / "gt", ".png")
    return MaskFileDataset("coco_Mval", pairs, read_binary, **options)


def davis_single(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
    """345 frames of DAVIS 2016, one merged object each, as RITM distributes them."""
    pairs = _folder_pairs(root / "davis" / "img", root / "davis" / "gt", ".png")
    return MaskFileDataset("davis_single_inst", pairs, read_any_color, **options)


def davis_2016(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
    """Every frame of DAVIS 2016 val; frames without an object are left out."""
    folder = root / "DAVIS"
    listing = folder / "ImageSets" / "480p" / "val.txt"
    pairs, problems = [], Problems()
    for line in _lines(listing):
        columns = [Path(part.lstrip("/")) for part in line.split()]
        if len(columns) < 2:
            problems.add("bad entry", listing, None, f"{line!r:.80} names no mask")
            continue
        image, mask = columns[:2]
        name = f"{image.parent.name}/{image.stem}"
        pairs.append(MaskFilePair(name, folder / image, folder / mask))
    return MaskFileDataset(
        "davis_2016_val", pairs, read_any_color, problems=problems, may_be_empty=True, **options
    )


def davis_2017(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
    """Every frame of DAVIS 2017 val; the objects are those of a video's first frame."""
    folder = root / "DAVIS" / "DAVIS-2017-trainval"
    pairs, highest, problems = [], {}, Problems()
    for video in _lines(folder / "ImageSets" / "2017" / "val.txt"):
        images = folder / "JPEGImages" / "480p" / video
        masks = folder / "Annotations" / "480p" / video
        try:
            of_video = [
                MaskFilePair(f"{video}/{pair.sample_id}", pair.image, pair.mask)
                for pair in _folder_pairs(images, masks, ".png")
            ]
            count = int(read_palette(of_video[0].mask).numbers.max())
        except DatasetError as error:
            problems.add("unreadable video", images, None, f"the whole of {video}: {error}")
            continue
        highest.update({pair.sample_id: count for pair in of_video})
        pairs += of_video
    return MaskFileDataset(
        "davis_2017_val",
        pairs,
        read_palette,
        problems=problems,
        may_be_empty=True,
        highest_number=highest,
        **options,
    )


def _sbd(root: Path, *, single_instance: bool, **options: Unpack[OpenOptions]) -> InstanceDataset:
    folder = root / "sbd" / "dataset"
    pairs = [
        MaskFilePair(stem, folder / "img" / f"{stem}.jpg", folder / "inst" / f"{stem}.mat")
        for stem in _lines(folder / "val.txt")
    ]
    return MaskFileDataset(
        "sbd_single_inst" if single_instance else "sbd_multi_insts",
        pairs,
        read_sbd,
        single_instance=single_instance,
        **options,
    )


def sbd_single(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
    """SBD val, one sample per object."""
    return _sbd(root, single_instance=True, **options)


def sbd_multi(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
    """SBD val, one sample per image with all its objects."""
    return _sbd(root, single_instance=False, **options)


def pascal_voc(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
    """Pascal VOC 2012 segmentation val, one sample per object."""
    folder = root / "pascal_voc"
    pairs = [
        MaskFilePair(
            stem,
            folder / "JPEGImages" / f"{stem}.jpg",
            folder / "SegmentationObject" / f"{stem}.png",
        )
        for stem in _lines(folder / "ImageSets" / "Segmentation" / "val.txt")
    ]
    return MaskFileDataset("pascal_voc_single", pairs, read_voc, single_instance=True, **options)


def _coco(name: str, json_name: str, images: str = "") -> Opener:
    """Return the opener of a json in ``coco/annotations``; its images lie below ``coco/IMAGES``."""

    def open_set(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
        folder = root / "coco"
        return open_coco(folder / "annotations" / json_name, folder / images, name=name, **options)

    return open_set


def _lvis(json_name: str) -> Opener:
    """Return the opener of an LVIS json in ``coco/annotations``; it uses COCO's images."""

    def open_set(root: Path, **options: Unpack[OpenOptions]) -> InstanceDataset:
        return open_lvis(root / "coco" / "annotations" / json_name, root / "coco", **options)

    return open_set


LAYOUTS: dict[str, Opener] = {
    "GrabCut": grabcut,
    "Berkeley": berkeley,
    "coco_Mval": coco_mval,
    "davis_single_inst": davis_single,
    "davis_2016_val": davis_2016,
    "davis_2017_val": davis_2017,
    "sbd_single_inst": sbd_single,
    "sbd_multi_insts": sbd_multi,
    "pascal_voc_single": pascal_voc,
    "coco_2017_val": _coco("coco_2017_val", "instances_val2017.json", "val2017"),
    "coco_2017_train": _coco("coco_2017_train", "instances_train2017.json", "train2017"),
    "lvis_v1_train": _lvis("lvis_v1_train.json"),
    "lvis_v1_val": _lvis("lvis_v1_val.json"),
    "coco_lvis": _coco("coco_lvis", "coco_lvis.json"),
}
"""Openers of the published sets by name; each takes the folder that holds all sets."""
