"""Where masks lie on drawn shapes: how far off, and how much too large.

    python -m benchmarks.alignment lite new.safetensors

Single discs and squares in one color on another, with soft edges, at places and of colors drawn at
random; one click on the middle of each. A shift is that of the mask's center of area against the
shape's, in pixels, to the right and downwards. ± is the standard error of the mean. What the
geometry itself adds is below 0.1 pixel (tests/dynamite/predict/test_alignment.py), so this is what
the weights have learned. Masks with an IoU below 0.5 took something else for the object; they are
left out and counted as missed.
"""

import argparse
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from dynamite import Click, ClickSet
from training.evaluation.model_segmenter import load_segmenter

SIZE = (480, 640)
SIDES = (12, 16, 24, 32, 48, 96)
SHAPES: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]] = {
    "disc": np.hypot,
    "square": np.maximum,
}
"""Distance from a shape's middle, by the distances along both axes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="presets or checkpoint files")
    parser.add_argument("--count", type=int, default=40, help="shapes of each kind and size")
    options = parser.parse_args()
    print(f"{'shape':>8} {'side':>4} {'right':>15} {'down':>15} {'area':>14} {'missed':>7}  model")
    for model in options.models:
        segmenter = load_segmenter(model, threads=1)
        for name in SHAPES:
            for side in SIDES:
                rng = np.random.default_rng(side)
                found = [measured(segmenter.open, name, side, rng) for _ in range(options.count)]
                print(f"{name:>8} {side:>4} {told(found)}  {model}")


def measured(open_image, name: str, side: float, rng: np.random.Generator) -> list[float] | None:
    """Right, down, area ratio of one shape; None if it is missed."""
    x, y = (rng.uniform(0.2, 0.8) * length for length in (SIZE[1], SIZE[0]))
    across = np.abs(np.arange(SIZE[1]) + 0.5 - x)[None]
    down = np.abs(np.arange(SIZE[0]) + 0.5 - y)[:, None]
    cover = np.clip(side / 2 - SHAPES[name](across, down) + 0.5, 0, 1)
    image = scene(cover, rng)
    mask = open_image(image).segment(ClickSet([[Click(x, y)]])) == 0
    truth = cover > 0.5
    if (mask & truth).sum() < 0.5 * (mask | truth).sum():
        return None
    rows, columns = np.nonzero(mask)
    return [columns.mean() + 0.5 - x, rows.mean() + 0.5 - y, mask.sum() / cover.sum()]


def scene(cover: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Two colors at least a quarter of the range apart, blended by ``cover``, with some noise."""
    while True:
        shape, ground = rng.uniform(20, 235, (2, 3))
        if np.abs(shape - ground).mean() > 64:
            break
    noise = cv2.GaussianBlur(rng.normal(0, 12, (*cover.shape, 3)), (0, 0), 1)
    blended = cover[..., None] * shape + (1 - cover[..., None]) * ground + noise
    return np.clip(blended, 0, 255).astype(np.uint8)


def told(found: list[list[float] | None]) -> str:
    """The columns of one row."""
    kept = np.array([one for one in found if one is not None])
    missed = f"{len(found) - len(kept):>7}"
    if not len(kept):
        return f"{'':>46} {missed}"
    mean, error = kept.mean(0), kept.std(0) / np.sqrt(len(kept))
    right, down, area = (f"{m:+.2f} ± {e:.2f}" for m, e in zip(mean, error, strict=True))
    return f"{right:>15} {down:>15} {area.lstrip('+'):>14} {missed}"


if __name__ == "__main__":
    main()
