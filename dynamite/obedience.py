"""What was clicked is so: around each click the one it was made for wins.

A network may overrule a click. A person never means that: a click says at least what the pixels
under it are. Its own query is therefore raised above all others close to it.
"""

import torch
from torch import Tensor

REACH = 3.0
"""Cells of the stride-4 map, 12 pixels of the input: about what a person can aim at."""

MARGIN = 4.0
"""Logits above the best other query at the click itself, falling to 0 at ``REACH``."""


def obey(logits_Qhw: Tensor, places_K2: Tensor) -> Tensor:
    """Logits of one image with each click's own query in front around it.

    Args:
        logits_Qhw: at stride 4; the queries of the clicks come first.
        places_K2: (y, x) of the clicks in cells of the map. A cell near several belongs to the
            nearest.
    """
    clicks, (height, width) = len(places_K2), logits_Qhw.shape[-2:]
    y = torch.arange(height, device=logits_Qhw.device) + 0.5
    x = torch.arange(width, device=logits_Qhw.device) + 0.5
    down_Kh = (y - places_K2[:, :1]).square()
    across_Kw = (x - places_K2[:, 1:]).square()
    squared_hw, owner_hw = (down_Kh[:, :, None] + across_Kw[:, None]).min(dim=0)
    nearest_hw = squared_hw.sqrt()
    index = torch.arange(clicks, device=logits_Qhw.device)[:, None, None]
    mine_Khw = (owner_hw == index) & (nearest_hw < REACH)
    wanted_hw = logits_Qhw.amax(dim=0) + MARGIN * (1 - nearest_hw / REACH)
    raised_Khw = torch.where(
        mine_Khw, torch.maximum(logits_Qhw[:clicks], wanted_hw), logits_Qhw[:clicks]
    )
    return torch.cat((raised_Khw, logits_Qhw[clicks:]))
