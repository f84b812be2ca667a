"""The mask decoder: pixels attend to the queries, which adapts mask features to the clicks.

(docs/network.md, 7) It takes nearly all the time of a click. Two facts make it faster: queries do
not change here, so a token passes all layers without meeting another token; and queries are few, so
weights that multiply every token can be folded into them (``query_folding``).
"""

import torch
from torch import Tensor, nn

from dynamite.network.attention import Attention
from dynamite.network.position_encoding import encode_axes
from dynamite.network.query_folding import QueryAttention, prepare
from dynamite.network.token_products import linear, token_chunks


class DecoderLayer(nn.Module):
    """Cross attention from tokens to queries, then feed-forward; each with residual, then norm."""

    def __init__(self, channels: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.attention = Attention(channels, heads)
        self.attention_norm = nn.LayerNorm(channels)
        self.linear1 = nn.Linear(channels, feedforward)
        self.linear2 = nn.Linear(feedforward, channels)
        self.feedforward_norm = nn.LayerNorm(channels)

    def forward(self, tokens_TC: Tensor, queries: QueryAttention, rows: slice) -> Tensor:
        """Return some rows of one image's tokens after this layer (T, C)."""
        tokens_TC = self.attention_norm(tokens_TC + queries.attend(tokens_TC, rows))
        hidden = linear(tokens_TC, self.linear1.weight, self.linear1.bias).relu_()
        changed = linear(hidden, self.linear2.weight, self.linear2.bias)
        return self.feedforward_norm(tokens_TC + changed)  # type: ignore[no-any-return]


class MaskDecoder(nn.Module):
    """Updates the mask features from the queries and computes the final logits."""

    def __init__(self, channels: int, heads: int, layers: int, feedforward: int) -> None:
        super().__init__()
        self.layers: nn.ModuleList = nn.ModuleList(
            DecoderLayer(channels, heads, feedforward) for _ in range(layers)
        )
        self.product_dtype = torch.float32

    def set_product_dtype(self, dtype: torch.dtype) -> None:
        """Hold and multiply tokens in ``dtype``. Queries and the final logits stay float32."""
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
        """Return logits (B, Q, h, w) of the decoded features.

        Args:
            features_BChw: mask features at stride 4, without coordinates.
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
        logits = []
        height, width = features_Chw.shape[1:]
        for rows in token_chunks(height, features_Chw.device, row_length=width):
            tokens_TC = features_Chw[:, rows].flatten(1).T.to(self.product_dtype).contiguous()
            for layer, queries in zip(self.layers, prepared, strict=True):
                tokens_TC = layer(tokens_TC, queries, rows)
            logits.append(embedding_QC @ tokens_TC.to(embedding_QC).T)
        return torch.cat(logits, dim=-1)
