"""What project memory saves: images are annotated one after the other, in random order.

    python -m benchmarks.memory dsb2018 facade --data ../sets --seeds 5 --out memory

For each set and seed, images of a random order are accepted, as a project would. At image 3, 5, 10,
other images are annotated without memory, with it, and with what the gate decides. Prints a table,
writes memory.json and memory.png.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import dynamite
from dynamite import Predictor
from dynamite.network.model import DynaMITE
from training.data.catalog import open_dataset
from training.data.sample import Sample, SampleList
from training.evaluation.mist import object_clicks
from training.evaluation.model_segmenter import ModelSegmenter
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import evaluate
from training.memory.evidence import judge
from training.memory.examples import with_at_most
from training.memory.growth import Memory, grow

MAX_OBJECTS = 8
"""Objects of an image that are annotated; a crowd would take minutes."""

HALVES = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
"""Parts of a set: designs are chosen on one, and measured on the other."""

Scores = NDArray[np.float64]
"""Clicks per object and IoU after the first click, images × 2."""


def main() -> None:
    """Measure and report."""
    arguments = parse()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    path = out / "memory.json"
    points: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
    model = dynamite.load("lite", device="cuda" if torch.cuda.is_available() else "cpu")
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for name in arguments.sets:
            for point in measure(model, name, seed, arguments):
                points.append(point)
                path.write_text(json.dumps(points, indent=1))
                Console(width=120).print(table(points))
    plot(points, out / "memory.png")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="*", help="dsb2018, facade, …; none: draw what is there")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--part", choices=HALVES, default="all", help="which images of a set")
    parser.add_argument("--images", type=int, nargs="+", default=[3, 5, 10])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=12, help="images annotated for each point")
    parser.add_argument("--budget", type=int, default=10, help="clicks per object")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("memory"))
    return parser.parse_args()


def measure(model: DynaMITE, name: str, seed: int, arguments: argparse.Namespace) -> Any:
    """Yield a point for each number of accepted images."""
    dataset = open_dataset(name, arguments.data, on_problem="skip")
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.arange(len(dataset))[HALVES[arguments.part]]).tolist()
    tests = [with_at_most(dataset[index], MAX_OBJECTS, rng) for index in order[: arguments.most]]
    accepted = [dataset[index] for index in order[arguments.most :][: max(arguments.images) - 1]]
    accepted = [replace(one, sample_id=str(number)) for number, one in enumerate(accepted)]
    without = annotate(model, tests, arguments.budget)
    memory = Memory()
    for image in sorted(arguments.images):
        started = time.monotonic()
        memory = grow(model, memory, accepted[: image - 1], rng)
        assert memory.adaptation is not None
        adapted = memory.adaptation.apply(model)
        verdict = judge(memory.outcomes)
        yield {
            "set": name,
            "seed": seed,
            "image": image,
            "ids": [sample.sample_id for sample in tests],
            "without": without.tolist(),
            "seconds": round(time.monotonic() - started, 1),
            "with": annotate(adapted, tests, arguments.budget).tolist(),
            "on": verdict.is_on,
            "expected": round(verdict.expected, 4),
            "labels_without": verdict.without,
            "outcomes": [(*one.clicks, *one.first_iou) for one in memory.outcomes],
        }


def annotate(model: DynaMITE, samples: Sequence[Sample], budget: int) -> Scores:
    """Let a simulated annotator segment all objects of each image."""
    segmenter = ModelSegmenter(Predictor(model))
    plan = EvaluationPlan(clicks_per_object=budget)
    found = []
    for record in evaluate(segmenter, SampleList("tests", samples), plan):
        clicks = object_clicks(record.ious[-1], record.spent, clicks_per_object=budget)
        found.append((clicks, float(np.nanmean(record.ious[0]))))
    return np.array(found, np.float64)


def gathered(points: list[dict[str, Any]], name: str, image: int) -> tuple[Scores, Scores, Scores]:
    """Return the scores at an image, of all seeds: without, with memory, and gated."""
    own = [point for point in points if (point["set"], point["image"]) == (name, image)]
    without = np.concatenate([point["without"] for point in own])
    always = np.concatenate([point["with"] for point in own])
    gated = np.concatenate([point["with" if point["on"] else "without"] for point in own])
    return without, always, gated


def saved(without: Scores, others: Scores) -> tuple[float, float]:
    """Return the share of clicks saved and its standard error, paired by image."""
    difference = without[:, 0] - others[:, 0]
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return float(difference.mean() / without[:, 0].mean()), float(error / without[:, 0].mean())


def keys(points: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return the sets and images measured, in order."""
    return sorted({(point["set"], point["image"]) for point in points})


def table(points: list[dict[str, Any]]) -> Table:
    """Return a table with one line for each set and image."""
    found = Table(title="Project memory", title_justify="left")
    for name in ("set", "at image", "seeds", "images", "clicks per object"):
        found.add_column(name, justify="left" if name == "set" else "right")
    for name in ("saved", "IoU@1", "gate on", "saved with gate", "seconds"):
        found.add_column(name, justify="right")
    for name, image in keys(points):
        own = [p for p in points if (p["set"], p["image"]) == (name, image)]
        without, always, gated = gathered(points, name, image)
        (all_saved, error), (gate_saved, gate_error) = saved(without, always), saved(without, gated)
        seconds = np.mean([point["seconds"] for point in own])
        found.add_row(
            name,
            str(image),
            str(len(own)),
            str(len(without)),
            f"{without[:, 0].mean():.2f} → {always[:, 0].mean():.2f}",
            f"{all_saved:+.1%} ± {error:.1%}",
            f"{without[:, 1].mean():.3f} → {always[:, 1].mean():.3f}",
            f"{sum(point['on'] for point in own)}/{len(own)}",
            f"{gate_saved:+.1%} ± {gate_error:.1%}",
            f"{seconds:.0f}",
        )
    return found


def plot(points: list[dict[str, Any]], path: Path) -> None:
    """Plot the clicks saved, and the change of the IoU after the first click, row by row."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    rows = keys(points)[::-1]
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(9, 1.6 + 0.4 * len(rows)), layout="constrained", sharey=True
    )
    for place, key in enumerate(rows):
        without, always, gated = gathered(points, *key)
        for scores, lift, style in ((always, 0.12, "C0o"), (gated, -0.12, "C1o")):
            share, error = saved(without, scores)
            left.errorbar(100 * share, place + lift, xerr=100 * error, fmt=style)
            change = scores[:, 1] - without[:, 1]
            spread = change.std(ddof=1) / np.sqrt(len(change))
            right.errorbar(change.mean(), place + lift, xerr=spread, fmt=style)
    left.set_yticks(range(len(rows)), [f"{name}, image {image}" for name, image in rows])
    for axes, label in ((left, "clicks saved, %"), (right, "change of IoU after the first click")):
        axes.axvline(0, color="gray", linewidth=0.5)
        axes.set(xlabel=label, ylim=(-0.5, len(rows) - 0.5))
    for style, label in (("C0o", "with memory"), ("C1o", "with the gate")):
        left.plot([], [], style, label=label)
    figure.legend(loc="outside upper center", ncols=2)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
