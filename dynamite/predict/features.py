"""What is kept of an image between clicks: its feature maps and how to find its way back."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dynamite.errors import InvalidInputError
from dynamite.network.model import FeatureMaps

_SIZES = ("image_size", "input_size")


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """The features of one image, from ``Predictor.encode``.

    ``image_size`` (H, W) is that of the image as given, ``input_size`` that of the network's input
    before padding. ``image``, a copy, is kept only where zoom-in needs to look again.
    """

    maps: FeatureMaps
    image_size: tuple[int, int]
    input_size: tuple[int, int]
    model_version: str
    image: NDArray[np.uint8] | None = None

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        held = sum(tensor.nbytes for _, tensor in _tensors(self.maps))
        return held + (self.image.nbytes if self.image is not None else 0)

    @property
    def device(self) -> torch.device:
        """Where the maps are."""
        return self.maps.mask_features.device

    def to(self, device: torch.device | str) -> "ImageFeatures":
        """The same features on another device."""
        return replace(self, maps=_rebuild({k: t.to(device) for k, t in _tensors(self.maps)}))

    def save(self, path: Path | str) -> None:
        """Write to a safetensors file."""
        tensors = {name: tensor.contiguous().cpu() for name, tensor in _tensors(self.maps)}
        if self.image is not None:
            tensors["image"] = torch.from_numpy(self.image)
        metadata = {"model_version": self.model_version}
        metadata |= {name: "{}x{}".format(*getattr(self, name)) for name in _SIZES}
        save_file(tensors, path, metadata)

    @classmethod
    def load(cls, path: Path | str) -> "ImageFeatures":
        """Read what ``save`` wrote.

        Raises:
            InvalidInputError: the file is missing, damaged or holds something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            sizes = [tuple(map(int, metadata[name].split("x"))) for name in _SIZES]
            image = tensors.pop("image").numpy() if "image" in tensors else None
            (height, width), (input_height, input_width) = sizes
            return cls(
                maps=_rebuild(tensors),
                image_size=(height, width),
                input_size=(input_height, input_width),
                model_version=metadata["model_version"],
                image=image,
            )
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise InvalidInputError(f"{path} holds no image features: {error}") from error


def _tensors(maps: FeatureMaps) -> Iterator[tuple[str, Tensor]]:
    """The tensors of ``maps`` by name."""
    yield "mask_features", maps.mask_features
    for index in range(3):
        yield f"levels.{index}", maps.levels[index]
        yield f"pooled.{index}", maps.pooled[index]
    for index, (key, value) in enumerate(maps.memory):
        yield f"memory.{index}.key", key
        yield f"memory.{index}.value", value
    if maps.detail is not None:
        yield "detail", maps.detail


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
    )


def split_batch(maps: FeatureMaps, index: int) -> FeatureMaps:
    """The maps of one image of a batch, with a batch dimension of 1, in memory of their own."""
    return _rebuild({name: tensor[index : index + 1].clone() for name, tensor in _tensors(maps)})


def join_batch(parts: list[FeatureMaps]) -> FeatureMaps:
    """The maps of several images, padded to the same size, as one batch."""
    if len(parts) == 1:
        return parts[0]
    sizes = {part.padded_size for part in parts}
    if len(sizes) > 1:
        raise InvalidInputError(
            f"features of different padded sizes {sorted(sizes)} make no batch: encode these "
            "images in one call"
        )
    named = [dict(_tensors(part)) for part in parts]
    return _rebuild({name: torch.cat([one[name] for one in named]) for name in named[0]})
