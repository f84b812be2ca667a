"""Proposes every further object of a kind in an image: seeds, segmented together, then judged."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite.clicks import Click
from dynamite.predict.features import ImageFeatures
from dynamite.predict.predictor import Segmentation
from dynamite.proposals.cells import at_cells, cells_per_pixel
from dynamite.proposals.likeness import Likeness, LikenessMaps
from dynamite.proposals.passes import NOTHING, Segment, segment_in_passes
from dynamite.proposals.seeds import seed_cells, typical_radius

MOST = 100
"""Objects proposed of one label in an image, unless a caller says otherwise."""

LEAST_SCORE = 0.4
"""Proposals that score less are left out (docs/more-like-this.md)."""

LEAST_AGREEMENT = 0.4
"""Mean likeness in a mask: below it, the network drew something else."""

SIZE_FACTOR = 4.0
"""How far a mask may exceed the sizes of the label's objects, upwards and downwards."""

MOST_TAKEN = 0.5
"""Share of a mask that known objects may cover."""


@dataclass(frozen=True)
class Proposals:
    """Further objects of one label in an image, the best first; they overlap nothing.

    Attributes:
        label_map: (H, W) int16, the index of the proposal of each pixel, −1 for none.
        scores: (N) float32 in 0…1: the geometric mean of the network's score, the mean likeness of
            the mask and the likeness of its seed, times the certainty of the maps.
        seeds: N clicks, one in each.
    """

    label_map: NDArray[np.int16]
    scores: NDArray[np.float32]
    seeds: tuple[Click, ...]


def propose(
    features: ImageFeatures,
    likeness: Likeness,
    segment: Segment,
    *,
    known: NDArray[np.int16] | None = None,
    most: int = MOST,
    least_score: float = LEAST_SCORE,
) -> Proposals:
    """Propose the objects of a label that are not known yet.

    Args:
        features: of the image.
        likeness: of the label.
        segment: segments clicks on that image; called once for each pass.
        known: (H, W), the index of the object that a pixel belongs to already, −1 for none. Known
            objects are segmented with the seeds, so that the network sees whose pixels they are.
        most: proposals; those with the lowest scores are left out.
        least_score: of a proposal.

    Raises:
        InvalidInputError: the likeness does not fit the features.
    """
    height, width = features.image_size
    label_map = np.full((height, width), NOTHING) if known is None else known
    maps = likeness.maps(features)
    taken = at_cells(label_map != NOTHING, features)
    cells = seed_cells(maps, taken, typical_radius(likeness.areas), most)
    if not cells:
        return Proposals(np.full((height, width), NOTHING), np.zeros(0, np.float32), ())
    down, across = cells_per_pixel(features)
    seeds = [
        Click(min((x + 0.5) / across, width - 0.5), min((y + 0.5) / down, height - 0.5), time)
        for time, (y, x) in enumerate(cells)
    ]
    others = _clicks_on_known(label_map, first=len(seeds), most=most)
    segmented = segment_in_passes(seeds, others, segment)
    masks = np.where(label_map == NOTHING, segmented.label_map, NOTHING)
    scores = _scores(masks, segmented, maps, cells)
    scores[~_is_likely(masks, segmented.label_map, maps, likeness, down * across, len(seeds))] = 0
    order = [i for i in np.argsort(-scores, kind="stable").tolist() if scores[i] >= least_score]
    table = np.full(len(seeds) + 1, NOTHING)
    table[1 + np.array(order, np.int64)] = np.arange(len(order), dtype=np.int16)
    return Proposals(table[masks + 1], scores[order], tuple(seeds[index] for index in order))


def _clicks_on_known(known: NDArray[np.int16], first: int, most: int) -> list[Click]:
    """Return a click deep inside each of the first known objects."""
    clicks: list[Click] = []
    for index in np.unique(known)[:most].tolist():
        if index != NOTHING:
            framed = np.pad((known == index).astype(np.uint8), 1)
            depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            clicks.append(Click.on_pixel(int(column), int(row), first + len(clicks)))
    return clicks


def _scores(
    masks: NDArray[np.int16],
    segmented: Segmentation,
    maps: LikenessMaps,
    cells: list[tuple[int, int]],
) -> NDArray[np.float32]:
    """Return how sure each mask is, as ``Proposals.scores`` says."""
    agreement = _mean_likeness(masks, maps, len(cells))
    at_seeds = np.array([maps.cores[cell] for cell in cells])
    product = segmented.scores * agreement * at_seeds
    return np.asarray(maps.certainty * np.cbrt(np.clip(product, 0.0, 1.0)), np.float32)


def _mean_likeness(masks: NDArray[np.int16], maps: LikenessMaps, count: int) -> NDArray[np.float64]:
    """Return the mean likeness of each mask's pixels, 0 for an empty one."""
    likeness = cv2.resize(maps.objects, masks.shape[::-1], interpolation=cv2.INTER_LINEAR)
    indices = masks.ravel() + 1
    sums = np.bincount(indices, likeness.ravel(), minlength=count + 1)[1:]
    return sums / np.maximum(np.bincount(indices, minlength=count + 1)[1:], 1)


def _is_likely(
    masks: NDArray[np.int16],
    segmented: NDArray[np.int16],
    maps: LikenessMaps,
    likeness: Likeness,
    cells_in_pixel: float,
    count: int,
) -> NDArray[np.bool_]:
    """Whether each mask agrees with the likeness, and has a usual size and pixels of its own."""
    areas = np.bincount(masks.ravel() + 1, minlength=count + 1)[1:]
    whole = np.bincount(segmented.ravel() + 1, minlength=count + 1)[1 : count + 1]
    least, largest = np.percentile(likeness.areas, (5, 95))
    in_cells = areas * cells_in_pixel
    return np.asarray(
        (areas > (1 - MOST_TAKEN) * whole)
        & (in_cells >= least / SIZE_FACTOR)
        & (in_cells <= largest * SIZE_FACTOR)
        & (_mean_likeness(masks, maps, count) >= LEAST_AGREEMENT)
    )
