"""The gathered form against grid_sample, level by level and head by head (MODEL_SPEC 4.1)."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dynamite.deformable_attention import LEVELS, POINTS, DeformableAttention

SIZES = [(2, 3), (4, 6), (8, 12)]


def reference_points() -> Tensor:
    points = [((j + 0.5) / w, (i + 0.5) / h) for h, w in SIZES for i in range(h) for j in range(w)]
    return torch.tensor(points)


def plain(attention: DeformableAttention, query: Tensor, value: Tensor) -> Tensor:
    batch, tokens, channels = value.shape
    heads = attention.heads
    values = attention.value_proj(value).view(batch, tokens, heads, -1)
    offsets = attention.sampling_offsets(query).view(batch, tokens, heads, LEVELS, POINTS, 2)
    weights = attention.attention_weights(query).view(batch, tokens, heads, -1).softmax(-1)
    weights = weights.view(batch, tokens, heads, LEVELS, POINTS)
    total = torch.zeros(batch, tokens, heads, channels // heads)
    start = 0
    for level, (h, w) in enumerate(SIZES):
        part = values[:, start : start + h * w].unflatten(1, (h, w))
        start += h * w
        for head in range(heads):
            place = reference_points()[:, None] + offsets[:, :, head, level] / torch.tensor([w, h])
            image = part[:, :, :, head].permute(0, 3, 1, 2)
            sampled = grid_sample(image, place * 2 - 1, align_corners=False)
            share = weights[:, None, :, head, level]
            total[:, :, head] += (sampled * share).sum(-1).transpose(1, 2)
    return attention.output_proj(total.flatten(2))


def test_one_weighted_gathering_is_the_published_sampling() -> None:
    torch.manual_seed(0)
    attention = DeformableAttention(32, 4)
    with torch.no_grad():  # offsets large enough to leave the maps
        attention.sampling_offsets.weight.normal_(std=0.5)
        attention.attention_weights.weight.normal_(std=0.5)
    tokens = sum(h * w for h, w in SIZES)
    query, value = torch.randn(2, tokens, 32), torch.randn(2, tokens, 32)
    found = attention.gather(query, attention.table(value, SIZES), reference_points(), SIZES)
    torch.testing.assert_close(found, plain(attention, query, value), rtol=1e-4, atol=1e-4)


def test_offsets_start_on_a_star_of_growing_reach() -> None:
    bias = DeformableAttention(32, 8).sampling_offsets.bias.view(8, LEVELS, POINTS, 2)
    assert torch.allclose(bias[0, 0, 2], torch.tensor([3.0, 0.0]))
    assert torch.allclose(bias[1, 2, 0], torch.tensor([1.0, 1.0]))
    assert torch.allclose(bias[4, 1, 3], torch.tensor([-4.0, 0.0]), atol=1e-6)
