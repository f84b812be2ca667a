"""Converts RITM's COCO+LVIS files (``hannotation.pickle``, ``masks/ID.pickle``) to a COCO json.

A pickle is a program. This reader lets it call only a few harmless stand-ins for numpy's
constructors and refuses every other name in the file.
"""

import io
import pickle  # only to subclass its reader
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.data.masks import encode
from training.data.problems import DatasetError, Problems
from training.progress import track


class _Dtype:
    """Stand-in for ``numpy.dtype``: keeps its name."""

    def __init__(self, name: str = "", *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Ignore the state, such as the byte order: it does not matter for bytes."""


class _Array:
    """Stand-in for ``numpy.ndarray``: keeps the pixels, uint8."""

    def __init__(self, *_: object) -> None:
        self.pixels: npt.NDArray[np.uint8] | None = None

    def __setstate__(self, state: object) -> None:
        match state:
            case (_, tuple(shape), _Dtype(name="u1"), _, bytes(raw) | bytearray(raw)):
                self.pixels = np.frombuffer(raw, np.uint8).reshape(shape)
            case _:
                raise pickle.UnpicklingError("an array that is not made of uint8")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _from_buffer(raw: object, dtype: object, shape: object, *_: object) -> _Array:
    array = _Array()
    array.__setstate__((None, shape, dtype, None, raw))
    return array


def _scalar(dtype: object, raw: object) -> int:
    if not isinstance(dtype, _Dtype) or dtype.name[:1] not in "iu" or not isinstance(raw, bytes):
        raise pickle.UnpicklingError("a scalar that is not an integer")
    return int.from_bytes(raw, "little", signed=dtype.name[0] == "i")


def _encode(text: object, encoding: object) -> bytes:
    """Decode bytes as old pickles write them."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("a call of encode that writes no bytes")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,
}


class _Reader(pickle.Unpickler):  # its base calls find_class for every name in the file
    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return the stand-in for a name, or refuse it."""
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it wants to call {module_name}.{global_name}, which no annotation needs"
            ) from None


def load_plain(path: Path) -> Any:
    """Load a pickle of dictionaries, lists, numbers, strings and uint8 arrays, without running it.

    Arrays come as ``_Array`` with ``.pixels``.

    Raises:
        DatasetError: the file cannot be read or contains anything else.
    """
    try:
        return _Reader(io.BytesIO(path.read_bytes())).load()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # a broken pickle may raise nearly anything
        raise DatasetError(f"{path}: refused: {error}") from error


def convert(folder: Path) -> tuple[dict[str, Any], Problems]:
    """Convert a folder with ``hannotation.pickle``, ``images/`` and ``masks/``.

    Objects beyond an image's number of instances are stuff.

    Returns:
        The content of a COCO json, and the problems found: images with unreadable masks, which are
        left out. The caller must settle the problems.

    Raises:
        DatasetError: ``hannotation.pickle`` cannot be read.
    """
    path = folder / "hannotation.pickle"
    listing = load_plain(path)
    if not isinstance(listing, dict):
        raise DatasetError(f"{path}: holds a {type(listing).__name__}, not a dictionary of images")
    problems = Problems()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id in track(sorted(listing, key=str), "Converting RITM's masks"):
        masks_path = folder / "masks" / f"{image_id}.pickle"
        try:
            count = int(listing[image_id]["num_instance_masks"])
            layers, places = _read_masks(masks_path)
        except (DatasetError, KeyError, TypeError, ValueError) as error:
            problems.add("unreadable mask", masks_path, None, str(error))
            continue
        height, width = layers[0].shape
        name = f"images/{image_id}.jpg"
        images.append({"id": str(image_id), "file_name": name, "height": height, "width": width})
        for index, (layer, value) in enumerate(places):
            mask = layers[layer] == value
            annotation_id = f"{image_id}-{index}"
            if not mask.any():
                problems.add("empty mask", masks_path, annotation_id, "no pixel has its value")
                continue
            annotations.append(
                {
                    "id": annotation_id,
                    "image_id": str(image_id),
                    "category_id": 1 if index < count else 2,
                    "segmentation": encode(mask),
                    "area": int(np.count_nonzero(mask)),
                    "bbox": list(cv2.boundingRect(mask.view(np.uint8))),
                    "iscrowd": 0,
                }
            )
    categories = [
        {"id": 1, "name": "thing", "isthing": 1},
        {"id": 2, "name": "stuff", "isthing": 0},
    ]
    return {"images": images, "annotations": annotations, "categories": categories}, problems


def _read_masks(path: Path) -> tuple[list[npt.NDArray[Any]], list[tuple[int, int]]]:
    """Return the decoded layers of one image, all H×W, and each object's layer and pixel value."""
    encoded, mapping = load_plain(path)
    layers = []
    for layer in encoded:
        pixels = layer.pixels if isinstance(layer, _Array) else None
        raw = b"" if pixels is None else pixels.tobytes()
        decoded = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED) if raw else None
        if decoded is None or decoded.ndim != 2:
            raise DatasetError("a layer is not a grey PNG")
        layers.append(decoded)
    if not layers or len({layer.shape for layer in layers}) != 1:
        raise DatasetError("there are no layers, or they differ in size")
    entries = mapping.items() if isinstance(mapping, dict) else enumerate(mapping)
    places = [(int(layer), int(value)) for _, (layer, value) in sorted(entries)]
    if not all(0 <= layer < len(layers) for layer, _ in places):
        raise DatasetError(f"an object lies in a layer beyond {len(layers)}")
    return layers, places
