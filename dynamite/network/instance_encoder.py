"""The instance encoder: queries attend to the image inside their masks, and to each other.

(docs/network.md, 6)
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from dynamite.network.attention import Attention
from dynamite.network.config import ModelConfig
from dynamite.network.position_encoding import encode_map
from dynamite.network.queries import Queries

LEVELS = 3

Memory = tuple[tuple[Tensor, Tensor], ...]
"""Projected keys and values of the image for each layer, (B, H, T, C/H) each."""


class EncoderLayer(nn.Module):
    """Masked cross attention, self-attention, feed-forward; each with residual, then layer norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.hidden
        self.cross_attention = Attention(channels, config.heads)
        self.cross_norm = nn.LayerNorm(channels)
        self.self_attention = Attention(channels, config.heads)
        self.self_norm = nn.LayerNorm(channels)
        self.linear1 = nn.Linear(channels, config.encoder_feedforward)
        self.linear2 = nn.Linear(config.encoder_feedforward, channels)
        self.feedforward_norm = nn.LayerNorm(channels)
        if config.object_attention:
            self.object_bias = nn.Parameter(torch.zeros(config.heads))

    def forward(
        self,
        content_BQC: Tensor,
        queries: Queries,
        memory: tuple[Tensor, Tensor],
        allowed_BQT: Tensor,
    ) -> Tensor:
        """Return the queries' content after this layer (B, Q, C).

        Args:
            content_BQC: content before it.
            queries: their positions and owners.
            memory: projected keys and values of the image for this layer.
            allowed_BQT: where each query may attend, boolean.
        """
        position = queries.position_BQC
        query = self.cross_attention.query(content_BQC + position)
        attended = self.cross_attention.attend(query, *memory, mask=allowed_BQT[:, None])
        content_BQC = self.cross_norm(content_BQC + attended)
        positioned = content_BQC + position
        attended = self.self_attention.attend(
            *self.self_attention.query_and_key(positioned),
            self.self_attention.value(content_BQC),
            mask=self._bias(queries, content_BQC.dtype),
        )
        content_BQC = self.self_norm(content_BQC + attended)
        changed: Tensor = self.linear2(relu(self.linear1(content_BQC)))
        return self.feedforward_norm(content_BQC + changed)  # type: ignore[no-any-return]

    def _bias(self, queries: Queries, dtype: torch.dtype) -> Tensor | None:
        if not hasattr(self, "object_bias"):
            return None
        same_B1QQ = queries.same_object_BQQ[:, None].to(dtype)
        return self.object_bias.view(1, -1, 1, 1) * same_B1QQ


class InstanceEncoder(nn.Module):
    """Layer i attends to the map of stride 32, 16 or 8, by i mod 3."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.level_embed = nn.Parameter(torch.randn(LEVELS, config.hidden))
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))

    def memory(self, levels: Sequence[Tensor]) -> Memory:
        """Return keys and values of every layer. They depend on the image alone, so encoding pays.

        Args:
            levels: M32, M16, M8, each (B, C, h, w).
        """
        sources = []
        for level, embed in zip(levels, self.level_embed, strict=True):
            value = level.flatten(2).transpose(1, 2) + embed
            position = encode_map(level.shape[2], level.shape[3], level.shape[1], level.device)
            sources.append((value + position.to(value), value))
        memory = []
        for index, layer in enumerate(self.layers):
            key_source, value_source = sources[index % LEVELS]
            attention: Attention = layer.cross_attention  # type: ignore[assignment]
            # Make them contiguous here. Otherwise saving the features copies them, which a server
            # does in another thread than the device's, and torch would keep workers for it.
            key, value = attention.key(key_source), attention.value(value_source)
            memory.append((key.contiguous(), value.contiguous()))
        return tuple(memory)

    def forward(
        self, queries: Queries, memory: Memory, allowed: Callable[[Tensor, int], Tensor]
    ) -> list[Tensor]:
        """Return the content (B, Q, C) before the first layer and after each.

        Args:
            queries: from the bootstrapper.
            memory: from ``memory``.
            allowed: takes content (B, Q, C) and a level 0, 1, 2; returns where each query may
                attend, boolean (B, Q, T).
        """
        contents = [queries.content_BQC]
        for index, layer in enumerate(self.layers):
            mask = allowed(contents[-1], index % LEVELS)
            contents.append(layer(contents[-1], queries, memory[index], mask))
        return contents
