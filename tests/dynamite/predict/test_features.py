from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dynamite import Click, ClickSet, ImageFeatures, InvalidInputError, Predictor
from dynamite.network.model import DynaMITE, FeatureMaps
from tests.dynamite.golden import make_image

CLICKS = ClickSet([[Click(20, 16, 0)]], [Click(4, 5, 1)])


def test_features_survive_a_file(lite: DynaMITE, tmp_path: Path) -> None:
    predictor = Predictor(lite, resize=None)
    features = predictor.encode(make_image(40, 70))
    features.save(tmp_path / "features.safetensors")
    back = ImageFeatures.load(tmp_path / "features.safetensors")
    assert (back.image_size, back.input_size) == ((40, 70), (40, 70))
    assert back.model_version == lite.version
    assert back.nbytes == features.nbytes
    first, second = predictor.segment(features, CLICKS), predictor.segment(back, CLICKS)
    assert (first.label_map == second.label_map).all()
    assert (first.scores == second.scores).all()


def test_every_map_is_saved(lite: DynaMITE, tmp_path: Path) -> None:
    def tensors(value: Any) -> list[torch.Tensor]:
        if isinstance(value, torch.Tensor):
            return [value]
        return [tensor for one in value for tensor in tensors(one)]

    features = Predictor(lite, resize=None).encode(make_image(40, 70))
    features.save(tmp_path / "features.safetensors")
    back = ImageFeatures.load(tmp_path / "features.safetensors")
    for field in fields(FeatureMaps):
        before, after = (getattr(one.maps, field.name) for one in (features, back))
        for one, other in zip(tensors(before), tensors(after), strict=True):
            assert torch.equal(one, other), field.name
    assert features.picture is not None
    assert back.picture is not None
    assert (back.picture == features.picture).all()
    assert back.picture.dtype == np.uint8


def test_their_size_is_that_of_their_tensors(lite: DynaMITE) -> None:
    maps = Predictor(lite, resize=None).encode(make_image(64, 96)).maps
    cells = 16 * 24
    channels = lite.config.hidden + 4
    assert maps.mask_features.nbytes == channels * cells * 4
    features = Predictor(lite, resize=None).encode(make_image(64, 96))
    assert features.nbytes > maps.mask_features.nbytes
    assert features.to("cpu").nbytes == features.nbytes


@pytest.mark.parametrize("content", [b"", b"not features", bytes(1000)])
def test_a_damaged_file_says_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"damaged\.safetensors"):
        ImageFeatures.load(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="nowhere"):
        ImageFeatures.load(tmp_path / "nowhere")


def test_other_tensors_are_not_features(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, tmp_path / "other")
    with pytest.raises(InvalidInputError, match="other"):
        ImageFeatures.load(tmp_path / "other")


def test_the_parts_of_a_batch_own_their_memory(lite: DynaMITE) -> None:
    """Dropping one image of a batch from a cache must free its memory."""
    image = make_image(32, 32)
    first, second = Predictor(lite, resize=None).encode([image, image])
    one, other = (each.maps.mask_features.untyped_storage() for each in (first, second))
    assert one.data_ptr() != other.data_ptr()
    assert first.maps.mask_features.untyped_storage().nbytes() == first.maps.mask_features.nbytes


def test_in_half_precision_they_are_half_as_large_and_nearly_the_same(lite: DynaMITE) -> None:
    predictor = Predictor(lite, resize=None)
    features = predictor.encode(make_image(64, 96))
    data = features.to_bytes(half=True)
    assert features.picture is not None
    whole = features.picture.nbytes  # is exact already
    assert len(data) < 0.5 * (features.nbytes - whole) + whole + 10_000
    back = ImageFeatures.from_bytes(data)
    maps, before = back.maps, features.maps
    assert maps.mask_features.dtype == torch.float32
    torch.testing.assert_close(maps.mask_features, before.mask_features, rtol=1e-3, atol=1e-3)
    scores = [predictor.segment(one, CLICKS).scores for one in (features, back)]
    np.testing.assert_allclose(*scores, atol=0.02)


@pytest.mark.parametrize("number", [1e6, -1e6, float("inf"), float("nan")])
def test_what_half_precision_cannot_hold_stays(lite: DynaMITE, number: float) -> None:
    features = Predictor(lite, resize=None).encode(make_image(32, 32))
    with torch.inference_mode():
        features.maps.levels[0][0, 0, 0, 0] = number
    back = ImageFeatures.from_bytes(features.to_bytes(half=True))
    assert torch.equal(back.maps.levels[0].nan_to_num(7), features.maps.levels[0].nan_to_num(7))
    assert not torch.equal(back.maps.mask_features, features.maps.mask_features)
