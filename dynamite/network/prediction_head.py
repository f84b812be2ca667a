"""From queries to mask logits: an inner product with each pixel's features (docs/network.md, 6)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

_COORDINATE_SCALE = 4.0  # multiplies coordinates in image sides, so that a coefficient of 1 matters


class PredictionHead(nn.Module):
    """z = LN(q); e = MLP(z); logit(q, pixel) = e · features(pixel). No bias, no scaling."""

    def __init__(self, channels: int, *, relative_positions: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.mlp = nn.ModuleList(nn.Linear(channels, channels) for _ in range(3))
        if relative_positions:
            self.falloff = nn.Linear(channels, 3)
            nn.init.zeros_(self.falloff.weight)
            nn.init.zeros_(self.falloff.bias)

    def falloff_coefficients(self, center_BQ2: Tensor) -> Tensor | None:
        """Return the matrices (B, Q, 3, 4) from falloffs to coefficients of (|p|², y, x, 1).

        A falloff holds −a and both components of b in a·|p − c|² + b·(p − c), for a pixel p and the
        query's click c. This writes the form out. The same matrices serve all layers of a click.
        None if masks do not depend on distances.

        Args:
            center_BQ2: (y, x) of the queries' clicks in 0…1.
        """
        if not hasattr(self, "falloff"):
            return None
        y, x = (center_BQ2 * _COORDINATE_SCALE).unbind(-1)
        one, zero = torch.ones_like(y), torch.zeros_like(y)
        rows = (-one, 2 * y, 2 * x, -(y * y + x * x)), (zero, one, zero, -y), (zero, zero, one, -x)
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    def forward(self, content_BQC: Tensor, coefficients_BQ34: Tensor | None) -> Tensor:
        """Return mask embeddings (B, Q, C), plus the coordinates' 4 coefficients where used.

        Args:
            content_BQC: content of the queries.
            coefficients_BQ34: from ``falloff_coefficients``.
        """
        z: Tensor = self.norm(content_BQC)
        first, second, third = self.mlp
        embedding: Tensor = third(relu(second(relu(first(z)))))
        if coefficients_BQ34 is None:
            return embedding
        # float32 under mixed precision, too: these products cancel each other.
        with torch.autocast(z.device.type, enabled=False):
            own = self.falloff(z.to(coefficients_BQ34.dtype))[..., None, :] @ coefficients_BQ34
        return torch.cat((embedding, own[..., 0, :]), dim=-1)


def append_coordinates(features_BChw: Tensor) -> Tensor:
    """Return mask features with the channels |p|², y, x, 1 appended: (B, C + 4, h, w)."""
    batch, _, height, width = features_BChw.shape
    y = (torch.arange(height, device=features_BChw.device) + 0.5) / height * _COORDINATE_SCALE
    x = (torch.arange(width, device=features_BChw.device) + 0.5) / width * _COORDINATE_SCALE
    y_hw, x_hw = y[:, None].expand(-1, width), x.expand(height, -1)
    extra = torch.stack((y_hw**2 + x_hw**2, y_hw, x_hw, torch.ones_like(x_hw))).to(features_BChw)
    return torch.cat((features_BChw, extra.expand(batch, -1, -1, -1)), dim=1)
