"""Views of an accepted image: what it would also look like, so that few images teach more.

A view is encoded as the image is. Encoding one costs as much as a few samples of learning, so a
handful is made of each image and learned from again and again.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from training.data.color import ColorConfig, jitter
from training.data.sample import Sample

MOST_VIEWS = 3
"""Most views of an image, beside the image itself."""

MOST_EXAMPLES = 32
"""Most images and views together: 25 MB each with ``lite``."""

SMALLEST = 0.75
"""Smallest side of a view, as a share of the image's."""

COLOR = ColorConfig(brightness=0.1, contrast=0.15, saturation=0.15, hue=0.02)


def with_views(sample: Sample, images: int, rng: np.random.Generator) -> Iterator[Sample]:
    """Yield a sample and views of it with an object in them, as many as ``images`` leave room for.

    Args:
        sample: an accepted image.
        images: how many there are.
        rng: draws the views.
    """
    yield sample
    for _ in range(min(MOST_VIEWS, MOST_EXAMPLES // images - 1)):
        view = draw_view(sample, rng)
        if view.labels:
            yield view


def draw_view(sample: Sample, rng: np.random.Generator) -> Sample:
    """Return a part of the image, perhaps mirrored, in other light."""
    height, width = sample.label_map.shape
    share = rng.uniform(SMALLEST, 1)
    rows, columns = max(2, int(height * share)), max(2, int(width * share))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    window = slice(top, top + rows), slice(left, left + columns)
    step = -1 if rng.random() < 0.5 else 1
    part = replace(
        sample,
        image=jitter(np.ascontiguousarray(sample.image[window][:, ::step]), COLOR, rng),
        label_map=np.ascontiguousarray(sample.label_map[window][:, ::step]),
        ignore=np.ascontiguousarray(sample.ignore[window][:, ::step]),
        whole_areas=(),
    )
    return part.keep(np.flatnonzero(part.areas).tolist())
