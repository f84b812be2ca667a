"""Reads the mask files of the benchmarks as numbered regions (MODEL_SPEC 10.6)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from training.data.images import FAULTS
from training.data.problems import DatasetError
from training.data.sample import Mask

VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

_UNKNOWN = 128
"""Value of a trimap where a pixel is neither object nor background."""

_VOC_BORDER = (220, 255)
"""Grey value and palette index of the border between objects in Pascal VOC."""


@dataclass(frozen=True)
class Regions:
    """The numbered objects of one image."""

    numbers: npt.NDArray[np.int32]  # H×W: 0 background, k > 0 object k
    ignore: Mask  # H×W
    names: Mapping[int, str] = field(default_factory=dict)  # by object number, where known


ReadRegions = Callable[[Path], Regions]


def read_trimap(path: Path) -> Regions:
    """Read one object: first channel above 128; exactly 128 is ignored (GrabCut, Berkeley)."""
    values = _pixels(path)[..., 0]
    return Regions(np.asarray(values > _UNKNOWN, np.int32), values == _UNKNOWN)


def read_binary(path: Path) -> Regions:
    """Read one object: first channel above 128 (COCO MVal)."""
    values = _pixels(path)[..., 0]
    return Regions((values > _UNKNOWN).astype(np.int32), np.zeros(values.shape, np.bool_))


def read_any_color(path: Path) -> Regions:
    """Read one object: every pixel that is not black (DAVIS 2016)."""
    values = _pixels(path).any(axis=-1)
    return Regions(np.asarray(values, np.int32), np.zeros(values.shape, np.bool_))


def read_palette(path: Path) -> Regions:
    """Read objects by their palette index (DAVIS 2017)."""
    numbers = _indices(path)
    return Regions(numbers, np.zeros(numbers.shape, np.bool_))


def read_voc(path: Path) -> Regions:
    """Read objects by palette index, or by grey value without a palette; ignore their border."""
    numbers = _indices(path)
    ignore = np.isin(numbers, _VOC_BORDER)
    numbers[ignore] = 0
    return Regions(numbers, ignore)


def read_sbd(path: Path) -> Regions:
    """Read the struct ``GTinst`` of an SBD .mat file: ``Segmentation`` and ``Categories``."""
    from scipy.io import loadmat  # noqa: PLC0415 - takes a second to import

    try:
        inst: Any = loadmat(str(path), squeeze_me=True, struct_as_record=True)["GTinst"]
        numbers = np.asarray(inst["Segmentation"].item())
        categories = np.atleast_1d(inst["Categories"].item()).astype(int)
    except Exception as error:  # a broken file may raise nearly anything
        raise DatasetError(f"{path}: not an SBD instance file: {error}") from error
    if numbers.ndim != 2 or numbers.dtype.kind not in "iu":
        raise DatasetError(f"{path}: GTinst.Segmentation is {numbers.dtype} {numbers.shape}")
    names = {
        number: VOC_CLASSES[category - 1]
        for number, category in enumerate(categories, start=1)
        if 1 <= category <= len(VOC_CLASSES)
    }
    return Regions(numbers.astype(np.int32), np.zeros(numbers.shape, np.bool_), names)


def _pixels(path: Path) -> npt.NDArray[np.uint8]:
    """Read a mask image as RGB, H×W×3, with its palette applied."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    # Masks match the stored pixels, so the EXIF orientation is not applied.
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if pixels is None:
        raise DatasetError(f"{path}: not a readable mask image")
    return pixels.astype(np.uint8, copy=False)


def _indices(path: Path) -> npt.NDArray[np.int32]:
    """Read palette indices, or the grey values of a file without a palette, H×W."""
    try:
        with Image.open(path) as image:
            indexed = image if image.mode == "P" else image.convert("L")
            return np.asarray(indexed).astype(np.int32)
    except FAULTS as error:
        raise DatasetError(f"{path}: not a readable mask image: {error}") from error
