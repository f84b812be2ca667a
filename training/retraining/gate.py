"""The gate: decides from numbers alone whether a candidate is published."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.retraining.options import JobOptions

FLIPS = 10_000
"""Random sign patterns of the paired test."""


@dataclass(frozen=True)
class Verdict:
    """The decision and what it rests on; a figure is None where it was not measured.

    Attributes:
        published: whether the candidate passed.
        reason: why, in words.
        gain: share by which clicks per object on the held-out images fall.
        luck: the p-value: how probable a gain this large is by chance.
        rise: share by which NCI on the base set grows.
    """

    published: bool
    reason: str
    gain: float | None = None
    luck: float | None = None
    rise: float | None = None


def judge(
    held_out: NDArray[np.float64],
    base: NDArray[np.float64] | None,
    options: JobOptions,
    rng: np.random.Generator,
) -> Verdict:
    """Decide whether a candidate is published.

    Args:
        held_out: clicks per object on the held-out images, images × 2: current model, candidate.
        base: NCI on the base set, in the same shape; None if forgetting is not measured.
        options: the thresholds, ``judge_…``.
        rng: for the paired test.
    """
    images, least = len(held_out), options.judge_least
    if images < least:
        reason = f"only {images} held-out images, {least} are needed to decide"
        return Verdict(published=False, reason=reason)
    if not all(np.isfinite(clicks).all() for clicks in (held_out, base) if clicks is not None):
        return Verdict(published=False, reason="some clicks were counted as no number (NaN)")
    before, after = held_out.mean(0)
    gain = float((before - after) / before)
    luck = chance_of(held_out[:, 0] - held_out[:, 1], rng)
    rise, forgetting = None, "forgetting was not measured"
    if base is not None and len(base):
        base_before, base_after = base.mean(0)
        rise = float((base_after - base_before) / base_before)
        forgetting = f"NCI {rise:+.1%} on the base set"
    said = f"{-gain:+.1%} clicks on {images} held-out images (p = {luck:.3f}), {forgetting}"
    fault = None
    # Each comparison states what must hold, so a NaN among the thresholds publishes nothing.
    if not gain >= options.judge_margin:
        fault = f"needs at least −{options.judge_margin:.1%}"
    elif not luck <= options.judge_chance:
        fault = f"may be luck: p must be at most {options.judge_chance}"
    elif rise is not None and not rise <= options.judge_tolerance:
        fault = f"forgets too much: at most {options.judge_tolerance:+.1%} is allowed"
    return Verdict(fault is None, said if fault is None else f"{said}: {fault}", gain, luck, rise)


def chance_of(differences: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Return the probability of a mean at least this high if every sign were a coin toss.

    ``differences`` has one entry for each image.
    """
    signs = rng.integers(0, 2, (FLIPS, len(differences))) * 2 - 1
    means = (signs * differences).mean(1)
    return float(((means >= differences.mean() - 1e-12).sum() + 1) / (FLIPS + 1))
