"""IoU against clicks, as numbers and as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from training.evaluation.mist import mean_iou


def iou_by_clicks(ious: Sequence[NDArray[np.float64]], per_object: int) -> NDArray[np.float64]:
    """Mean IoU of the images after 1, 2, … ``per_object`` clicks per object.

    Args:
        ious: T×N for each image, as in ``mist_score``; an image that is done keeps its last IoU.
        per_object: length of the curve.
    """
    curves = []
    for ious_TN in ious:
        count = ious_TN.shape[1]
        # Row t follows N + t clicks; k clicks per object are k·N.
        rows = [min((k - 1) * count, len(ious_TN) - 1) for k in range(1, per_object + 1)]
        curves.append([mean_iou(ious_TN[row]) for row in rows])
    mean: NDArray[np.float64] = np.nanmean(np.array(curves), 0)
    return mean


def plot_curves(
    curves: dict[str, NDArray[np.float64]], path: Path, *, title: str, threshold: float
) -> None:
    """One line for each named curve, written as a picture to ``path``."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot(np.arange(1, len(curve) + 1), curve, marker="o", markersize=4, label=name)
    axes.axhline(threshold, color="gray", linewidth=1, linestyle=":")
    axes.annotate(f"threshold {threshold:.2f}", (1, threshold), (2, 3), color="gray", fontsize=8,
                  textcoords="offset points")  # fmt: skip
    axes.set(title=title, xlabel="clicks per object", ylabel="mean IoU", ylim=(0, 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)
