"""Curves of the mean IoU against clicks per object, as numbers and as a figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from training.evaluation.mist import mean_iou


def iou_by_clicks(
    ious: Sequence[NDArray[np.float64]], clicks_per_object: int
) -> NDArray[np.float64]:
    """Return the mean IoU of the images after 1, 2, … ``clicks_per_object`` clicks per object.

    Args:
        ious: T×N for each image, as in ``mist_score``; one that ended early keeps its last IoU.
        clicks_per_object: length of the curve.
    """
    curves = []
    for ious_TN in ious:
        count = ious_TN.shape[1]
        # Row t follows N + t clicks; k clicks per object are k·N.
        rows = [min((k - 1) * count, len(ious_TN) - 1) for k in range(1, clicks_per_object + 1)]
        curves.append([mean_iou(ious_TN[row]) for row in rows])
    mean: NDArray[np.float64] = np.nanmean(np.array(curves), 0)
    return mean


def plot_curves(
    curves: dict[str, NDArray[np.float64]], path: Path, *, title: str, threshold: float
) -> None:
    """Plot one line per named curve and write the figure to ``path``."""
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
