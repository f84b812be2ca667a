"""Whether a candidate is published: by numbers alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.retraining.job_spec import Gate

FLIPS = 10_000


@dataclass(frozen=True)
class Verdict:
    """``gain``: share by which clicks on held-out images fall, ``rise`` that by which NCI on the
    base set grows, ``luck`` the probability of such a gain by luck; None where not measured.
    """

    published: bool
    reason: str
    gain: float | None = None
    luck: float | None = None
    rise: float | None = None


def judge(
    held_out: NDArray[np.float64],
    base: NDArray[np.float64] | None,
    gate: Gate,
    rng: np.random.Generator,
) -> Verdict:
    """Decide.

    Args:
        held_out: clicks per object on held-out images, images × 2: current model, candidate.
        base: NCI on the base set, likewise; None if there is none, and forgetting is not measured.
        gate: what is to be reached.
        rng: for the paired test.
    """
    if len(held_out) < gate.least:
        return Verdict(
            published=False,
            reason=f"only {len(held_out)} held-out images, {gate.least} are needed to decide",
        )
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
    said = f"{-gain:+.1%} clicks on {len(held_out)} held-out images (p = {luck:.3f}), {forgetting}"
    fault = None
    # Each says what must hold: a NaN of the gate's own numbers publishes nothing.
    if not gain >= gate.margin:
        fault = f"needs at least −{gate.margin:.1%}"
    elif not luck <= gate.chance:
        fault = f"may be luck: p must be at most {gate.chance}"
    elif rise is not None and not rise <= gate.tolerance:
        fault = f"forgets too much: at most {gate.tolerance:+.1%} is allowed"
    return Verdict(fault is None, said if fault is None else f"{said}: {fault}", gain, luck, rise)


def chance_of(differences: NDArray[np.float64], rng: np.random.Generator) -> float:
    """The probability of a mean at least as high if every difference's sign were a coin's toss."""
    signs = rng.integers(0, 2, (FLIPS, len(differences))) * 2 - 1
    means = (signs * differences).mean(1)
    return float(((means >= differences.mean() - 1e-12).sum() + 1) / (FLIPS + 1))
