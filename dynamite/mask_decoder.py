"""Pixels look at the queries, so that masks differ from inner products with fixed features.

MODEL_SPEC 7. This is nearly all of a click, so its arithmetic is arranged around two facts: queries
do not change here, hence a token's way through all layers touches no other token; and queries are
few, hence what multiplies every token can be folded into them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from dynamite.attention import Attention
from dynamite.position_encoding import encode_axes

CPU_CHUNK = 2048
"""Tokens carried through all layers at once: their activations stay in the cores' caches."""


class DecoderLayer(nn.Module):
    """Cross attention from tokens to queries, then feed-forward; residual and LN after each."""

    def __init__(self, channels: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.attention = Attention(channels, heads)
        self.attention_norm = nn.LayerNorm(channels)
        self.linear1 = nn.Linear(channels, feedforward)
        self.linear2 = nn.Linear(feedforward, channels)
        self.feedforward_norm = nn.LayerNorm(channels)

    def forward(self, tokens_TC: Tensor, keys: "FoldedQueries", tokens: slice) -> Tensor:
        """Tokens of one image after this layer (T, C)."""
        tokens_TC = self.attention_norm(tokens_TC + keys.attend(tokens_TC, tokens))
        changed: Tensor = self.linear2(self.linear1(tokens_TC).relu_())
        return self.feedforward_norm(tokens_TC + changed)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class FoldedQueries:
    """Attention of tokens to the queries of one image, with the projections folded as far as pays.

    Folded, ``to_scores`` (H·Q, C) holds keys times the query projection and ``to_output`` (H·Q, C)
    values times the output projection: 2·H·Q·C multiplications a token in place of
    2·C·C + 2·Q·C, so it pays while H·Q < C + Q. ``place_scores`` (H·Q, T) is what the tokens'
    positions add; it is separable, so it is made from rows and columns.
    """

    attention: Attention
    to_scores: Tensor
    to_output: Tensor
    place_scores: Tensor
    folded: bool

    @classmethod
    def fold(
        cls, attention: Attention, key_QC: Tensor, value_QC: Tensor, axes: tuple[Tensor, Tensor]
    ) -> "FoldedQueries":
        """Prepare the attention to queries with ``key_QC`` (position added) and ``value_QC``."""
        heads, (count, channels) = attention.heads, key_QC.shape
        key_HQd = attention.key(key_QC[None])[0] * (channels // heads) ** -0.5
        value_HQd = attention.value(value_QC[None])[0]
        weight, bias = attention.part(0)
        to_scores = torch.bmm(key_HQd, weight.view(heads, -1, channels)).flatten(0, 1)
        constant = torch.bmm(key_HQd, bias.view(heads, -1, 1)).flatten()
        rows, columns = axes
        half = channels // 2
        by_row = to_scores[:, :half] @ rows.T + constant[:, None]
        by_column = to_scores[:, half:] @ columns.T
        place = by_row[:, :, None] + by_column[:, None]
        folded = heads * count < channels + count
        if folded:
            out = attention.out_proj.weight.T.reshape(heads, -1, channels)
            to_output = torch.bmm(value_HQd, out).flatten(0, 1)
            return cls(attention, to_scores, to_output, place.flatten(1), folded)
        return cls(attention, key_HQd, value_HQd, place.flatten(1), folded)

    def attend(self, tokens_TC: Tensor, tokens: slice) -> Tensor:
        """What ``tokens`` of the image get from the queries: (T, C)."""
        heads = self.attention.heads
        place = self.place_scores[:, tokens]
        if self.folded:
            scores = torch.addmm(place, self.to_scores, tokens_TC.T)
            shares = scores.unflatten(0, (heads, -1)).softmax(dim=1)
            return torch.addmm(self.attention.out_proj.bias, shares.flatten(0, 1).T, self.to_output)
        # The bias of the query projection is already in place_scores.
        query = linear(tokens_TC, self.attention.part(0)[0]).unflatten(-1, (heads, -1))
        scores = torch.baddbmm(
            place.unflatten(0, (heads, -1)), self.to_scores, query.permute(1, 2, 0)
        )
        shares_HQT = scores.softmax(dim=1)
        mixed_HTd = torch.bmm(shares_HQT.transpose(1, 2), self.to_output)
        mixed: Tensor = self.attention.out_proj(mixed_HTd.transpose(0, 1).flatten(1))
        return mixed


class MaskDecoder(nn.Module):
    """Updates the mask features by what the queries found, and makes the final logits."""

    def __init__(self, channels: int, heads: int, layers: int, feedforward: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderLayer(channels, heads, feedforward) for _ in range(layers)
        )

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
            self._decode(features_ChW.flatten(1), content, position, embedding, (rows, columns))
            for features_ChW, content, position, embedding in zip(
                features_BChw, content_BQC, position_BQC, embedding_BQC, strict=True
            )
        ]
        return torch.stack(logits).view(*embedding_BQC.shape[:2], height, width)

    def _decode(
        self,
        features_CT: Tensor,
        content_QC: Tensor,
        position_QC: Tensor,
        embedding_QC: Tensor,
        axes: tuple[Tensor, Tensor],
    ) -> Tensor:
        key = content_QC + position_QC
        keys = [
            FoldedQueries.fold(layer.attention, key, content_QC, axes)  # type: ignore[arg-type]
            for layer in self.layers
        ]
        parts = []
        for chunk in _chunks(features_CT):
            tokens_TC = features_CT[:, chunk].T.contiguous()
            for layer, folded in zip(self.layers, keys, strict=True):
                tokens_TC = layer(tokens_TC, folded, chunk)
            parts.append(embedding_QC @ tokens_TC.T)
        return torch.cat(parts, dim=-1)


def _chunks(features_CT: Tensor) -> Iterator[slice]:
    count = features_CT.shape[1]
    step = CPU_CHUNK if features_CT.device.type == "cpu" and not torch.is_grad_enabled() else count
    for start in range(0, count, step):
        yield slice(start, start + step)
