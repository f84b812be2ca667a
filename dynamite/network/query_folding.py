"""Attention of very many tokens to few queries, with the projections folded as far as pays."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dynamite.network.attention import Attention
from dynamite.network.token_products import linear

GAIN = 2
"""Folding needs fewer passes over memory: measured, it pays up to twice the multiplications."""


class QueryAttention(Protocol):
    """The queries of one image, prepared to be attended to."""

    def attend(self, tokens_TC: Tensor, rows: slice) -> Tensor:
        """What some rows of the image's tokens get from the queries: (T, C).

        Args:
            tokens_TC: those tokens, in the type of the products.
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
        attention: its projections; tokens are the query side.
        key_QC: the queries with their positions.
        value_QC: the queries.
        axes: encoding of the map's rows and columns (``encode_axes``).
        dtype: what tokens are multiplied in.
    """
    heads, (count, channels) = attention.heads, key_QC.shape
    key_HQd = attention.key(key_QC[None])[0] * (channels // heads) ** -0.5
    value_HQd = attention.value(value_QC[None])[0]
    weight, bias = attention.part(0)
    to_scores = torch.bmm(key_HQd, weight.view(heads, -1, channels)).flatten(0, 1)
    constant = torch.bmm(key_HQd, bias.view(heads, -1, 1)).flatten()
    rows, columns = axes
    place = Place(
        by_row=to_scores[:, : channels // 2] @ rows.T + constant[:, None],
        by_column=to_scores[:, channels // 2 :] @ columns.T,
    )
    if heads * count < GAIN * (channels + count):
        out = attention.out_proj.weight.T.reshape(heads, -1, channels)
        # The shares of a head sum to 1, so a part of the bias in each row makes one bias in all.
        to_output = torch.bmm(value_HQd, out).flatten(0, 1) + attention.out_proj.bias / heads
        return FoldedQueries(heads, to_scores.to(dtype), to_output.to(dtype), place)
    out_proj = attention.out_proj.weight.to(dtype), attention.out_proj.bias.to(dtype)
    return ManyQueries(weight.to(dtype), key_HQd.to(dtype), value_HQd.to(dtype), out_proj, place)


@dataclass(frozen=True, slots=True)
class Place:
    """What a token's position adds to its scores: a part by its row and one by its column.

    (H·Q, h) and (H·Q, w).
    """

    by_row: Tensor
    by_column: Tensor

    def scores(self, rows: slice) -> Tensor:
        """That of the tokens in some rows: (H·Q, T), float32, new, to be added to."""
        return (self.by_row[:, rows, None] + self.by_column[:, None]).flatten(1)


@dataclass(frozen=True, slots=True)
class FoldedQueries:
    """Keys times the query projection, ``to_scores``; values times the output's, ``to_output``.

    Both are (H·Q, C): 2·H·Q·C multiplications a token in place of 2·C·C + 2·Q·C.
    """

    heads: int
    to_scores: Tensor
    to_output: Tensor
    place: Place

    def attend(self, tokens_TC: Tensor, rows: slice) -> Tensor:
        """What some rows of the image's tokens get from the queries: (T, C)."""
        scores = self.place.scores(rows)
        if tokens_TC.dtype == scores.dtype:
            scores.addmm_(self.to_scores, tokens_TC.T)  # one pass over memory less
        else:
            scores += self.to_scores @ tokens_TC.T
        shares = scores.unflatten(0, (self.heads, -1)).softmax(dim=1).flatten(0, 1)
        return torch.mm(shares.to(tokens_TC.dtype).T, self.to_output)


@dataclass(frozen=True, slots=True)
class ManyQueries:
    """Keys and values (H, Q, C/H) as they are; the tokens are projected."""

    query_weight: Tensor
    key_HQd: Tensor
    value_HQd: Tensor
    out_proj: tuple[Tensor, Tensor]
    place: Place

    def attend(self, tokens_TC: Tensor, rows: slice) -> Tensor:
        """What some rows of the image's tokens get from the queries: (T, C)."""
        heads = len(self.key_HQd)
        query: Tensor = linear(tokens_TC, self.query_weight).unflatten(-1, (heads, -1))
        # The bias of the query projection is already in ``place``.
        scores_HQT = self.place.scores(rows).unflatten(0, (heads, -1))
        scores_HQT += torch.bmm(self.key_HQd, query.permute(1, 2, 0))
        shares_HTQ = scores_HQT.softmax(dim=1).to(tokens_TC.dtype).transpose(1, 2)
        mixed_HTd = torch.bmm(shares_HTQ, self.value_HQd)
        return linear(mixed_HTd.transpose(0, 1).flatten(1), *self.out_proj)
