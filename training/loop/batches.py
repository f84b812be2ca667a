"""Batches of clicked samples; a seed gives the same ones for any number of loader processes."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dynamite import ClickSet
from dynamite.lifeline import die_with_parent
from training.click_jitter import jittered
from training.click_simulation import initial_clicks
from training.data.augment import AugmentConfig
from training.data.sample import Sample
from training.data.sampling import Mixture, TrainingSamples
from training.losses.object_maps import IGNORED


@dataclass(frozen=True)
class ClickedSample:
    """One sample with its initial clicks; ``image`` and ``labels`` as in ``Batch``, without B."""

    image: Tensor
    labels: Tensor
    clicks: ClickSet
    sample_id: str
    number: int


@dataclass(frozen=True)
class Batch:
    """B samples of one size.

    ``images`` is B×3×H×W uint8 RGB; ``labels`` is B×H×W int16: object index, −1 background,
    −2 ignored. ``numbers`` are the samples' numbers in the whole run; they seed all
    randomness about the samples.
    """

    images: Tensor
    labels: Tensor
    clicks: tuple[ClickSet, ...]
    sample_ids: tuple[str, ...]
    numbers: tuple[int, ...]

    @classmethod
    def stack(cls, samples: Sequence[ClickedSample]) -> "Batch":
        """Stack samples of one size."""
        return cls(
            images=torch.stack([sample.image for sample in samples]),
            labels=torch.stack([sample.labels for sample in samples]),
            clicks=tuple(sample.clicks for sample in samples),
            sample_ids=tuple(sample.sample_id for sample in samples),
            numbers=tuple(sample.number for sample in samples),
        )

    def to(self, device: torch.device) -> "Batch":
        """Return the batch with its tensors on ``device``."""
        return replace(
            self,
            images=self.images.to(device),
            labels=self.labels.to(device),
        )

    def channels_last(self) -> "Batch":
        """Return the batch with the images' channels last in memory."""
        return replace(self, images=self.images.contiguous(memory_format=torch.channels_last))


def add_initial_clicks(
    sample: Sample,
    rng: np.random.Generator,
    number: int,
    stray: float = 0.0,
    jitter: float = 0.0,
) -> ClickedSample:
    """Draw the initial clicks of a sample (docs/network.md, 10)."""
    clicks = initial_clicks(sample.label_map, len(sample.labels), rng, ~sample.ignore, stray)
    labels = np.where(sample.ignore, IGNORED, sample.label_map).astype(np.int16)
    clicks = jittered(clicks, labels, jitter, rng)
    image = np.ascontiguousarray(sample.image.transpose(2, 0, 1))
    return ClickedSample(
        torch.from_numpy(image), torch.from_numpy(labels), clicks, sample.sample_id, number
    )


@dataclass(frozen=True)
class SampleRecipe:
    """What the samples of a stage are made from; it is pickled for the loader processes."""

    mixture: Mixture
    augment: AugmentConfig
    seed: int
    stray_clicks: float = 0.0
    click_jitter: float = 0.0


class _ClickedSamples(Dataset[ClickedSample]):
    def __init__(self, recipe: SampleRecipe) -> None:
        self._recipe = recipe
        self._samples: TrainingSamples | None = None

    def __getitem__(self, number: int) -> ClickedSample:
        recipe = self._recipe
        if self._samples is None:
            self._samples = TrainingSamples(recipe.mixture, recipe.augment, recipe.seed)
        sample, rng = self._samples.get(number)
        return add_initial_clicks(sample, rng, number, recipe.stray_clicks, recipe.click_jitter)


def batches(
    recipe: SampleRecipe, numbers: Sequence[Sequence[int]], workers: int
) -> Iterator[Batch]:
    """Yield one batch per list of sample numbers.

    Loader processes are spawned, not forked, because a fork of a process with threads can hang.
    They end with this process, however it ends.

    Args:
        recipe: what the samples are made from.
        numbers: for each batch, the numbers of its samples.
        workers: number of loader processes; 0 prepares the samples in this process.
    """
    loader = DataLoader(
        _ClickedSamples(recipe),
        batch_sampler=[list(batch) for batch in numbers],
        num_workers=workers,
        collate_fn=Batch.stack,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=partial(_start_worker, os.getpid()) if workers else None,
    )
    return iter(loader)


def _start_worker(parent: int, _worker: int) -> None:
    die_with_parent(parent)  # torch's own check hangs on unread batches
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
