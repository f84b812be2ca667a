"""Sine encodings of positions: of map cells and of clicks (docs/network.md, 4 and 5)."""

import math

import torch
from torch import Tensor


def encode_values(values: Tensor, channels: int) -> Tensor:
    """Return sines and cosines of ``values``, any shape (…): (…, channels).

    Component k is sin(v/ω_k) for even k and cos(v/ω_k) for odd k, ω_k = 10000^(2⌊k/2⌋/channels).
    """
    pairs = torch.arange(channels // 2, dtype=torch.float32, device=values.device)
    phase = values[..., None] / 10000 ** (2 * pairs / channels)
    return torch.stack((phase.sin(), phase.cos()), dim=-1).flatten(-2)


def encode_axes(
    height: int, width: int, channels: int, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Return the encoding of a map's rows (h, channels/2) and columns (w, channels/2).

    A cell's encoding is its row's followed by its column's, so products with it need no map.
    """

    def axis(size: int) -> Tensor:
        steps = torch.arange(1, size + 1, dtype=torch.float32, device=device)
        return encode_values(steps / (size + 1e-6) * (2 * math.pi), channels // 2)

    return axis(height), axis(width)


def encode_map(
    height: int, width: int, channels: int, device: torch.device | None = None
) -> Tensor:
    """Return the encoding of each cell of a map, row by row: (height·width, channels)."""
    rows, columns = encode_axes(height, width, channels, device)
    return torch.cat(
        (
            rows[:, None].expand(-1, width, -1),
            columns[None].expand(height, -1, -1),
        ),
        dim=-1,
    ).flatten(0, 1)
