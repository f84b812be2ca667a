import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config import LossConfig
from training.losses.object_maps import BACKGROUND, IGNORED, MapIndex, label_maps, merge_images
from training.losses.point_sampling import (
    choose_points,
    neighbourhoods,
    sample_logits,
    sample_targets,
)
from training.losses.segmentation import point_losses, segmentation_losses, size_weights

CPU = torch.device("cpu")


def generators(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(i) for i in range(count)]


def test_point_losses_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0), -math.log(3.0), 50.0]])  # p = 1/2 3/4 1/4 1
    target = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    weight = torch.tensor([[1.0, 1.0, 1.0, 0.0]])  # the hopeless last point does not count
    mask, dice = point_losses(logits, target, weight)
    assert mask.item() == pytest.approx((math.log(2) - 2 * math.log(0.75)) / 3)
    assert dice.item() == pytest.approx(1 - (2 * 1.25 + 1) / (1.5 + 2 + 1))


def test_no_counted_point_costs_nothing() -> None:
    mask, dice = point_losses(torch.full((1, 3), 9.0), torch.zeros(1, 3), torch.zeros(1, 3))
    assert mask.item() == dice.item() == 0


def test_objects_are_the_maximum_of_their_clicks_and_the_rest_is_background() -> None:
    logits = torch.arange(6.0).flip(0).view(1, 6, 1, 1)  # 5 4 3 2 1 0
    logits[0, 1] = 7
    maps = merge_images(logits, [[2, 1]])
    assert maps.flatten().tolist() == [7, 3, 2]


def test_the_order_of_maps_is_that_of_their_index() -> None:
    index = MapIndex.of([2, 1], CPU)
    assert index.image.tolist() == [0, 0, 0, 1, 1]
    assert index.label.tolist() == [0, 1, BACKGROUND, 0, BACKGROUND]


def test_label_maps_of_merged_logits() -> None:
    maps = torch.full((3, 2, 2), -1.0)
    maps[0, 0] = 5  # object 0: the upper half
    maps[1, 1, 0] = 5  # object 1: lower left
    maps[2, 1, 1] = 5  # the background: lower right
    (labels,) = label_maps([maps], (4, 4))
    assert labels[0].tolist() == [0, 0, 0, 0]
    assert labels[3].tolist() == [1, 1, BACKGROUND, BACKGROUND]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 9), st.integers(3, 9))
def test_targets_are_the_bilinear_samples_of_binary_masks(
    seed: int, height: int, width: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, 2, (2, height, width), generator=generator, dtype=torch.int16)
    index = MapIndex.of([2, 2], CPU)
    points = torch.rand(1, len(index), 40, 2, generator=generator)
    target, weight = sample_targets(labels, index, points)
    masks = torch.stack(
        [labels[b] == n for b, n in zip(index.image, index.label, strict=True)]
    ).float()
    torch.testing.assert_close(target[0], sample_logits(masks, points[0]), atol=1e-5, rtol=0)
    assert bool((weight == 1).all())


def test_points_that_touch_ignored_pixels_do_not_count() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.int16)
    labels[0, :, 2:] = IGNORED
    middles = torch.tensor([0.5, 1.4, 1.6, 2.5, 3.5]) / 4
    points = torch.stack((middles, torch.full((5,), 0.4)), -1).expand(1, 2, -1, -1)
    _, weight = sample_targets(labels, MapIndex.of([1], CPU), points)
    assert weight[0, 0].tolist() == [1, 1, 0, 0, 0]


def test_points_gather_where_logits_are_unsure() -> None:
    maps = torch.full((1, 2, 8, 8), 9.0)
    maps[..., :2] = 0.01  # a quarter of the width is unsure
    labels = torch.zeros(1, 32, 32, dtype=torch.int16)
    config = LossConfig(points=400, importance=0.75)
    points = choose_points(maps, labels, MapIndex.of([1], CPU), config, generators(1))
    assert points.shape == (1, 2, 400, 2)
    unsure = (points[..., 0] < 0.3125).float().mean().item()
    assert 0.75 <= unsure < 0.95


def test_points_gather_around_a_small_object_where_asked() -> None:
    labels = torch.full((1, 100, 200), BACKGROUND)
    labels[0, 10:20, 50:90] = 0
    index, flat = MapIndex.of([1], CPU), torch.zeros(1, 2, 25, 50)
    shares = []
    for near in (0.0, 0.5):
        config = LossConfig(points=4000, near=near, importance=0)
        points = choose_points(flat, labels, index, config, generators(1))
        assert 0 <= points.min() <= points.max() <= 1
        x, y = points[0, 0, :, 0] * 200, points[0, 0, :, 1] * 100
        shares.append(((x >= 30) & (x <= 110) & (y >= 5) & (y <= 25)).float().mean())
    assert shares[0] == pytest.approx(0.08, abs=0.02)
    assert shares[1] == pytest.approx(0.54, abs=0.03)


@pytest.mark.parametrize(
    ("label", "corner", "size"),
    [
        (0, [0.15, 0.05], [0.4, 0.2]),  # half as much again on every side
        (1, [0.0, 0.0], [0.15, 0.2]),  # cut at the border
        (BACKGROUND, [0.0, 0.0], [1.0, 1.0]),
        (2, [0.0, 0.0], [1.0, 1.0]),  # without a pixel
    ],
)
def test_neighbourhoods(label: int, corner: list[float], size: list[float]) -> None:
    labels = torch.full((1, 100, 200), BACKGROUND)
    labels[0, 10:20, 50:90] = 0
    labels[0, 5:15, :20] = 1
    found = neighbourhoods(labels, MapIndex(torch.tensor([0]), torch.tensor([label])))
    assert found[0][0, 0].tolist() == pytest.approx(corner)
    assert found[1][0, 0].tolist() == pytest.approx(size)


def test_judged_by_their_lead_maps_learn_from_their_rivals() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    logits = torch.stack((torch.full((64, 64), 3.0), torch.full((64, 64), 5.0)))[None]
    own, lead = (
        segmentation_losses(
            logits,
            [1],
            labels,
            LossConfig(points=512, importance=0, margins=margins),
            generators(1),
            maps=torch.tensor(2.0),
        )
        for margins in (False, True)
    )
    assert own.mask.item() == pytest.approx((math.log1p(math.exp(-3)) + 5) / 2, abs=0.1)
    assert lead.mask.item() == pytest.approx(2 + math.log1p(math.exp(-2)), abs=0.1)


def test_chosen_points_avoid_what_is_ignored() -> None:
    labels = torch.full((1, 32, 32), IGNORED, dtype=torch.int16)
    labels[:, :16] = 0
    config = LossConfig(points=100, importance=1.0)
    points = choose_points(
        torch.zeros(1, 2, 8, 8), labels, MapIndex.of([1], CPU), config, generators(1)
    )
    assert bool((points[..., 1] < 0.5).all())


def test_an_image_draws_the_same_points_in_any_batch() -> None:
    maps = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(2, 32, 32, dtype=torch.int16)
    config = LossConfig(points=50)
    both = choose_points(maps, labels, MapIndex.of([1, 1], CPU), config, generators(2))
    alone = choose_points(maps[:, 2:], labels[1:], MapIndex.of([1], CPU), config, generators(2)[1:])
    torch.testing.assert_close(both[:, 2:], alone, rtol=0, atol=0)


def one_loss(
    layers: Sequence[torch.Tensor] | torch.Tensor, labels: torch.Tensor, **changes: float
) -> tuple[float, ...]:
    config = LossConfig(points=200, **changes)  # type: ignore[arg-type]
    losses = segmentation_losses(layers, [1], labels, config, generators(1), maps=torch.tensor(2.0))
    return losses.total.item(), losses.mask.item(), losses.dice.item()


def test_total_is_the_weighted_sum_over_predictions() -> None:
    labels = torch.zeros(1, 16, 16, dtype=torch.int16)
    labels[:, :, 8:] = -1
    final = torch.zeros(1, 2, 4, 4)  # logit 0 everywhere: entropy log 2 wherever points fall
    total, mask, dice = one_loss(final, labels)
    assert mask == pytest.approx(math.log(2), rel=1e-4)
    assert total == pytest.approx(5 * mask + 5 * dice, rel=1e-5)
    three, mask_3, _ = one_loss(final.expand(3, -1, -1, -1), labels, mask_weight=1, dice_weight=0)
    assert mask_3 == pytest.approx(math.log(2), rel=1e-4)
    assert three == pytest.approx(3 * math.log(2), rel=1e-4)


def test_predictions_of_any_fineness_count_alike() -> None:
    labels = torch.zeros(1, 16, 16, dtype=torch.int16)
    labels[:, :, 8:] = -1
    ramp = torch.linspace(6, -6, 32).expand(32, 32)
    fine = torch.stack((ramp, -ramp))
    coarse = torch.nn.functional.avg_pool2d(fine[None], 2)[0]
    alike = one_loss([coarse, coarse], labels)
    assert one_loss([coarse, fine], labels) == pytest.approx(alike, rel=0.02)
    assert one_loss([coarse, fine.flip(2)], labels)[1] > 2 * alike[1]


def test_a_right_answer_costs_less_than_a_wrong_one() -> None:
    labels = torch.zeros(1, 16, 16, dtype=torch.int16)
    labels[:, :, 8:] = -1
    right = torch.full((1, 2, 4, 4), -8.0)
    right[0, 0, :, :2] = 8
    right[0, 1, :, 2:] = 8
    assert one_loss(right, labels)[0] < 4 < 20 < one_loss(-right, labels)[0]


def test_small_objects_count_more_and_the_background_as_ever() -> None:
    labels = torch.full((2, 128, 128), BACKGROUND)
    labels[0, :10, :10] = 0
    labels[0, 10:106, :96] = 1
    labels[1, :16, :64] = 0  # 32 pixels a side
    labels[1, 60:64] = IGNORED
    labels[1, 64:, :48] = 1  # between small and large
    index = MapIndex.of([2, 2], CPU)
    assert index.areas(labels).tolist() == [100, 9216, 16384 - 9316, 1024, 3072, 11776]
    weights = size_weights(index, labels, 3.0).tolist()
    assert weights[:4] == [3, 1, 1, 3]
    assert weights[4:] == pytest.approx([2.0, 1.0], abs=0.01)
    assert size_weights(index, labels, 1.0).tolist() == [1] * 6


def test_the_weight_of_small_objects_is_in_the_loss() -> None:
    labels = torch.full((1, 64, 64), BACKGROUND)
    labels[0, 8:24, 8:24] = 0
    maps = torch.zeros(2, 16, 16)

    def total(weight: float) -> float:
        config = LossConfig(points=64, small_objects=weight)
        found = segmentation_losses(
            [maps], [1], labels, config, generators(1), maps=torch.tensor(2)
        )
        return found.total.item()

    assert total(1.0) < total(2.0) < 2 * total(1.0)
