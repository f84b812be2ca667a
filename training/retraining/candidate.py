"""From a snapshot and what is served now to the weights that are judged beside it."""

from pathlib import Path

from training.retraining.blending import blend
from training.retraining.launching import Report, train
from training.retraining.order import Order
from training.retraining.recipe import recipe


def train_candidate(order: Order, start: Path, report: Report | None = None) -> Path:
    """Train from the weights ``start`` as the order says, and blend; the file in the run's folder.

    ``report`` is told the steps done and the seconds left, where they are known.

    Raises:
        DynamiteError: the snapshot or the weights cannot be used, or the training failed.
    """
    trained = train(recipe(order, start), order.run, order.hosts, report)
    return blend(start, trained, order.run / "blended.safetensors")
