"""Multi-head attention whose projections can be computed ahead."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention


class Attention(nn.Module):
    """Scaled dot-product attention; parameters are named and laid out as ``nn.MultiheadAttention``.

    The projections are separate calls because some do not depend on clicks: keys and values of the
    image are computed when it is encoded.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = nn.Linear(channels, channels)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.xavier_uniform_(self.out_proj.weight)
        nn.init.zeros_(self.out_proj.bias)

    def projection(self, index: int) -> tuple[Tensor, Tensor]:
        """Return weight (C, C) and bias (C) of the query (0), key (1) or value (2) projection."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        return weights[index], biases[index]

    def split(self, tokens_BTC: Tensor) -> Tensor:
        """Split tokens by head: (B, T, C) to (B, H, T, C/H)."""
        by_head: Tensor = tokens_BTC.unflatten(-1, (self.heads, -1))
        return by_head.transpose(1, 2)

    def query(self, tokens_BQC: Tensor) -> Tensor:
        """Return projected queries (B, H, Q, C/H)."""
        return self.split(linear(tokens_BQC, *self.projection(0)))

    def query_and_key(self, tokens_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """Return queries and keys of the same tokens from one product: (B, H, T, C/H) each."""
        count = 2 * tokens_BTC.shape[-1]
        projected = linear(tokens_BTC, self.in_proj_weight[:count], self.in_proj_bias[:count])
        query, key = projected.chunk(2, dim=-1)
        return self.split(query), self.split(key)

    def key(self, tokens_BTC: Tensor) -> Tensor:
        """Return projected keys (B, H, T, C/H)."""
        return self.split(linear(tokens_BTC, *self.projection(1)))

    def value(self, tokens_BTC: Tensor) -> Tensor:
        """Return projected values (B, H, T, C/H)."""
        return self.split(linear(tokens_BTC, *self.projection(2)))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Return the attention output (B, Q, C).

        Args:
            query: projected, (B, H, Q, C/H).
            key: projected, (B, H, T, C/H).
            value: projected, (B, H, T, C/H).
            mask: boolean (True: may attend) or additive, broadcastable to (B, H, Q, T).
        """
        attended = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed: Tensor = self.out_proj(attended.transpose(1, 2).flatten(-2))
        return mixed
