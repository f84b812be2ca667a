"""How a data set is opened: the same few words for every reader."""

from typing import TypedDict

from training.data.problems import OnProblem


class Opening(TypedDict, total=False):
    """What is to become of the faulty, the empty and the hidden; evaluation keeps more."""

    on_problem: OnProblem
    """Raise, which is the default, or leave out what is faulty."""
    keep_empty: bool
    """Pictures that may be without objects are samples too."""
    keep_hidden: bool
    """So are objects without a visible pixel, as in the published protocol (docs/evaluation.md)."""
