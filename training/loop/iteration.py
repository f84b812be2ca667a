"""One training iteration: encode once, simulate rounds of clicks, compute the losses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from dynamite import ClickSet
from dynamite.network.model import DynaMITE, FeatureMaps
from dynamite.network.prediction import Prediction
from dynamite.network.queries import PackedClicks
from training.click_jitter import jittered
from training.click_simulation import corrective_clicks
from training.config import TrainingConfig
from training.loop.batches import Batch
from training.loop.distributed import Processes
from training.loop.drop_path import draw_by_sample
from training.loop.randomness import Purpose, generator, torch_generator
from training.losses.object_maps import IGNORED, label_maps, merge_images
from training.losses.segmentation import Losses, segmentation_losses


@dataclass(frozen=True)
class Outcome:
    """The losses of an iteration, and its last clicks and predictions.

    ``maps`` holds for each image the maps of its objects and, last, of the background
    (N + 1, h, w).
    """

    losses: Losses
    clicks: tuple[ClickSet, ...]
    maps: tuple[Tensor, ...]

    def label_maps(self, size: tuple[int, int]) -> list[Tensor]:
        """Return the predicted label map of each image at ``size`` (H, W)."""
        return label_maps(self.maps, size)


class Iteration(nn.Module):
    """The network with the simulated annotator that it is trained with (docs/network.md, 10).

    It is a module because ``DistributedDataParallel`` hooks into ``forward``.
    """

    def __init__(self, model: DynaMITE, config: TrainingConfig, processes: Processes) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.processes = processes
        self.drop_paths = draw_by_sample(model)

    def forward(self, batch: Batch, rounds: int) -> Outcome:
        """Compute the losses after ``rounds`` rounds of corrective clicks.

        Gradients flow from the last prediction, or from those of all rounds
        (``supervised_rounds``), to the whole network.
        """
        self._seed_drop_paths(batch)
        maps = self.model.encode(self.model.normalize(batch.images))
        return self.answer(maps, batch, rounds)

    def answer(self, maps: FeatureMaps, batch: Batch, rounds: int) -> Outcome:
        """Compute the losses from the features of the batch's images; otherwise as ``forward``."""
        clicks = batch.clicks
        rngs = [generator(self.config.seed, Purpose.CORRECTIONS, n) for n in batch.numbers]
        every_round = self.config.supervised_rounds == "all"
        losses: list[Losses] = []
        for done in range(rounds):
            packed = self._pack(clicks)
            with torch.set_grad_enabled(every_round):
                prediction = self.model.interact(maps, packed)
                if every_round:
                    layers = supervised_maps(prediction, clicks)
                    losses.append(self._losses(layers, batch, clicks, done))
            with torch.no_grad():
                decisions = self.model.decide(prediction, packed)
                maps_seen = [one.object_maps() for one in decisions]
                jitter = self.config.data.click_jitter
                corrected = correct(maps_seen, batch, clicks, rngs, jitter)
            only_first = self.config.corrected_images == "first"
            clicks = (corrected[0], *clicks[1:]) if only_first else corrected
        if rounds and torch.is_autocast_enabled(batch.images.device.type):
            # Weights cast under no_grad are cached without history and would get no gradient.
            torch.clear_autocast_cache()
        auxiliary = self.config.loss.auxiliary_weight > 0
        prediction = self.model.interact(maps, self._pack(clicks), auxiliary=auxiliary)
        layers = supervised_maps(prediction, clicks)
        losses.append(self._losses(layers, batch, clicks, rounds))
        total = torch.stack([one.total for one in losses]).mean()
        final = torch.split(layers[-1].detach(), [len(one.objects) + 1 for one in clicks])
        return Outcome(replace(losses[-1], total=total), clicks, final)

    def _seed_drop_paths(self, batch: Batch) -> None:
        seed, cpu = self.config.seed, torch.device("cpu")
        generators = [torch_generator(seed, Purpose.NETWORK, n, device=cpu) for n in batch.numbers]
        for path in self.drop_paths:
            path.generators = generators

    def _pack(self, clicks: Sequence[ClickSet]) -> PackedClicks:
        """Pack clicks with equal padding in all processes: it takes part in attention."""
        longest = max(map(len, clicks))
        spare = self.processes.maximum(longest) - longest + self.model.bootstrapper.extra
        return PackedClicks.pack(clicks, self.processes.device, extra=spare)

    def _losses(
        self, layers: Sequence[Tensor], batch: Batch, clicks: Sequence[ClickSet], done: int
    ) -> Losses:
        """Compute the losses of a prediction made after ``done`` rounds of corrections."""
        device = batch.labels.device
        objects = [len(one.objects) for one in clicks]
        number = torch.tensor(float(sum(objects) + len(objects)), device=device)
        seed = self.config.seed
        return segmentation_losses(
            layers,
            objects,
            batch.labels,
            self.config.loss,
            [torch_generator(seed, Purpose.POINTS, n, done, device=device) for n in batch.numbers],
            maps=self.processes.mean(number),
        )


def supervised_maps(prediction: Prediction, clicks: Sequence[ClickSet]) -> list[Tensor]:
    """Return the maps Mhw of every prediction, the final one last, for ``segmentation_losses``."""
    counts = [[len(own) for own in one.objects] for one in clicks]
    if prediction.refined is None:
        final = merge_images(prediction.logits_BQhw.float(), counts)
    else:
        final = torch.cat(prediction.refined)
    return [*(merge_images(logits.float(), counts) for logits in prediction.auxiliary), final]


def correct(
    maps: Sequence[Tensor],
    batch: Batch,
    clicks: Sequence[ClickSet],
    rngs: Sequence[np.random.Generator],
    jitter: float = 0.0,
) -> tuple[ClickSet, ...]:
    """Add corrective clicks for each image of the batch, based on what a person would see.

    Args:
        maps: for each image, the maps of its objects and, last, of the background (N + 1, h, w).
        batch: the targets.
        clicks: the clicks so far, one set per image.
        rngs: one generator per image.
        jitter: how far the new clicks fall beside their pixels, in pixels.
    """
    predictions = label_maps(maps, (batch.labels.shape[1], batch.labels.shape[2]))
    corrected = []
    for predicted, labels, one, rng in zip(predictions, batch.labels, clicks, rngs, strict=True):
        target = labels.cpu().numpy()
        seen = predicted.to(torch.int16).cpu().numpy()
        more = corrective_clicks(seen, target, one, rng, target != IGNORED)
        corrected.append(jittered(more, target, jitter, rng, since=one.latest_time + 1))
    return tuple(corrected)
