"""From queries to mask logits: an inner product with the features of each pixel (MODEL_SPEC 6)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

_SPREAD = 4.0  # Image sides to logits: makes a coefficient of 1 matter.


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

    def falloff_coefficients(self, centre_BQ2: Tensor) -> Tensor | None:
        """What turns falloffs into coefficients of (|p|², y, x, 1): (B, Q, 3, 4); the same in all
        layers of a click. None where masks do not depend on distances.

        a·|p − c|² + b·(p − c) written out, a falloff being −a and the two of b.

        Args:
            centre_BQ2: (y, x) of the queries' clicks in 0…1.
        """
        if not hasattr(self, "falloff"):
            return None
        y, x = (centre_BQ2 * _SPREAD).unbind(-1)
        one, zero = torch.ones_like(y), torch.zeros_like(y)
        rows = (-one, 2 * y, 2 * x, -(y * y + x * x)), (zero, one, zero, -y), (zero, zero, one, -x)
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    def forward(self, content_BQC: Tensor, coefficients_BQ34: Tensor | None) -> Tensor:
        """Mask embeddings (B, Q, C), with the coordinates' 4 coefficients appended where used.

        Args:
            content_BQC: queries.
            coefficients_BQ34: from ``falloff_coefficients``.
        """
        z: Tensor = self.norm(content_BQC)
        first, second, third = self.mlp
        embedding: Tensor = third(relu(second(relu(first(z)))))
        if coefficients_BQ34 is None:
            return embedding
        # Products that cancel one another: float32 under mixed precision too.
        with torch.autocast(z.device.type, enabled=False):
            own = self.falloff(z.to(coefficients_BQ34.dtype))[..., None, :] @ coefficients_BQ34
        return torch.cat((embedding, own[..., 0, :]), dim=-1)


def append_coordinates(features_BChw: Tensor) -> Tensor:
    """Mask features with the channels |p|², y, x, 1 appended: (B, C + 4, h, w)."""
    batch, _, height, width = features_BChw.shape
    y = (torch.arange(height, device=features_BChw.device) + 0.5) / height * _SPREAD
    x = (torch.arange(width, device=features_BChw.device) + 0.5) / width * _SPREAD
    y_hw, x_hw = y[:, None].expand(-1, width), x.expand(height, -1)
    extra = torch.stack((y_hw**2 + x_hw**2, y_hw, x_hw, torch.ones_like(x_hw))).to(features_BChw)
    return torch.cat((features_BChw, extra.expand(batch, -1, -1, -1)), dim=1)
