"""Attention of many tokens to few queries, with projections folded into the queries."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dynamite.network.attention import Attention
from dynamite.network.token_products import linear

FOLDING_ADVANTAGE = 2
"""Folding needs fewer passes over memory, so it is faster up to twice the multiplications
(measured)."""


class QueryAttention(Protocol):
    """The queries of one image, prepared as keys and values."""

    def attend(self, tokens_TC: Tensor, rows: slice) -> Tensor:
        """Return the attention output of some rows of the image's tokens: (T, C).

        Args:
            tokens_TC: those tokens, in the dtype of the products.
            rows: which rows of the map they are.
        """


def prepare(
    attention: Attention,
    key_QC: Tensor,
    value_QC: Tensor,
    axes: tuple[Tensor, Tensor],
    dtype: torch.dtype,
) -> QueryAttention:
    """Prepare the queries for the tokens of a map.

    Args:
        attention: gives the projections; tokens are the query side.
        key_QC: content plus position of the queries.
        value_QC: content of the queries.
        axes: encoding of the map's rows and columns (``encode_axes``).
        dtype: dtype of the products with tokens.
    """
    heads, (count, channels) = attention.heads, key_QC.shape
    key_HQd = attention.key(key_QC[None])[0] * (channels // heads) ** -0.5
    value_HQd = attention.value(value_QC[None])[0]
    weight, bias = attention.projection(0)
    to_scores = torch.bmm(key_HQd, weight.view(heads, -1, channels)).flatten(0, 1)
    constant = torch.bmm(key_HQd, bias.view(heads, -1, 1)).flatten()
    rows, columns = axes
    position = PositionScores(
        by_row=to_scores[:, : channels // 2] @ rows.T + constant[:, None],
        by_column=to_scores[:, channels // 2 :] @ columns.T,
    )
    if heads * count < FOLDING_ADVANTAGE * (channels + count):
        out = attention.out_proj.weight.T.reshape(heads, -1, channels)
        # The weights of a head sum to 1, so an equal share of the bias in each head adds it once.
        to_output = torch.bmm(value_HQd, out).flatten(0, 1) + attention.out_proj.bias / heads
        return FoldedQueries(heads, to_scores.to(dtype), to_output.to(dtype), position)
    out_proj = attention.out_proj.weight.to(dtype), attention.out_proj.bias.to(dtype)
    return UnfoldedQueries(
        weight.to(dtype), key_HQd.to(dtype), value_HQd.to(dtype), out_proj, position
    )


@dataclass(frozen=True, slots=True)
class PositionScores:
    """What a token's position adds to its attention scores, as a sum over row and column.

    Attributes:
        by_row: (H·Q, h).
        by_column: (H·Q, w).
    """

    by_row: Tensor
    by_column: Tensor

    def scores(self, rows: slice) -> Tensor:
        """Return the scores of the tokens in some rows, (H·Q, T) float32, newly allocated."""
        return (self.by_row[:, rows, None] + self.by_column[:, None]).flatten(1)


@dataclass(frozen=True, slots=True)
class FoldedQueries:
    """Keys folded into the query projection, values into the output projection.

    Takes 2·H·Q·C multiplications per token instead of 2·C·C + 2·Q·C.

    Attributes:
        heads: H.
        to_scores: (H·Q, C), turns tokens into attention scores.
        to_output: (H·Q, C), turns attention weights into outputs.
        position: what positions add to the scores.
    """

    heads: int
    to_scores: Tensor
    to_output: Tensor
    position: PositionScores

    def attend(self, tokens_TC: Tensor, rows: slice) -> Tensor:
        """Return the attention output of some rows of the image's tokens: (T, C)."""
        scores = self.position.scores(rows)
        if tokens_TC.dtype == scores.dtype:
            scores.addmm_(self.to_scores, tokens_TC.T)  # saves one pass over memory
        else:
            scores += self.to_scores @ tokens_TC.T
        weights = scores.unflatten(0, (self.heads, -1)).softmax(dim=1).flatten(0, 1)
        return torch.mm(weights.to(tokens_TC.dtype).T, self.to_output)


@dataclass(frozen=True, slots=True)
class UnfoldedQueries:
    """Plain keys and values (H, Q, C/H), for many queries; the tokens are projected."""

    query_weight: Tensor
    key_HQd: Tensor
    value_HQd: Tensor
    out_proj: tuple[Tensor, Tensor]
    position: PositionScores

    def attend(self, tokens_TC: Tensor, rows: slice) -> Tensor:
        """Return the attention output of some rows of the image's tokens: (T, C)."""
        heads = len(self.key_HQd)
        query: Tensor = linear(tokens_TC, self.query_weight).unflatten(-1, (heads, -1))
        # ``position`` already holds the bias of the query projection.
        scores_HQT = self.position.scores(rows).unflatten(0, (heads, -1))
        scores_HQT += torch.bmm(self.key_HQd, query.permute(1, 2, 0))
        weights_HTQ = scores_HQT.softmax(dim=1).to(tokens_TC.dtype).transpose(1, 2)
        mixed_HTd = torch.bmm(weights_HTQ, self.value_HQd)
        return linear(mixed_HTd.transpose(0, 1).flatten(1), *self.out_proj)
