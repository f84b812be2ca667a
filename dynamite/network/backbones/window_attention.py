"""Attention inside the windows of a map (docs/network.md, 3)."""

import torch
from torch import Tensor, nn

BLOCKED = -100.0
"""Added to the attention scores of tokens that are neighbors only because the map was rolled."""


class WindowAttention(nn.Module):
    """Self-attention among the N tokens of each window, with a learned bias per relative position.

    In a rolled map, the windows in the last row or column hold tokens from opposite edges of the
    image, which must not attend to each other. All other windows need no mask.
    """

    def __init__(self, channels: int, heads: int, window: int, *, shift: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.shift = shift
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))

    def forward(self, windows_BrcNC: Tensor) -> Tensor:
        """Attend inside each window of a grid of r×c windows; the shape stays."""
        q, k, v = self.qkv(windows_BrcNC).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        bias_HNN = _relative_position_bias(self.relative_position_bias_table, self.window)
        attended = _attention(q, k, v, bias_HNN)
        if self.shift:
            last, others = slice(-1, None), slice(None, -1)
            edges = ((last, others), (others, last), (last, last))
            masks_3NN = _edge_masks(self.window, self.shift, device=bias_HNN.device)
            for (rows, columns), mask_NN in zip(edges, masks_3NN, strict=True):
                part = (slice(None), rows, columns)
                if attended[part].numel():
                    attended[part] = _attention(q[part], k[part], v[part], bias_HNN + mask_NN)
        projected: Tensor = self.proj(attended)
        return projected


def _attention(q_BrcNHD: Tensor, k_BrcNHD: Tensor, v_BrcNHD: Tensor, bias_HNN: Tensor) -> Tensor:
    """Return the attention output B×r×c×N×(H·D), newly allocated."""
    batch, rows, columns = q_BrcNHD.shape[:3]
    q, k, v = (x.flatten(0, 2).transpose(1, 2) for x in (q_BrcNHD, k_BrcNHD, v_BrcNHD))
    attended = nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=bias_HNN[None].to(q.dtype)
    )
    return attended.transpose(1, 2).reshape(batch, rows, columns, q.shape[2], -1)


def _relative_position_bias(table: Tensor, window: int) -> Tensor:
    """Spread the bias per offset over all pairs of tokens of a window, H×N×N.

    The row of offset (dy, dx), each from −(window−1), is dy·(2·window−1) + dx. With the second
    token counted backwards, offsets become sums of positions, which sliding windows enumerate.
    """
    grid = table.unflatten(0, (2 * window - 1, 2 * window - 1))
    pairs_yxHyx: Tensor = grid.unfold(0, window, 1).unfold(1, window, 1).flip(3, 4)
    return pairs_yxHyx.permute(2, 0, 1, 3, 4).flatten(1, 2).flatten(2)


def _edge_masks(window: int, shift: int, *, device: torch.device) -> Tensor:
    """Return the masks 3×N×N of windows in the last row, the last column, and the corner."""
    rolled_in = torch.arange(window, device=device) >= window - shift
    row, column = rolled_in.repeat_interleave(window), rolled_in.repeat(window)
    apart_row, apart_column = (side[:, None] != side for side in (row, column))
    return BLOCKED * torch.stack([apart_row, apart_column, apart_row | apart_column])
