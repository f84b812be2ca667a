"""Weights for one project: what its accepted masks have taught the refiner.

The refiner redraws each object from its mask, its clicks and cached features of the image. Only
what it does at a click is adapted, so all projects share the cached features, a project's weights
are small, and they are learned within seconds. Where an object is stays as it was learned from
thousands of images; how its border runs is what a few can teach (docs/memory.md).
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dynamite.errors import CheckpointError, InvalidInputError
from dynamite.files import replacing
from dynamite.network.model import DynaMITE

_CACHED_IN_DETAIL = ("edges.", "from_edges.", "reduce.", "from_features.")


@dataclass(frozen=True)
class Adaptation:
    """The adapted weights of one project.

    Attributes:
        tensors: by name, those of ``adaptable``.
        model_version: of the network they were learned from; others refuse them.
    """

    tensors: Mapping[str, Tensor]
    model_version: str

    @classmethod
    def of(cls, model: DynaMITE) -> "Adaptation":
        """Take the adaptable weights out of a network, rounded to half precision."""
        tensors = {name: weight.detach().cpu().half() for name, weight in adaptable(model)}
        return cls(tensors, model.version)

    @property
    def digest(self) -> str:
        """Names the weights: 8 hexadecimal digits."""
        found = blake2b(self.model_version.encode(), digest_size=4)
        for name, tensor in sorted(self.tensors.items()):
            found.update(name.encode())
            found.update(tensor.contiguous().numpy().tobytes())
        return found.hexdigest()

    def apply(self, model: DynaMITE) -> DynaMITE:
        """Return a network with these weights; it shares what is not adapted with ``model``.

        Features of either network serve both, and both have the same version.

        Raises:
            InvalidInputError: they were learned from another version, or do not fit.
        """
        if self.model_version != model.version:
            raise InvalidInputError(
                f"the adaptation was learned from model version {self.model_version!r}, this is "
                f"{model.version!r}: learn it again"
            )
        adapted = copy_adaptable(model)
        own = dict(adaptable(adapted))
        if {name: weight.shape for name, weight in own.items()} != {
            name: tensor.shape for name, tensor in self.tensors.items()
        }:
            raise InvalidInputError(
                f"the adaptation does not fit {model.version!r}: learn it again"
            )
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(self.tensors[name])
        return adapted

    def save(self, path: Path) -> None:
        """Write to a safetensors file, atomically; ``load`` reads it."""
        with replacing(path) as draft:
            save_file(dict(self.tensors), draft, {"model_version": self.model_version})

    @classmethod
    def load(cls, path: Path) -> "Adaptation":
        """Read what ``save`` wrote.

        Raises:
            CheckpointError: the file is missing, damaged or holds something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls(tensors, metadata["model_version"])
        except (OSError, SafetensorError, KeyError) as error:
            raise CheckpointError(f"{path} holds no adaptation: {error}") from error


def adaptable(model: DynaMITE) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters of the refiner, by name, that no cached feature depends on.

    There are none in a network without a refiner.
    """
    if model.config.refiner_channels:
        for name, weight in model.refiner.named_parameters():
            if not name.startswith(_CACHED_IN_DETAIL):
                yield f"refiner.{name}", weight


def copy_adaptable(model: DynaMITE) -> DynaMITE:
    """Return a copy of the network that shares everything but the refiner with it."""
    shared = {id(part): part for name, part in model.named_children() if name != "refiner"}
    return deepcopy(model, shared)
