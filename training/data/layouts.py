"""The published data sets, in the folders they are published in (docs/data.md)."""

from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from training.data.coco import open_coco
from training.data.lvis import open_lvis
from training.data.mask_file_datasets import Pair, PairedDataset
from training.data.open_options import Opening
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

Opener = Callable[..., InstanceDataset]  # of the root, and an Opening by keywords

_PICTURES = {".jpg", ".jpeg", ".png", ".bmp"}


def _files(folder: Path) -> list[Path]:
    """The pictures of a folder by name: the same order on every machine."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    if not found:
        raise DatasetError(f"{folder}: no pictures ({', '.join(sorted(_PICTURES))}) in it")
    return found


def _lines(path: Path) -> list[str]:
    """The non-empty lines of a list file."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: the list of the set cannot be read: {error}") from error
    return [line for line in lines if line]


def _folder_pairs(images: Path, masks: Path, suffix: str) -> list[Pair]:
    return [Pair(path.stem, path, masks / f"{path.stem}{suffix}") for path in _files(images)]


def grabcut(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """GrabCut: 50 images, one object each."""
    folder = root / "GrabCut"
    pairs = _folder_pairs(folder / "data_GT", folder / "boundary_GT", ".bmp")
    return PairedDataset("GrabCut", pairs, read_trimap, **how)


def berkeley(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """Berkeley: 100 objects on 96 images."""
    folder = root / "Berkeley"
    pairs = _folder_pairs(folder / "images", folder / "masks", ".png")
    return PairedDataset("Berkeley", pairs, read_trimap, **how)


def coco_mval(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """COCO MVal: 800 objects, ten of each COCO class."""
    folder = root / "COCO_MVal"
    pairs = _folder_pairs(folder / "img", folder / "gt", ".png")
    return PairedDataset("coco_Mval", pairs, read_binary, **how)


def davis_single(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """345 frames of DAVIS 2016, one merged object each, as RITM hands them out."""
    pairs = _folder_pairs(root / "davis" / "img", root / "davis" / "gt", ".png")
    return PairedDataset("davis_single_inst", pairs, read_any_color, **how)


def davis_2016(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """Every frame of DAVIS 2016 val in its own folders; frames without object are left out."""
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
        pairs.append(Pair(name, folder / image, folder / mask))
    return PairedDataset(
        "davis_2016_val", pairs, read_any_color, problems=problems, may_be_empty=True, **how
    )


def davis_2017(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """Every frame of DAVIS 2017 val; objects are those of a video's first frame."""
    folder = root / "DAVIS" / "DAVIS-2017-trainval"
    pairs, highest, problems = [], {}, Problems()
    for video in _lines(folder / "ImageSets" / "2017" / "val.txt"):
        images = folder / "JPEGImages" / "480p" / video
        masks = folder / "Annotations" / "480p" / video
        try:
            of_video = [
                Pair(f"{video}/{pair.sample_id}", pair.image, pair.mask)
                for pair in _folder_pairs(images, masks, ".png")
            ]
            count = int(read_palette(of_video[0].mask).numbers.max())
        except DatasetError as error:
            problems.add("unreadable video", images, None, f"the whole of {video}: {error}")
            continue
        highest.update({pair.sample_id: count for pair in of_video})
        pairs += of_video
    return PairedDataset(
        "davis_2017_val",
        pairs,
        read_palette,
        problems=problems,
        may_be_empty=True,
        highest_number=highest,
        **how,
    )


def _sbd(root: Path, *, single_instance: bool, **how: Unpack[Opening]) -> InstanceDataset:
    folder = root / "sbd" / "dataset"
    pairs = [
        Pair(stem, folder / "img" / f"{stem}.jpg", folder / "inst" / f"{stem}.mat")
        for stem in _lines(folder / "val.txt")
    ]
    return PairedDataset(
        "sbd_single_inst" if single_instance else "sbd_multi_insts",
        pairs,
        read_sbd,
        single_instance=single_instance,
        **how,
    )


def sbd_single(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """SBD val, a sample for each object."""
    return _sbd(root, single_instance=True, **how)


def sbd_multi(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """SBD val, all objects of an image together."""
    return _sbd(root, single_instance=False, **how)


def pascal_voc(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """Pascal VOC 2012 segmentation val, a sample for each object."""
    folder = root / "pascal_voc"
    pairs = [
        Pair(
            stem,
            folder / "JPEGImages" / f"{stem}.jpg",
            folder / "SegmentationObject" / f"{stem}.png",
        )
        for stem in _lines(folder / "ImageSets" / "Segmentation" / "val.txt")
    ]
    return PairedDataset("pascal_voc_single", pairs, read_voc, single_instance=True, **how)


def coco_val(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """COCO val2017: every image that has an object."""
    folder = root / "coco"
    json_path = folder / "annotations" / "instances_val2017.json"
    return open_coco(json_path, folder / "val2017", name="coco_2017_val", **how)


def coco_train(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """COCO train2017."""
    folder = root / "coco"
    json_path = folder / "annotations" / "instances_train2017.json"
    images = folder / "train2017"
    return open_coco(json_path, images, name="coco_2017_train", **how)


def lvis_train(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """LVIS v1 train, on COCO's images."""
    folder = root / "coco"
    return open_lvis(folder / "annotations" / "lvis_v1_train.json", folder, **how)


def lvis_val(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """LVIS v1 val, on COCO's images (of train2017 and val2017)."""
    folder = root / "coco"
    return open_lvis(folder / "annotations" / "lvis_v1_val.json", folder, **how)


def coco_lvis(root: Path, **how: Unpack[Opening]) -> InstanceDataset:
    """COCO+LVIS as `dynamite data merge` writes it."""
    folder = root / "coco"
    json_path = folder / "annotations" / "coco_lvis.json"
    return open_coco(json_path, folder, name="coco_lvis", **how)


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
    "coco_2017_val": coco_val,
    "coco_2017_train": coco_train,
    "lvis_v1_train": lvis_train,
    "lvis_v1_val": lvis_val,
    "coco_lvis": coco_lvis,
}
"""Published sets by name; each opener is given the folder that holds all sets."""
