"""Learns from descriptions how like their objects each cell of an image is."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from dynamite.errors import InvalidInputError
from dynamite.predict.features import ImageFeatures
from dynamite.proposals.cells import cell_grid, level_maps, upsampled
from dynamite.proposals.description import Description, Kind

PENALTY = 0.1
"""Weight of the squared weights: there are few images, and each has a look of its own."""

STEPS = 60
"""Most steps of L-BFGS."""

SMOOTHING = 0.8
"""Standard deviation of the Gaussian over the maps, in cells."""


@dataclass(frozen=True, eq=False)
class LikenessMaps:
    """What is said of each cell of an image; rows × columns float32, probabilities.

    Attributes:
        objects: of lying on an object of the label.
        cores: of lying inside one, not at its border.
    """

    objects: NDArray[np.float32]
    cores: NDArray[np.float32]

    @property
    def certainty(self) -> float:
        """How decided the map of objects is, 0…1: little in an image unlike the described ones."""
        return float(1 - 2 * np.minimum(self.objects, 1 - self.objects).mean())


@dataclass(frozen=True, eq=False)
class Likeness:
    """A linear head on the features: softmax over the kinds of ``Kind``.

    Attributes:
        weights: (C, 3) float32.
        bias: (3) float32.
        areas: of all described objects, in cells, in ascending order.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    areas: NDArray[np.float32]

    @classmethod
    def learn(cls, descriptions: Sequence[Description]) -> "Likeness":
        """Learn from descriptions of one label, made with the same network.

        Raises:
            InvalidInputError: there is none, or they do not fit together.
        """
        widths = {one.vectors.shape[1] for one in descriptions}
        if len(widths) != 1:
            raise InvalidInputError(
                f"descriptions with {sorted(widths)} channels do not make a likeness: give one or "
                "more, all made with the same network"
            )
        vectors = np.concatenate([one.vectors for one in descriptions]).astype(np.float32)
        kinds = np.concatenate([one.kinds for one in descriptions]).astype(np.int64)
        mean, spread = vectors.mean(0), vectors.std(0) + 1e-3
        weights, bias = _logistic((vectors - mean) / spread, kinds)
        weights /= spread[:, None]
        areas = np.sort(np.concatenate([one.areas for one in descriptions]))
        return cls(weights, bias - mean @ weights, areas)

    @torch.inference_mode()
    def maps(self, features: ImageFeatures) -> LikenessMaps:
        """Return the maps of an image.

        Raises:
            InvalidInputError: its features have other channels.
        """
        own, around = level_maps(features)
        if len(self.weights) != 2 * len(own):
            raise InvalidInputError(
                f"a likeness of {len(self.weights)} channels does not fit features of "
                f"{2 * len(own)}: describe the accepted images again"
            )
        rows, columns = cell_grid(features)
        device = own.device
        for_own, for_around = torch.from_numpy(self.weights).to(device).split(len(own))
        # The head is linear, so that its outputs are resized and not the features.
        logits = torch.einsum("chw,ck->khw", own[:, :rows, :columns], for_own)
        coarse = torch.einsum("chw,ck->khw", around, for_around)
        logits = logits + upsampled(coarse, features)
        logits = logits + torch.from_numpy(self.bias).to(device)[:, None, None]
        shares = logits.softmax(0).cpu().numpy()
        return LikenessMaps(_smooth(1 - shares[Kind.BACKGROUND]), _smooth(shares[Kind.CORE]))


def _smooth(map_hw: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(map_hw, (0, 0), SMOOTHING), np.float32)


@torch.inference_mode(mode=False)
def _logistic(
    vectors: NDArray[np.float32], kinds: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weights (C, 3) and bias (3) of a logistic regression; kinds weigh the same."""
    inputs, targets = torch.from_numpy(vectors), torch.from_numpy(kinds)
    counts = torch.bincount(targets, minlength=len(Kind)).clamp(min=1)
    per_vector = 1 / counts[targets]
    per_vector = per_vector / per_vector.sum()
    weights = torch.zeros(vectors.shape[1], len(Kind), requires_grad=True)
    bias = torch.zeros(len(Kind), requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        errors = cross_entropy(inputs @ weights + bias, targets, reduction="none")
        total = (errors * per_vector).sum() + PENALTY * weights.square().sum()
        total.backward()
        return total

    with torch.enable_grad():
        optimizer.step(loss)
    return weights.detach().numpy(), bias.detach().numpy()
