"""The features of an image, kept between clicks, in memory or as safetensors."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as write_arrays
from torch import Tensor

from dynamite.errors import InvalidInputError
from dynamite.formats import refusal
from dynamite.network.model import FeatureMaps

FORMAT_VERSION = 1
"""Highest format of a file of features that is read, and the one that is written."""

_SIZES = ("image_size", "input_size")
_HALF_MAX = float(np.finfo(np.float16).max)

_Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """The features of one image, from ``Predictor.encode``.

    Attributes:
        maps: feature maps with a batch dimension of 1.
        image_size: (H, W) of the image as given, in pixels.
        input_size: (H, W) of the network's input before padding.
        model_version: of the network that made them; other networks refuse them.
        picture: (H, W, 3) uint8, the image or a smaller copy, on the CPU; None for networks that
            take no second look.
    """

    maps: FeatureMaps
    image_size: tuple[int, int]
    input_size: tuple[int, int]
    model_version: str
    picture: NDArray[np.uint8] | None = None

    @property
    def nbytes(self) -> int:
        """Memory of all tensors and of the picture, in bytes."""
        shown = 0 if self.picture is None else self.picture.nbytes
        return shown + sum(tensor.nbytes for _, tensor in _tensors(self.maps))

    @property
    def device(self) -> torch.device:
        """The device of the maps."""
        return self.maps.mask_features.device

    def to(self, device: torch.device | str) -> "ImageFeatures":
        """Return the same features on another device."""
        return replace(self, maps=_rebuild({k: t.to(device) for k, t in _tensors(self.maps)}))

    def save(self, path: Path | str) -> None:
        """Write to a safetensors file; ``load`` reads it."""
        Path(path).write_bytes(self.to_bytes())

    def to_bytes(self, *, half: bool = False) -> bytes:
        """Return them in the safetensors format; ``from_bytes`` reads it.

        Args:
            half: whether to round to half precision, which halves the size and moves some pixels
                at the edges of masks. A tensor with larger numbers than that can hold stays.

        Numbers are converted by numpy: torch would give the calling thread a pool of its own, which
        slows down the pool of the thread that uses the model.
        """
        metadata = {"model_version": self.model_version}
        metadata |= {name: "{}x{}".format(*getattr(self, name)) for name in _SIZES}
        arrays = {name: tensor.detach().cpu().numpy() for name, tensor in _tensors(self.maps)}
        if half:
            arrays = {name: _halved(array) for name, array in arrays.items()}
        if self.picture is not None:
            arrays["picture"] = self.picture
        whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        return write_arrays(whole, metadata)

    @classmethod
    def load(cls, path: Path | str) -> "ImageFeatures":
        """Read what ``save`` wrote.

        Raises:
            InvalidInputError: the file is missing, damaged or holds something else.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InvalidInputError(f"{path} holds no image features: {error}") from error
        return cls.from_bytes(data, str(path))

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "this") -> "ImageFeatures":
        """Read what ``to_bytes`` returned, on the CPU and in single precision.

        Args:
            data: the bytes; they are copied.
            name: what they are called in errors.

        Raises:
            InvalidInputError: they are damaged or hold something else.
        """
        try:
            arrays = read_arrays(data)
            picture = arrays.pop("picture", None)
            tensors = {
                key: torch.from_numpy(array.astype(np.float32, copy=False))
                for key, array in arrays.items()
            }
            metadata = _metadata(data)
            if newer := refusal(metadata, FORMAT_VERSION, Path(name)):
                raise InvalidInputError(newer)
            sizes = [tuple(map(int, metadata[name].split("x"))) for name in _SIZES]
            (height, width), (input_height, input_width) = sizes
            return cls(
                maps=_rebuild(tensors),
                image_size=(height, width),
                input_size=(input_height, input_width),
                model_version=metadata["model_version"],
                picture=picture,
            )
        except (SafetensorError, KeyError, ValueError) as error:
            raise InvalidInputError(f"{name} holds no image features: {error}") from error


def _metadata(data: bytes) -> dict[str, Any]:
    """Return the metadata of valid safetensors: a JSON header of so many bytes comes first."""
    length = int.from_bytes(data[:8], "little")
    found: dict[str, Any] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return found


def _halved(array: _Array) -> _Array:
    fits = max(array.max(), -array.min()) <= _HALF_MAX  # not if something is no number, either
    return array.astype(np.float16) if fits else array


def _tensors(maps: FeatureMaps) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of ``maps`` by name."""
    yield "mask_features", maps.mask_features
    for index in range(3):
        yield f"levels.{index}", maps.levels[index]
        yield f"pooled.{index}", maps.pooled[index]
    for index, (key, value) in enumerate(maps.memory):
        yield f"memory.{index}.key", key
        yield f"memory.{index}.value", value
    if maps.detail is not None and maps.guide is not None:
        yield "detail", maps.detail
        yield "guide", maps.guide


def _rebuild(tensors: dict[str, Tensor]) -> FeatureMaps:
    layers = sum(name.startswith("memory.") for name in tensors) // 2
    return FeatureMaps(
        mask_features=tensors["mask_features"],
        levels=(tensors["levels.0"], tensors["levels.1"], tensors["levels.2"]),
        pooled=(tensors["pooled.0"], tensors["pooled.1"], tensors["pooled.2"]),
        memory=tuple(
            (tensors[f"memory.{i}.key"], tensors[f"memory.{i}.value"]) for i in range(layers)
        ),
        detail=tensors.get("detail"),
        guide=tensors["guide"] if "detail" in tensors else None,
    )


def split_batch(maps: FeatureMaps, index: int) -> FeatureMaps:
    """Return the maps of one image of a batch, with a batch dimension of 1, as copies."""
    return _rebuild({name: tensor[index : index + 1].clone() for name, tensor in _tensors(maps)})


def join_batch(images: list[FeatureMaps]) -> FeatureMaps:
    """Return the maps of several images as one batch.

    Raises:
        InvalidInputError: the images were padded to different sizes.
    """
    if len(images) == 1:
        return images[0]
    sizes = {one.padded_size for one in images}
    if len(sizes) > 1:
        raise InvalidInputError(
            f"features of different padded sizes {sorted(sizes)} cannot form a batch: encode these "
            "images in one call"
        )
    named = [dict(_tensors(one)) for one in images]
    return _rebuild({name: torch.cat([one[name] for one in named]) for name in named[0]})
