"""The logits of every query, which ``Predictor`` does not return."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from dynamite import ClickSet, ImageFeatures, Predictor
from dynamite.network.queries import PackedClicks
from dynamite.predict.features import join_batch


@torch.inference_mode()
def query_logits(
    predictor: Predictor, features: Sequence[ImageFeatures], clicks: Sequence[ClickSet]
) -> list[NDArray[np.float32]]:
    """Final logits of each image's queries (Q, h, w) at stride 4, for a predictor that keeps sizes.

    Those of the effective clicks come first, then padding and static background queries.
    """
    assert predictor.resize is None
    model = predictor.model
    effective = [predictor.effective_clicks(one) for one in clicks]
    packed = PackedClicks.pack(effective, extra=model.bootstrapper.extra)
    prediction = model.interact(join_batch([one.maps for one in features]), packed)
    return list(prediction.logits_BQhw.numpy())
