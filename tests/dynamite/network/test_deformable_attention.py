"""The gathered form against grid_sample, per level and head (docs/network.md, 4)."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dynamite.network.deformable_attention import LEVELS, POINTS, DeformableAttention, Grid

SIZES = [(2, 3), (4, 6), (8, 12)]


def reference_points() -> Tensor:
    points = [((j + 0.5) / w, (i + 0.5) / h) for h, w in SIZES for i in range(h) for j in range(w)]
    return torch.tensor(points)


def attend_plainly(attention: DeformableAttention, query: Tensor, value: Tensor) -> Tensor:
    batch, tokens, channels = value.shape
    heads = attention.heads
    values = attention.value_proj(value).view(batch, tokens, heads, -1)
    offsets = attention.sampling_offsets(query).view(batch, tokens, heads, LEVELS, POINTS, 2)
    weights = attention.attention_weights(query).view(batch, tokens, heads, -1).softmax(-1)
    weights = weights.view(batch, tokens, heads, LEVELS, POINTS)
    total = torch.zeros(batch, tokens, heads, channels // heads)
    start = 0
    for level, (h, w) in enumerate(SIZES):
        level_values = values[:, start : start + h * w].unflatten(1, (h, w))
        start += h * w
        for head in range(heads):
            position = reference_points()[:, None] + offsets[:, :, head, level] / torch.tensor(
                [w, h]
            )
            image = level_values[:, :, :, head].permute(0, 3, 1, 2)
            sampled = grid_sample(image, position * 2 - 1, align_corners=False)
            share = weights[:, None, :, head, level]
            total[:, :, head] += (sampled * share).sum(-1).transpose(1, 2)
    return attention.output_proj(total.flatten(2))


def example() -> DeformableAttention:
    """An attention with offsets large enough to leave the maps."""
    torch.manual_seed(0)
    attention = DeformableAttention(32, 4)
    with torch.no_grad():
        attention.sampling_offsets.weight.normal_(std=0.5)
        attention.attention_weights.weight.normal_(std=0.5)
    return attention


def test_one_weighted_gathering_is_the_published_sampling() -> None:
    attention = example()
    tokens = sum(h * w for h, w in SIZES)
    query, value = torch.randn(2, tokens, 32), torch.randn(2, tokens, 32)
    grid = Grid.from_sizes(SIZES, query.device)
    found = attention.prepare(value, grid).attend(query, slice(None))
    torch.testing.assert_close(found, attend_plainly(attention, query, value), rtol=1e-4, atol=1e-4)


def test_offsets_start_on_a_star_of_growing_reach() -> None:
    bias = DeformableAttention(32, 8).sampling_offsets.bias.view(8, LEVELS, POINTS, 2)
    assert torch.allclose(bias[0, 0, 2], torch.tensor([3.0, 0.0]))
    assert torch.allclose(bias[1, 2, 0], torch.tensor([1.0, 1.0]))
    assert torch.allclose(bias[4, 1, 3], torch.tensor([-4.0, 0.0]), atol=1e-6)


def test_gradients_pass_through_the_gathering() -> None:
    attention = example()
    tokens = sum(h * w for h, w in SIZES)
    inputs = [torch.randn(2, tokens, 32, requires_grad=True) for _ in range(2)]
    grid = Grid.from_sizes(SIZES, inputs[0].device)
    inputs += list(attention.parameters())
    ours = attention.prepare(inputs[1], grid).attend(inputs[0], slice(None))
    found = torch.autograd.grad(ours.sin().sum(), inputs)
    expected = torch.autograd.grad(attend_plainly(attention, *inputs[:2]).sin().sum(), inputs)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)


def test_numbers_that_are_lost_give_nan_and_no_crash() -> None:
    attention = DeformableAttention(32, 4)
    grid = Grid.from_sizes(SIZES, torch.device("cpu"))
    query = torch.randn(1, len(grid.reference_T2), 32)
    query[0, 5] = torch.nan
    found = attention.prepare(torch.randn_like(query), grid).attend(query, slice(None))
    assert found[0, 5].isnan().all()
    assert not found[0, 6].isnan().any()
