"""The options for opening a data set, the same for every reader."""

from typing import TypedDict

from training.data.problems import OnProblem


class OpenOptions(TypedDict, total=False):
    """What to do with faulty, empty and hidden entries; evaluation keeps more than training."""

    on_problem: OnProblem
    """``"raise"`` (the default) or ``"skip"``, which leaves out faulty entries."""
    keep_empty: bool
    """Make samples of images that have no object, where the set allows them."""
    keep_hidden: bool
    """Keep objects without a visible pixel, as the published protocol does (MODEL_SPEC 10.1)."""
