from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamite
from dynamite import Click, ClickSet, ImageFeatures, InvalidInputError, Predictor
from dynamite.network.config import PRESETS, Resize
from dynamite.network.model import DynaMITE
from dynamite.predict.image_ops import to_tensor
from tests.dynamite.golden import make_image
from tests.dynamite.query_logits import query_logits

CLICKS = ClickSet([[Click(20, 16, 0)], [Click(60, 30, 1), Click(62, 40, 3)]], [Click(4, 5, 2)])


@pytest.fixture(scope="module")
def predictor(lite: DynaMITE) -> Predictor:
    return Predictor(lite, resize=None)


@pytest.fixture(scope="module")
def features(predictor: Predictor) -> ImageFeatures:
    return predictor.encode(make_image(64, 96))


def test_a_result_has_the_promised_shapes(predictor: Predictor, features: ImageFeatures) -> None:
    result = predictor.segment(features, CLICKS)
    assert result.label_map.shape == (64, 96)
    assert result.label_map.dtype == np.int16
    assert result.masks.shape == (2, 64, 96)
    assert result.masks.dtype == np.bool_
    assert result.scores.shape == (2,)
    assert set(np.unique(result.label_map)) <= {-1, 0, 1}


def test_masks_are_disjoint_and_are_the_label_map(
    predictor: Predictor, features: ImageFeatures
) -> None:
    result = predictor.segment(features, CLICKS)
    assert result.masks.sum(axis=0).max() <= 1
    assert (result.masks.any(axis=0) == (result.label_map >= 0)).all()


def test_an_encode_pauses_for_work_that_changes_neither(
    predictor: Predictor, features: ImageFeatures
) -> None:
    image, count = make_image(64, 96), 0
    seen: list[Any] = []

    def pause() -> None:
        nonlocal count
        count += 1
        if count == 20:
            seen.append(predictor.segment(features, CLICKS))
            seen.append(predictor.encode(image, pause=pause))

    paused = predictor.encode(image, pause=pause)
    assert count > 50
    segmented, encoded = seen
    assert (segmented.label_map == predictor.segment(features, CLICKS).label_map).all()
    for one in (paused, encoded):
        assert torch.equal(one.maps.mask_features, features.maps.mask_features)
    before = count
    predictor.encode(image)
    assert count == before  # the network is as it was


@settings(deadline=None, max_examples=15)
@given(height=st.integers(2, 80), width=st.integers(2, 80))
def test_any_size_comes_back_as_it_was(predictor: Predictor, height: int, width: int) -> None:
    image = make_image(height, width)
    result = predictor.segment(predictor.encode(image), ClickSet([[Click(1, 1)]]))
    assert result.label_map.shape == (height, width)


@settings(deadline=None, max_examples=10)
@given(order=st.permutations([0, 1, 2, 3]))
def test_the_order_of_objects_does_not_matter(
    predictor: Predictor, features: ImageFeatures, order: list[int]
) -> None:
    objects = [[Click(10 + 20 * i, 8 + 14 * i, i)] for i in range(4)]
    straight = predictor.segment(features, ClickSet(objects))
    shuffled = predictor.segment(features, ClickSet([objects[i] for i in order]))
    assert (shuffled.masks != straight.masks[order]).mean() <= 1e-3


def test_a_click_made_again_changes_nothing(predictor: Predictor, features: ImageFeatures) -> None:
    again = [Click(4.5, 5.5, time) for time in range(3, 300)]
    repeated = ClickSet(CLICKS.objects, [*CLICKS.background, *again])
    answer, once = (predictor.segment(features, clicks) for clicks in (repeated, CLICKS))
    assert predictor.effective_clicks(repeated) == CLICKS
    assert (answer.label_map == once.label_map).all()
    assert (answer.scores == once.scores).all()


def test_the_published_networks_see_every_click_as_in_the_authors_code() -> None:
    model = dynamite.load("lite", random_weights=True, enforce_clicks=False)
    predictor = Predictor(model, resize=None)
    repeated = ClickSet([[Click(4, 5, 0), Click(4, 5, 1)]])
    (logits,) = query_logits(predictor, [predictor.encode(make_image(64, 96))], [repeated])
    assert len(logits) == 2 + 9


def test_an_image_is_asked_for_at_another_size(
    predictor: Predictor, features: ImageFeatures
) -> None:
    assert predictor.segment(features, CLICKS, output_size=(31, 47)).label_map.shape == (31, 47)


def test_lists_give_lists(predictor: Predictor) -> None:
    """Nothing in this project passes lists, but the library's documentation promises them."""
    images = [make_image(64, 96), make_image(40, 50)]
    features = predictor.encode(images)
    few = ClickSet([[Click(10, 10)]])
    results = predictor.segment(features, [CLICKS, few])
    assert [r.label_map.shape for r in results] == [(64, 96), (40, 50)]
    assert [len(r.scores) for r in results] == [2, 1]
    logits = query_logits(predictor, features, [CLICKS, few])
    assert [len(one) for one in logits] == [4 + 9] * 2, "padded to the clicks of the other image"


def test_a_list_of_one_gives_a_list_of_one(predictor: Predictor) -> None:
    """Promised by the documentation: the type of the answer follows the type of the argument."""
    (features,) = predictor.encode([make_image(64, 96)])
    (result,) = predictor.segment([features], [CLICKS])
    alone = predictor.segment(features, CLICKS)
    assert (result.label_map == alone.label_map).all()
    assert (result.scores == alone.scores).all()


def test_the_image_that_pads_no_other_is_answered_as_alone(predictor: Predictor) -> None:
    image = make_image(64, 96)
    together = predictor.segment(predictor.encode([image, image]), [CLICKS, CLICKS])
    alone = predictor.segment(predictor.encode(image), CLICKS)
    assert np.abs(together[1].scores - alone.scores).max() < 1e-3
    assert (together[1].label_map != alone.label_map).mean() < 1e-3


def test_the_model_says_what_size_it_wants(lite: DynaMITE) -> None:
    assert Predictor(lite).resize == lite.config.resize
    assert Predictor(lite, resize=None).resize is None
    small = Predictor(lite, resize=Resize(64, 64)).encode(make_image(128, 256))
    assert small.input_size == (32, 64)
    assert small.image_size == (128, 256)


BAD_IMAGES: list[tuple[Any, str]] = [
    ([[1, 2], [3, 4]], "numpy array, not"),
    (np.zeros((8, 8), np.uint8), r"\(8, 8\)"),
    (np.zeros((8, 8, 4), np.uint8), r"\(8, 8, 4\)"),
    (np.zeros((0, 8, 3), np.uint8), "8×0"),
    (np.zeros((1, 1, 3), np.uint8), "1×1"),
    (np.zeros((8, 8, 3), np.uint16), "uint16"),
    (np.full((8, 8, 3), np.nan), "float64 and it holds values that are not finite"),
]


@pytest.mark.parametrize(("image", "message"), BAD_IMAGES)
def test_a_bad_image_is_refused_with_what_is_wrong(
    predictor: Predictor, image: Any, message: str
) -> None:
    image = image[0] if isinstance(image, list) else image
    with pytest.raises(InvalidInputError, match=message):
        predictor.encode(image)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, f: p.segment(f, ClickSet([[Click(96, 3)]])), r"x=96, y=3.*96×64"),
        (lambda p, f: p.segment([f], [CLICKS, CLICKS]), "1 images and 2 click sets"),
        (lambda p, f: p.segment([], []), "0 images"),
        (lambda p, f: p.encode([]), "no image"),
        (lambda p, f: p.segment(f, CLICKS, output_size=(0, 5)), r"\(0, 5\)"),
        (lambda p, f: p.segment(f, CLICKS, output_size=(10**7, 10**7)), "over the limit of 536870"),
        (lambda p, f: p.segment(None, CLICKS), "features must be ImageFeatures, not None"),
        (lambda p, f: p.segment(f.maps, CLICKS), "features must be ImageF.* of type FeatureMaps"),
        (lambda p, f: p.segment(make_image(9, 9), CLICKS), "must be ImageF.*, not of type ndarray"),
        (lambda p, f: p.segment(f, None), "clicks must be ClickSet, not None"),
        (lambda p, f: p.segment(f, [[Click(1, 1)]]), "clicks must be ClickSet, not of type list"),
        (lambda p, f: p.segment(f.to("meta"), CLICKS), "are on meta, the model on cpu: move"),
        (lambda p, f: Predictor("lite"), "the model of a Predictor must be DynaMITE, not 'lite'"),
        (lambda p, f: Predictor(p.model, 64), "resize must be Resize, not 64"),
        (lambda p, f: Predictor(p.model, (64, 64)), "resize must be Resize, not of type tuple"),
    ],
)
def test_a_bad_call_is_refused_with_what_is_wrong(
    predictor: Predictor,
    features: ImageFeatures,
    call: Callable[[Any, Any], object],
    message: str,
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        call(predictor, features)


@pytest.mark.parametrize(
    "size",
    [5, (), (5,), (1, 2, 3), (10.5, 3), (10.0, 3.0), (np.nan, 3), ("10", "20"), [(7, 9), (3, 4)]],
)
def test_an_output_size_is_two_whole_numbers(
    predictor: Predictor, features: ImageFeatures, size: Any
) -> None:
    with pytest.raises(InvalidInputError, match=r"output_size=.* must be \(height, width\)"):
        predictor.segment(features, CLICKS, output_size=size)


@pytest.mark.parametrize("given", [[64, 96], np.array([64, 96]), (np.int64(64), torch.tensor(96))])
def test_the_own_size_is_the_own_size_however_it_is_given(
    predictor: Predictor, features: ImageFeatures, given: Any
) -> None:
    result = predictor.segment(features, CLICKS, output_size=given)
    assert (result.label_map == predictor.segment(features, CLICKS).label_map).all()


def test_a_read_only_image_is_copied_as_torch_could_write_to_it() -> None:
    image = make_image(40, 50)
    image.flags.writeable = False
    tensor = to_tensor(image, torch.device("cpu"))
    assert not np.shares_memory(tensor.numpy(), image)
    assert (tensor.permute(1, 2, 0).numpy() == image).all()


def test_features_of_another_model_are_refused(features: ImageFeatures) -> None:
    other = dynamite.load("lite", random_weights=True, encoder_layers=5)
    with pytest.raises(InvalidInputError, match="encode the image again"):
        Predictor(other).segment(features, CLICKS)


def test_features_of_different_sizes_make_no_batch(
    predictor: Predictor, features: ImageFeatures
) -> None:
    small = predictor.encode(make_image(32, 32))
    with pytest.raises(InvalidInputError, match="in one call"):
        predictor.segment([features, small], [CLICKS, ClickSet([[Click(1, 1)]])])


@pytest.mark.parametrize(
    ("name", "overrides"),
    [(name, {}) for name in sorted(set(PRESETS) - {"swin_large"})]
    + [
        ("lite", {"decoder_layers": 1}),
        ("lite", {"decoder_layers": 1, "decoder_stride": 4}),
        ("lite", {"static_background_queries": 0}),
        ("lite", {"click_encoding": "temporal"}),
        ("lite", {"click_encoding": "spatial"}),
        ("lite", {"click_encoding": "none"}),
        ("lite", {"relative_positions": False, "object_attention": False}),
        ("lite", {"deformable_layers": 1, "deformable_feedforward": 32}),
    ],
)
def test_every_preset_and_switch_answers(name: str, overrides: dict[str, Any]) -> None:
    predictor = Predictor(dynamite.load(name, random_weights=True, **overrides), resize=None)
    features = predictor.encode(make_image(64, 96))
    assert predictor.segment(features, CLICKS).label_map.shape == (64, 96)
    assert np.isfinite(query_logits(predictor, [features], [CLICKS])).all()


def test_without_static_queries_there_is_still_a_background() -> None:
    model = dynamite.load("lite", random_weights=True, static_background_queries=0)
    predictor = Predictor(model, resize=None)
    features = predictor.encode(make_image(64, 96))
    (logits,) = query_logits(predictor, [features], [ClickSet([[Click(5, 5)]])])
    assert len(logits) == 2


def test_half_precision_gives_nearly_the_same_masks_from_the_same_features() -> None:
    full = dynamite.load("lite", random_weights=True, decoder_layers=2)
    half = dynamite.load("lite", random_weights=True, decoder_layers=2, dtype=torch.bfloat16)
    assert half.version == full.version
    features = Predictor(full, resize=None).encode(make_image(128, 160))
    masks = [Predictor(m, resize=None).segment(features, CLICKS).masks for m in (full, half)]
    assert (masks[0] != masks[1]).mean() < 0.005
    assert half.mask_decoder.product_dtype == torch.bfloat16
