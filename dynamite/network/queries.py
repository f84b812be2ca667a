"""From clicks to queries: content, position, owner (docs/network.md, 5)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from dynamite.clicks import ClickSet
from dynamite.network.config import ClickEncoding, ModelConfig
from dynamite.network.position_encoding import encode_values

BACKGROUND = -1
PADDING = -2

TIME_HORIZON = 500
"""Time stamps are divided by this, or by the image's newest one if that is larger."""


@dataclass(frozen=True, slots=True)
class PackedClicks:
    """The clicks of a batch as tensors, padded to the same number K.

    Attributes:
        coords_BK2: (y, x) in input pixels.
        times_BK: time stamps.
        owners_BK: object index, ``BACKGROUND`` or ``PADDING``.
        latest_B: newest time stamp of each image.
    """

    coords_BK2: Tensor
    times_BK: Tensor
    owners_BK: Tensor
    latest_B: Tensor

    @classmethod
    def pack(
        cls, clicks: Sequence[ClickSet], device: torch.device | str = "cpu", extra: int = 0
    ) -> "PackedClicks":
        """Pack one ``ClickSet`` per image, in query order, with ``extra`` padding queries more."""
        count = max(map(len, clicks)) + extra
        coords = torch.zeros(len(clicks), count, 2)
        times = torch.zeros(len(clicks), count)
        owners = torch.full((len(clicks), count), PADDING)
        for row, one in enumerate(clicks):
            coords[row, : len(one)] = torch.tensor([(c.y, c.x) for c in one])
            times[row, : len(one)] = torch.tensor([float(c.time) for c in one])
            owners[row, : len(one)] = torch.tensor(one.owners)
        latest = torch.tensor([float(one.latest_time) for one in clicks])
        return cls(coords.to(device), times.to(device), owners.to(device), latest.to(device))

    def coords_per_image(self) -> list[Tensor]:
        """Return (y, x) of each image's clicks in input pixels, without padding: (K, 2) each."""
        counts = (self.owners_BK != PADDING).sum(1).tolist()
        return [coords[:count] for coords, count in zip(self.coords_BK2, counts, strict=True)]


@dataclass(frozen=True, slots=True)
class Queries:
    """The queries of a batch: clicks, padding, then static background queries.

    Attributes:
        content_BQC: what attention updates.
        position_BQC: added to queries and keys in attention only.
        owners_BQ: object index, or ``BACKGROUND`` for every other query, padding included.
        center_BQ2: (y, x) of the query's click in 0…1 of the padded input; 0.5 without a click.
        same_object_BQQ: True between queries of the same object.
    """

    content_BQC: Tensor
    position_BQC: Tensor
    owners_BQ: Tensor
    center_BQ2: Tensor
    same_object_BQQ: Tensor


class QueryBootstrapper(nn.Module):
    """Turns each click into a query sampled from the image; appends the background queries."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.hidden
        self.channels = channels
        self.encoding: ClickEncoding = config.click_encoding
        self.static = config.static_background_queries
        self.query_embed = nn.Parameter(torch.randn(channels))
        self.bg_query = nn.Parameter(torch.zeros(channels), requires_grad=False)
        if self.static:
            self.static_bg_pe = nn.Parameter(torch.randn(self.static, channels))
            self.static_bg_query = nn.Parameter(torch.empty(self.static, channels))
            nn.init.xavier_uniform_(self.static_bg_query)
        self.projection = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels)
        )
        encoded = {"spatio_temporal": channels * 3 // 2, "none": 0}.get(self.encoding, channels)
        if encoded:
            self.position_proj = nn.Linear(encoded, channels)
        if config.click_type_embedding:  # rows: on an object, on the background, no click at all
            self.click_type = nn.Parameter(0.1 * torch.randn(3, channels))

    @property
    def extra(self) -> int:
        """Padding queries to add, so that there is always a background query."""
        return 0 if self.static else 1

    def forward(
        self, levels: Sequence[Tensor], clicks: PackedClicks, padded_size: tuple[int, int]
    ) -> Queries:
        """Return the queries of a batch.

        Args:
            levels: the pixel decoder's maps M32, M16, M8, each (B, C, h, w).
            clicks: at least one per image.
            padded_size: (H, W) of the padded input.
        """
        batch = len(clicks.owners_BK)
        is_click_BK = clicks.owners_BK != PADDING
        size = torch.tensor(padded_size, device=clicks.coords_BK2.device)
        position_BK2 = clicks.coords_BK2 / size
        sampled = self.point_descriptors(levels, position_BK2)
        content = torch.where(is_click_BK[..., None], sampled, self.bg_query)
        position = self._positions(position_BK2, clicks, is_click_BK, content.dtype)
        owners = clicks.owners_BK
        center = torch.where(is_click_BK[..., None], position_BK2, 0.5)
        if self.static:
            shape = (batch, self.static)
            content = torch.cat((content, self.static_bg_query.expand(batch, -1, -1)), dim=1)
            position = torch.cat((position, self.static_bg_pe.expand(batch, -1, -1)), dim=1)
            owners = torch.cat((owners, owners.new_full(shape, PADDING)), dim=1)
            center = torch.cat((center, center.new_full((*shape, 2), 0.5)), dim=1)
        content = self.projection(content)
        if hasattr(self, "click_type"):
            content = content + self.click_type[(-owners).clamp(min=0)]
        return Queries(
            content_BQC=content,
            position_BQC=position,
            owners_BQ=owners.clamp(min=BACKGROUND),
            center_BQ2=center,
            same_object_BQQ=(owners[:, :, None] == owners[:, None]) & (owners >= 0)[:, None],
        )

    @staticmethod
    def point_descriptors(levels: Sequence[Tensor], position_BK2: Tensor) -> Tensor:
        """Return point descriptors (B, K, C): the mean of the three maps at each click.

        Args:
            levels: the pixel decoder's maps M32, M16, M8, each (B, C, h, w).
            position_BK2: (y, x) of the clicks in 0…1 of the padded input.
        """
        grid = (position_BK2.flip(-1) * 2 - 1)[:, :, None].to(levels[0].dtype)
        samples = [grid_sample(level, grid, align_corners=False)[..., 0] for level in levels]
        return torch.stack(samples).mean(dim=0).transpose(1, 2)

    def _positions(
        self, position_BK2: Tensor, clicks: PackedClicks, is_click_BK: Tensor, dtype: torch.dtype
    ) -> Tensor:
        if self.encoding == "none":
            return self.query_embed.expand(*is_click_BK.shape, -1)
        age_BK = clicks.times_BK / clicks.latest_B.clamp(min=TIME_HORIZON)[:, None]
        if self.encoding == "temporal":
            encoded = encode_values(age_BK * (2 * math.pi), self.channels)
        else:
            values = [position_BK2[..., 0], position_BK2[..., 1]]
            values += [age_BK] if self.encoding == "spatio_temporal" else []
            phases = torch.stack(values, dim=-1) * (2 * math.pi)
            encoded = encode_values(phases, self.channels // 2).flatten(-2)
        encoded = (encoded * is_click_BK[..., None]).to(dtype)
        projected: Tensor = self.position_proj(encoded)
        return self.query_embed + projected
