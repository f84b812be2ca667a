"""Pixels look at the queries, so that masks differ from inner products with fixed features.

MODEL_SPEC 7. This is nearly all of a click, so its arithmetic is arranged around two facts: queries
do not change here, hence a token's way through all layers touches no other token; and queries are
few, hence what multiplies every token can be folded into them (``query_folding``).
"""

import torch
from torch import Tensor, nn

from dynamite.network.attention import Attention
from dynamite.network.chunks import chunks
from dynamite.network.position_encoding import encode_axes
from dynamite.network.query_folding import QueryAttention, prepare
from dynamite.network.token_products import linear


class DecoderLayer(nn.Module):
    """Cross attention from tokens to queries, then feed-forward; residual and LN after each."""

    def __init__(self, channels: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.attention = Attention(channels, heads)
        self.attention_norm = nn.LayerNorm(channels)
        self.linear1 = nn.Linear(channels, feedforward)
        self.linear2 = nn.Linear(feedforward, channels)
        self.feedforward_norm = nn.LayerNorm(channels)

    def forward(self, tokens_TC: Tensor, queries: QueryAttention, rows: slice) -> Tensor:
        """Some rows of tokens of one image after this layer (T, C)."""
        tokens_TC = self.attention_norm(tokens_TC + queries.attend(tokens_TC, rows))
        hidden = linear(tokens_TC, self.linear1.weight, self.linear1.bias).relu_()
        changed = linear(hidden, self.linear2.weight, self.linear2.bias)
        return self.feedforward_norm(tokens_TC + changed)  # type: ignore[no-any-return]


class MaskDecoder(nn.Module):
    """Updates the mask features by what the queries found, and makes the final logits."""

    def __init__(self, channels: int, heads: int, layers: int, feedforward: int) -> None:
        super().__init__()
        self.layers: nn.ModuleList = nn.ModuleList(
            DecoderLayer(channels, heads, feedforward) for _ in range(layers)
        )
        self.product_dtype = torch.float32

    def multiply_in(self, dtype: torch.dtype) -> None:
        """Hold and multiply tokens in ``dtype``; queries and the final logits stay float32."""
        self.product_dtype = dtype
        for layer in self.layers:
            for part in (layer.attention_norm, layer.linear1, layer.linear2):
                part.to(dtype)
            layer.feedforward_norm.to(dtype)

    def forward(
        self,
        features_BChw: Tensor,
        content_BQC: Tensor,
        position_BQC: Tensor,
        embedding_BQC: Tensor,
    ) -> Tensor:
        """Logits (B, Q, h, w) of the decoded features.

        Args:
            features_BChw: mask features, without coordinates.
            content_BQC: final queries.
            position_BQC: their positions.
            embedding_BQC: their mask embeddings, without coordinates.
        """
        height, width = features_BChw.shape[-2:]
        axes = encode_axes(height, width, features_BChw.shape[1], features_BChw.device)
        rows, columns = (axis.to(features_BChw) for axis in axes)
        logits = [
            self._decode(features_Chw, content, position, embedding, (rows, columns))
            for features_Chw, content, position, embedding in zip(
                features_BChw, content_BQC, position_BQC, embedding_BQC, strict=True
            )
        ]
        return torch.stack(logits).view(*embedding_BQC.shape[:2], height, width)

    def _decode(
        self,
        features_Chw: Tensor,
        content_QC: Tensor,
        position_QC: Tensor,
        embedding_QC: Tensor,
        axes: tuple[Tensor, Tensor],
    ) -> Tensor:
        key = content_QC + position_QC
        prepared = [
            prepare(layer.attention, key, content_QC, axes, self.product_dtype)  # type: ignore[arg-type]
            for layer in self.layers
        ]
        parts = []
        height, width = features_Chw.shape[1:]
        for rows in chunks(height, features_Chw.device, size=width):
            tokens_TC = features_Chw[:, rows].flatten(1).T.to(self.product_dtype).contiguous()
            for layer, queries in zip(self.layers, prepared, strict=True):
                tokens_TC = layer(tokens_TC, queries, rows)
            parts.append(embedding_QC @ tokens_TC.to(embedding_QC).T)
        return torch.cat(parts, dim=-1)
