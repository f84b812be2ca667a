"""One training iteration: rounds, gradients and losses."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dynamite import load
from tests.training.tiny_run import TINY_MODEL, tiny_config, write_data
from training.config_files import from_dict
from training.loop import iteration as iteration_module
from training.loop.batches import batches
from training.loop.distributed import Processes
from training.loop.iteration import Iteration
from training.loop.sources import open_sources


@pytest.mark.parametrize(
    ("corrected_images", "corrected"), [("all", [True, True]), ("first", [True, False])]
)
def test_every_image_of_a_batch_is_corrected_unless_told_otherwise(
    tmp_path: Path, corrected_images: str, corrected: list[bool]
) -> None:
    config = from_dict(tiny_config(corrected_images=corrected_images))
    sources = open_sources(config.data, write_data(tmp_path))
    recipe = sources.recipe(config.data, replace(config.stages[0], crop=64), config.seed)
    (batch,) = batches(recipe, [range(2)], workers=0)
    torch.manual_seed(0)
    model = load("lite", random_weights=True, **TINY_MODEL)
    outcome = Iteration(model, config, Processes())(batch, rounds=2)
    pairs = zip(batch.clicks, outcome.clicks, strict=True)
    assert [len(after) > len(before) for before, after in pairs] == corrected


def test_drop_path_does_not_see_the_batch_a_sample_is_in(tmp_path: Path) -> None:
    config = from_dict(tiny_config())
    sources = open_sources(config.data, write_data(tmp_path))
    recipe = sources.recipe(config.data, replace(config.stages[0], crop=64), config.seed)
    model = load("segformer_b0", random_weights=True, **TINY_MODEL).train()
    iteration = Iteration(model, config, Processes())
    features: list[torch.Tensor] = []
    model.backbone.register_forward_hook(lambda _module, _inputs, maps: features.append(maps[-1]))
    for batch in batches(recipe, [range(4), range(2), range(2, 4)], workers=0):
        iteration(batch, rounds=0)
    whole, *halves = features
    assert torch.allclose(whole, torch.cat(halves), atol=1e-5)


def test_mixed_precision_leaves_the_pixel_decoder_in_float32() -> None:
    model = load("lite", random_weights=True, **TINY_MODEL)
    seen: dict[str, set[torch.dtype]] = {"backbone": set(), "pixel_decoder": set()}
    for name, module in model.named_modules():
        part = seen.get(name.split(".")[0])
        if part is not None and isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda _module, _inputs, output, part=part: part.add(output.dtype)
            )
    with torch.autocast("cpu", torch.bfloat16):
        model.encode(torch.rand(1, 3, 64, 64))
    assert seen == {"backbone": {torch.bfloat16}, "pixel_decoder": {torch.float32}}


def test_every_round_is_supervised_where_asked_for(tmp_path: Path) -> None:
    totals = {}
    for supervised in ("last", "all"):
        config = from_dict(tiny_config(supervised_rounds=supervised))
        sources = open_sources(config.data, write_data(tmp_path / supervised))
        recipe = sources.recipe(config.data, replace(config.stages[0], crop=64), config.seed)
        (batch,) = batches(recipe, [range(2)], workers=0)
        torch.manual_seed(0)
        model = load("lite", random_weights=True, **TINY_MODEL).train()
        iteration = Iteration(model, config, Processes())
        first = iteration(batch, rounds=0).losses
        totals[supervised] = float(iteration(batch, rounds=1).losses.total.detach())
    early = float(config.loss.mask_weight * first.mask + config.loss.dice_weight * first.dice)
    # An early round is judged by its final prediction alone, the last one by every layer's; the
    # points are drawn again, hence the tolerance.
    assert totals["all"] == pytest.approx((totals["last"] + early) / 2, rel=0.05)


def test_every_round_is_judged_at_points_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = from_dict(tiny_config(supervised_rounds="all"))
    sources = open_sources(config.data, write_data(tmp_path))
    recipe = sources.recipe(config.data, replace(config.stages[0], crop=64), config.seed)
    (batch,) = batches(recipe, [range(1)], workers=0)
    states: list[int] = []
    losses = iteration_module.segmentation_losses

    def note(
        layers: object,
        objects: object,
        labels: object,
        how: object,
        generators: list[torch.Generator],
        **more: object,
    ) -> object:
        states.append(generators[0].initial_seed())
        return losses(layers, objects, labels, how, generators, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(iteration_module, "segmentation_losses", note)
    Iteration(load("lite", random_weights=True, **TINY_MODEL), config, Processes())(batch, rounds=3)
    assert len(set(states)) == 4


def test_corrections_are_made_on_what_a_person_would_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = from_dict(tiny_config())
    sources = open_sources(config.data, write_data(tmp_path))
    recipe = sources.recipe(config.data, replace(config.stages[0], crop=64), config.seed)
    (batch,) = batches(recipe, [range(1)], workers=0)
    model = load("lite", random_weights=True, **TINY_MODEL)
    seen: list[torch.Tensor] = []

    def note(maps: list[torch.Tensor], _batch: object, clicks: object, *_: object) -> object:
        seen.extend(maps)
        return clicks

    monkeypatch.setattr("training.loop.iteration.correct", note)
    Iteration(model, config, Processes())(batch, rounds=1)
    (maps,) = seen
    (clicks,) = batch.clicks
    winner, stride = maps.argmax(0), 64 // maps.shape[1]
    found = [int(winner[int(c.y) // stride, int(c.x) // stride]) for c in clicks]
    assert found == [owner % len(maps) for owner in clicks.owners]
