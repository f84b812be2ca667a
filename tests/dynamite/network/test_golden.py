"""The network against golden values made by the authors' code."""

from functools import cache

import numpy as np
import pytest
import torch

from dynamite.checkpoints.published import convert_state_dict
from dynamite.clicks import ClickSet
from dynamite.network.config import preset
from dynamite.network.model import DynaMITE
from dynamite.network.queries import PackedClicks
from dynamite.predict.features import ImageFeatures
from dynamite.predict.predictor import Predictor
from tests.dynamite.golden import (
    golden_clicks,
    golden_file,
    golden_image,
    golden_preset,
    golden_state_dict,
)
from tests.dynamite.query_logits import query_logits

OUTPUT_SIZES = {"A": (192, 256), "B": (225, 305)}

CASES = [
    (config, image, case)
    for config in ("swin_tiny", "resnet50")
    for image in "AB"
    for case in "abcd"
] + [("swin_tiny", "B", "e")]


@cache
def golden_model(config_name: str) -> DynaMITE:
    model = DynaMITE(preset(golden_preset(config_name)))
    model.load_state_dict(convert_state_dict(golden_state_dict(config_name), model))
    model.version = config_name
    return model.eval()


@cache
def golden_features(config_name: str, image: str) -> ImageFeatures:
    return Predictor(golden_model(config_name), resize=None).encode(golden_image(image))


def clicks_of(image: str, case: str) -> ClickSet:
    return golden_clicks(case, *golden_image(image).shape[:2])[0]


def stats(maps: torch.Tensor) -> np.ndarray:
    """Rows: mean, population standard deviation, mean absolute value; columns: channels."""
    flat = maps.double().flatten(1)
    return torch.stack((flat.mean(1), flat.std(1, correction=0), flat.abs().mean(1))).numpy()


def assert_close(ours: object, golden: np.ndarray, tolerance: float) -> None:
    ours = np.asarray(ours)
    assert ours.shape == golden.shape
    assert np.abs(ours - golden).max() <= tolerance


@pytest.mark.parametrize("config", ["swin_tiny", "resnet50"])
@pytest.mark.parametrize("image", ["A", "B"])
def test_features_are_the_published_ones(config: str, image: str) -> None:
    golden = golden_file(f"{config}_{image}_features")
    features = golden_features(config, image)
    assert features.maps.padded_size == tuple(golden["padded_size"])
    assert features.input_size == tuple(golden["input_size"])
    for name, ours in [
        ("mask_features", features.maps.mask_features),
        *((f"multi_scale_{level}", features.maps.levels[level]) for level in range(3)),
    ]:
        assert_close(ours[0, ::16], golden[name], 1e-4)
        assert_close(stats(ours[0]), golden[f"{name}_stats"], 1e-4)


@pytest.mark.parametrize(("config", "image", "case"), CASES)
@torch.inference_mode()
def test_interaction_is_the_published_one(config: str, image: str, case: str) -> None:
    golden = golden_file(f"{config}_{image}_{case}")
    model, features = golden_model(config), golden_features(config, image)
    clicks = clicks_of(image, case)
    compare_internals(model, features, clicks, golden)

    predictor = Predictor(model, resize=None)
    result = predictor.segment(features, clicks, output_size=OUTPUT_SIZES[image])
    (logits,) = query_logits(predictor, [features], [clicks])
    compare_result(logits, result.masks, golden)


def compare_internals(
    model: DynaMITE, features: ImageFeatures, clicks: ClickSet, golden: dict[str, np.ndarray]
) -> None:
    maps = features.maps
    packed = PackedClicks.pack([clicks])
    position = packed.coords_BK2 / torch.tensor(maps.padded_size)
    described = model.bootstrapper.point_descriptors(maps.levels, position)
    assert_close(described[0], golden["point_descriptors"], 1e-4)
    queries = model.bootstrapper(maps.levels, packed, maps.padded_size)
    assert_close(queries.content_BQC[0], golden["queries_initial"], 1e-4)
    assert_close(queries.position_BQC[0], golden["query_pos"], 1e-4)

    kept = []

    def allowed(content: torch.Tensor, level: int) -> torch.Tensor:
        mask = model.attention_mask(model.head(content, None), maps.pooled[level])
        kept.append(mask[0].sum(dim=-1).numpy())
        return mask

    contents = model.instance_encoder(queries, maps.memory, allowed)
    assert_close(contents[-1][0], golden["queries_final"], 1e-4)
    if "queries_per_layer" in golden:
        assert_close(torch.stack(contents[1:])[:, 0], golden["queries_per_layer"], 1e-4)
    assert_close(np.stack(kept), golden["attn_keep_count"], 3)

    auxiliary = model.interact(maps, packed, auxiliary=True).auxiliary
    for ours, expected in zip(auxiliary, golden["aux_logits_stats"], strict=False):
        assert_close(stats(ours[0]).T, expected, 1e-3)


def compare_result(
    logits: np.ndarray, masks: np.ndarray, golden: dict[str, np.ndarray], prefix: str = ""
) -> None:
    assert_close(logits[:, ::2, ::2], golden[prefix + "mask_logits"], 1e-3)
    assert_close(stats(torch.from_numpy(logits)).T, golden[prefix + "mask_logits_stats"], 1e-3)
    shape = tuple(golden[prefix + "object_masks_shape"])
    assert masks.shape == shape
    packed = golden[prefix + "object_masks"]
    expected = np.unpackbits(packed, axis=1, count=shape[1] * shape[2]).reshape(shape)
    assert (masks != expected).mean() <= 1e-3


def test_batch_with_different_numbers_of_clicks_is_the_published_one() -> None:
    golden = golden_file("swin_tiny_batch")
    predictor = Predictor(golden_model("swin_tiny"), resize=None)
    features = predictor.encode([golden_image("A"), golden_image("B")])
    assert features[1].maps.padded_size == tuple(golden["padded_size"])
    clicks = [clicks_of("A", "c"), clicks_of("B", "b")]
    for index, (one, own) in enumerate(zip(features, clicks, strict=True)):
        assert one.input_size == golden_image("AB"[index]).shape[:2]
        assert own.latest_time == golden[f"{index}/max_timestamp"]
    logits = query_logits(predictor, features, clicks)
    for index in (0, 1):
        size = tuple(golden[f"{index}/output_size"])
        results = predictor.segment(features, clicks, output_size=size)
        compare_result(logits[index], results[index].masks, golden, f"{index}/")
