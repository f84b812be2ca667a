"""The formulas of MODEL_SPEC written out in torch, which our implementation is compared with."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, relu

from dynamite.network.deformable_attention import LEVELS, POINTS, Grid
from dynamite.network.mask_decoder import MaskDecoder
from dynamite.network.pixel_decoder import DeformableLayer, PixelDecoder
from dynamite.network.position_encoding import encode_map

Size = tuple[int, int]


def decode(
    decoder: MaskDecoder, features: Tensor, content: Tensor, position: Tensor, embedding: Tensor
) -> Tensor:
    """Section 7: attention from all tokens to all queries, layer by layer."""
    height, width = features.shape[-2:]
    tokens = features.flatten(2).transpose(1, 2)
    place = encode_map(height, width, features.shape[1]).to(features)
    for layer in decoder.layers:
        attention = layer.attention
        query, key = attention.query(tokens + place), attention.key(content + position)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        attended = (scores.softmax(-1) @ attention.value(content)).transpose(1, 2).flatten(-2)
        tokens = layer.attention_norm(tokens + attention.out_proj(attended))
        tokens = layer.feedforward_norm(tokens + layer.linear2(relu(layer.linear1(tokens))))
    return (embedding @ tokens.transpose(1, 2)).unflatten(-1, (height, width))


class PlainLayer(torch.nn.Module):
    """Section 4.1, all tokens at once, by ``grid_sample``, one call a level."""

    def __init__(self, ours: DeformableLayer) -> None:
        super().__init__()
        self.ours = ours

    def forward(self, tokens: Tensor, position: Tensor, grid: Grid) -> Tensor:
        ours = self.ours
        tokens = ours.norm1(tokens + self._attend(tokens + position, tokens, grid))
        return ours.norm2(tokens + ours.linear2(relu(ours.linear1(tokens))))

    def _attend(self, query: Tensor, value: Tensor, grid: Grid) -> Tensor:
        ours, (batch, tokens, _) = self.ours.attention, value.shape
        heads = ours.heads
        values = ours.value_proj(value).view(batch, tokens, heads, -1)
        offsets = ours.sampling_offsets(query).view(batch, tokens, heads, LEVELS, POINTS, 2)
        weights = ours.attention_weights(query).view(batch, tokens, heads, -1).softmax(-1)
        samples, start = [], 0
        for level, (h, w) in enumerate(grid.sizes):
            part = values[:, start : start + h * w].permute(0, 2, 3, 1).flatten(0, 1)
            start += h * w
            scale = torch.tensor([w, h], device=value.device)
            place = grid.reference_T2[None, :, None, None] + offsets[:, :, :, level] / scale
            spots = place.transpose(1, 2).flatten(0, 1) * 2 - 1
            samples.append(grid_sample(part.unflatten(-1, (h, w)), spots, align_corners=False))
        weights = weights.transpose(1, 2).flatten(0, 1)[:, None]
        gathered = (torch.cat(samples, dim=-1) * weights).sum(-1)
        return ours.output_proj(gathered.view(batch, -1, tokens).transpose(1, 2))


def plain_pixel_decoder(decoder: PixelDecoder) -> PixelDecoder:
    """The same pixel decoder with its deformable layers written out. Changes ``decoder``."""
    decoder.layers = torch.nn.ModuleList(PlainLayer(layer) for layer in decoder.layers)
    return decoder


def label_map(logits: Tensor, owners: Tensor, padded: Size, inside: Size, output: Size) -> Tensor:
    """Section 8: every query at every size, then the argmax."""
    full = interpolate(logits[None], size=padded, mode="bilinear", align_corners=False)
    full = full[:, :, : inside[0], : inside[1]]
    full = interpolate(full, size=output, mode="bilinear", align_corners=False)
    objects = int(owners.max()) + 1
    merged = torch.stack([full[0][owners == index].amax(0) for index in (*range(objects), -1)])
    winner = merged.argmax(0)
    return torch.where(winner == objects, -1, winner).to(torch.int16)
